"""Captions become n-gram postings: flat, sorted arrays, built with one sort for each order.

An n-gram's id is its place among the distinct n-grams of its order. Its key is the id of its first n-1 words joined
with the id of its last word, so two n-grams can never share a key and a query walks from order to order by key.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from data.text import tokenize
from retrieval.words import WordTable

NO_CAPTION = (0,)  # The lengths kept for a picture without captions; no n-gram ever leads to it.


@dataclass(frozen=True)
class CaptionWords:
    """All captions of a gallery, cut into words and laid end to end.

    `words` (t,) int64: word ids; `caption` (t,) int64: which caption each stands in; `picture` (captions,) int32:
    the row of each caption's picture; `length_sets`: the distinct sets of caption lengths; `length_set` (pictures,)
    int32: which of them each picture has.
    """

    table: WordTable
    words: np.ndarray
    caption: np.ndarray
    picture: np.ndarray
    length_sets: list[tuple[int, ...]]
    length_set: np.ndarray


@dataclass(frozen=True)
class OrderPostings:
    """The n-grams of one order and the pictures they stand in.

    `keys` (u,) int64, rising; n-gram i stands in the pictures `rows[starts[i]:starts[i + 1]]` (int32, rising), at most
    `counts[...]` times in one caption of theirs and in `said[...]` of their captions. `starts` (u + 1,) int64;
    `counts` and `said` any unsigned type.
    """

    keys: np.ndarray
    starts: np.ndarray
    rows: np.ndarray
    counts: np.ndarray
    said: np.ndarray

    def find(self, keys: np.ndarray) -> np.ndarray:
        """Return the id of the n-gram with each key, -1 where there is none."""
        if not len(self.keys):
            return np.full(len(keys), -1, np.int64)
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[places] == keys, places, -1)


def read_captions(gallery: Iterable[Sequence[str]], fold: Callable[[str], str]) -> CaptionWords:
    """Cut every picture's captions into words, each as `fold` gives it; pictures and captions keep their order."""
    numbers: dict[str, int] = {}
    words, lengths = array("q"), array("q")
    picture, length_set = array("i"), array("i")
    sets: dict[tuple[int, ...], int] = {}
    for row, captions in enumerate(gallery):
        own = []
        for caption in captions:
            tokens = [fold(word) for word in tokenize(caption)]
            words.extend([numbers.setdefault(token, len(numbers)) for token in tokens])
            own.append(len(tokens))
            picture.append(row)
        lengths.extend(own)
        length_set.append(sets.setdefault(tuple(sorted(set(own))) or NO_CAPTION, len(sets)))
    table, ids = WordTable.build(numbers)
    return CaptionWords(
        table,
        words=ids[np.asarray(words)],
        caption=np.repeat(np.arange(len(lengths)), np.asarray(lengths)),
        picture=np.asarray(picture),
        length_sets=list(sets),
        length_set=np.asarray(length_set),
    )


def orders(captions: CaptionWords, max_order: int) -> Iterator[OrderPostings]:
    """Yield the postings of orders 1 to `max_order`."""
    places = np.arange(len(captions.words))  # Where an n-gram of the present order begins.
    keys = captions.words
    for order in range(1, max_order + 1):
        postings = _postings(keys, captions.caption[places], captions.picture)
        yield postings
        ids = np.searchsorted(postings.keys, keys)
        goes_on = places + order < len(captions.words)
        goes_on[goes_on] = captions.caption[places[goes_on] + order] == captions.caption[places[goes_on]]
        places = places[goes_on]
        keys = ids[goes_on] * len(captions.table) + captions.words[places + order]


def _postings(keys: np.ndarray, caption: np.ndarray, picture: np.ndarray) -> OrderPostings:
    """Count each n-gram in each caption, then keep each picture's largest count and number of captions with it."""
    distinct = np.unique(keys)
    ids = np.searchsorted(distinct, keys)
    pairs, repeats = np.unique(ids * max(1, len(picture)) + caption, return_counts=True)
    ngram, row = pairs // max(1, len(picture)), picture[pairs % max(1, len(picture))]
    first = np.flatnonzero((np.diff(ngram, prepend=-1) != 0) | (np.diff(row, prepend=-1) != 0))
    counts = np.maximum.reduceat(repeats, first) if len(first) else repeats
    starts = np.searchsorted(ngram[first], np.arange(len(distinct) + 1))
    said = np.diff(first, append=len(ngram))
    return OrderPostings(distinct, starts, row[first], _smallest(counts), _smallest(said))


def _smallest(counts: np.ndarray) -> np.ndarray:
    """The same whole numbers in the smallest type that holds them."""
    return counts.astype(np.min_scalar_type(int(counts.max(initial=0))))
