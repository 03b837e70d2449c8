"""Build n-gram postings from captions.

The steps: split the captions of all pictures into words, number the words in a sorted table, then make the postings
of each order with one sort, after which they are runs of equal numbers.

Sized for millions of captions: words are int32, and what follows the sort works in slices, so besides them at most
three arrays of int64 with one number for each word of the gallery are held.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from data.text import tokenize
from retrieval.arrays import smallest
from retrieval.bleu.ngrams import NgramPostings, pack

UNKNOWN = -1


@dataclass(frozen=True)
class WordTable:
    """Distinct words sorted by their UTF-8 bytes; a word's id is its index.

    `letters`: uint8, all words concatenated; `starts`: int64 of shape (words + 1,), where each begins. Both may be
    memory-mapped: a look-up reads only the words that it compares.
    """

    letters: np.ndarray
    starts: np.ndarray
    _cache: dict[str, int] = field(default_factory=dict, repr=False)
    """The ids of the words looked up before."""

    @classmethod
    def build(cls, words: Collection[str]) -> tuple[WordTable, np.ndarray]:
        """Return the table of distinct `words`, and the id of each of them in the order given, int64."""
        encoded = [_encode(word) for word in words]
        order = sorted(range(len(encoded)), key=encoded.__getitem__)
        ids = np.empty(len(encoded), np.int64)
        ids[order] = np.arange(len(encoded))
        letters = np.frombuffer(b"".join(encoded[place] for place in order), np.uint8)
        starts = np.zeros(len(encoded) + 1, np.int64)
        np.cumsum([len(encoded[place]) for place in order], out=starts[1:])
        return cls(letters, starts), ids

    def __len__(self) -> int:
        return len(self.starts) - 1

    def ids(self, words: Sequence[str]) -> np.ndarray:
        """Return the id of each word, int64, UNKNOWN for a word of no caption."""
        return np.array([self._id(word) for word in words], np.int64)

    def _id(self, text: str) -> int:
        cached = self._cache.get(text)
        if cached is not None:
            return cached
        word = _encode(text)
        place = bisect_left(range(len(self)), word, key=self._word)
        if place == len(self) or self._word(place) != word:
            return UNKNOWN
        self._cache[text] = place
        return place

    def _word(self, place: int) -> bytes:
        return self.letters[self.starts[place] : self.starts[place + 1]].tobytes()


def _encode(word: str) -> bytes:
    return word.encode("utf-8", "surrogatepass")


@dataclass(frozen=True)
class Kinds:
    """Pictures grouped by the number and the lengths of their captions: all that BLEU needs besides the matches.

    Picture i is of kind `of_picture[i]`, whose pictures have `captions[kind]` captions. The distinct lengths of these
    captions are `lengths[starts[kind]:starts[kind + 1]]`, in words; a kind without captions has the length 0. All are
    whole numbers; `starts` has one entry more than there are kinds.
    """

    of_picture: np.ndarray
    captions: np.ndarray
    lengths: np.ndarray
    starts: np.ndarray

    @classmethod
    def build(cls, of_picture: np.ndarray, kinds: Sequence[tuple[int, ...]]) -> Kinds:
        """Build from the kind of each picture; `kinds`: the number of captions of each kind, then their lengths."""
        lengths = [kind[1:] or (0,) for kind in kinds]
        return cls(
            of_picture=smallest(of_picture),
            captions=np.array([kind[0] for kind in kinds], np.int64),
            lengths=np.array([length for own in lengths for length in own], np.int64),
            starts=np.cumsum([0, *(len(own) for own in lengths)]),
        )

    def closest(self, length: int) -> np.ndarray:
        """Return, for each kind, the caption length closest to `length`, int64; of two equally close the shorter."""
        above_all = int(self.lengths.max(initial=0)) + 1
        ranked = np.abs(self.lengths - length) * above_all + self.lengths
        return np.minimum.reduceat(ranked, self.starts[:-1]) % above_all

    @cached_property
    def caption_counts(self) -> tuple[np.ndarray, np.ndarray]:
        """The distinct numbers of captions, rising, and each kind's index among them."""
        values, place = np.unique(self.captions, return_inverse=True)
        return values, place


@dataclass(frozen=True)
class CaptionWords:
    """All captions of a gallery.

    `words` (t,) int32: word ids; `caption` (t,) int32: the caption of each word; `picture` (captions,) int32: the row
    of each caption's picture; `kinds`: the number and the lengths of each picture's captions.
    """

    table: WordTable
    words: np.ndarray
    caption: np.ndarray
    picture: np.ndarray
    kinds: Kinds


def read_captions(gallery: Iterable[Sequence[str]], fold: Callable[[str], str]) -> CaptionWords:
    """Split every picture's captions into words, each passed through `fold`; pictures and captions keep their order."""
    pieces = _Pieces(fold)
    words, lengths, picture, kind = array("i"), array("i"), array("i"), array("i")
    kinds: dict[tuple[int, ...], int] = {}
    for row, captions in enumerate(gallery):
        own = []
        for caption in captions:
            before = len(words)
            for piece in caption.split() if caption.isascii() else (caption,):
                words.extend(pieces[piece])
            own.append(len(words) - before)
            picture.append(row)
        lengths.extend(own)
        kind.append(kinds.setdefault((len(own), *sorted(set(own))), len(kinds)))
    table, ids = WordTable.build(pieces.numbers)
    return CaptionWords(
        table,
        words=ids.astype(np.int32)[np.asarray(words)],
        caption=np.repeat(np.arange(len(lengths), dtype=np.int32), np.asarray(lengths)),
        picture=np.asarray(picture),
        kinds=Kinds.build(np.asarray(kind), list(kinds)),
    )


class _Pieces(dict[str, array]):
    """A cache of the word numbers of texts. ASCII text is split at spaces first, since its words never span them."""

    def __init__(self, fold: Callable[[str], str]) -> None:
        super().__init__()
        self.numbers: dict[str, int] = {}
        self._fold = fold

    def __missing__(self, text: str) -> array:
        numbers, tokens = self.numbers, [self._fold(word) for word in tokenize(text)]
        own = array("i", [numbers.setdefault(token, len(numbers)) for token in tokens])
        if text.isascii():  # Whole captions in other scripts would fill the memory.
            self[text] = own
        return own


DENSE_SHARE = 16
"""An n-gram that more than 1 / DENSE_SHARE of the pictures have gets a mark for every picture."""
SLICE = 2**23


class _Order(NamedTuple):
    """The n-grams of one order: keys (u,), sizes (u,) int64 in pictures; `rows`, `counts`, `containing` of postings."""

    keys: np.ndarray
    sizes: np.ndarray
    rows: np.ndarray
    counts: np.ndarray
    containing: np.ndarray


def build_postings(captions: CaptionWords, max_order: int) -> NgramPostings:
    """Return the postings of orders 1 to `max_order`."""
    orders = list(_orders(captions, max_order))
    first = np.cumsum([0, *(len(order.keys) for order in orders)])
    keys, sizes, rows, counts, containing = (np.concatenate(parts) for parts in zip(*orders, strict=True))
    del orders
    marks = pack(counts, containing)
    del counts, containing
    is_common = sizes * DENSE_SHARE > len(captions.kinds.of_picture)
    common = np.flatnonzero(is_common)
    common = common[np.argsort(-sizes[common], kind="stable")]
    dense = _planes(common, sizes, rows, marks, len(captions.kinds.of_picture))
    listed = np.repeat(~is_common, sizes)
    starts = np.concatenate([[0], np.cumsum(np.where(is_common, 0, sizes))])
    return NgramPostings(first, smallest(keys), smallest(starts), rows[listed], marks[listed], common, dense)


def _planes(common: np.ndarray, sizes: np.ndarray, rows: np.ndarray, marks: np.ndarray, pictures: int) -> np.ndarray:
    ends = np.cumsum(sizes)
    dense = np.zeros((len(common), pictures), marks.dtype)
    for plane, one in zip(dense, common, strict=True):
        span = slice(int(ends[one] - sizes[one]), int(ends[one]))
        plane[rows[span]] = marks[span]
    return dense


def _orders(captions: CaptionWords, max_order: int) -> Iterator[_Order]:
    """Yield the postings of each order; each n-gram extends the one before by its last word."""
    ids, last, caption = captions.words, captions.words, captions.caption
    keys = ids.astype(np.int64)
    for order in range(1, max_order + 1):
        if order > 1:
            continues = caption[1:] == caption[:-1]
            keys = ids[:-1][continues].astype(np.int64)
            keys *= len(captions.table)
            last, caption = last[1:][continues], caption[:-1][continues]
            keys += last
        ids, postings = _postings(keys, caption, captions.picture)
        yield postings


def _postings(keys: np.ndarray, caption: np.ndarray, picture: np.ndarray) -> tuple[np.ndarray, _Order]:
    """Return the index of each key among the distinct ones, int32, and the postings of these."""
    order = np.argsort(keys, kind="stable")  # Stable, so that the captions of each n-gram rise.
    begins = _changes(keys[order])
    ngram = np.cumsum(begins, dtype=np.int32)
    ngram -= 1
    ids = np.empty_like(ngram)
    ids[order] = ngram
    distinct = keys[order[begins]]
    parts = [_count(ngram[part], caption[order[part]], picture) for part in _slices(ngram)]
    del order, ngram
    sizes, rows, counts, containing = (np.concatenate(one) for one in zip(*parts, strict=True))
    return ids, _Order(distinct, sizes, rows, counts, containing)


def _slices(ngram: np.ndarray) -> Iterator[slice]:
    """Cut sorted n-grams into slices of about SLICE; no n-gram spans two slices."""
    start = 0
    while True:
        end = len(ngram)
        if start + SLICE < len(ngram):
            end = int(np.searchsorted(ngram, ngram[start + SLICE], side="right"))
        yield slice(start, end)
        if end == len(ngram):
            return
        start = end


def _count(ngram: np.ndarray, caption: np.ndarray, picture: np.ndarray) -> tuple[np.ndarray, ...]:
    """Count each n-gram in each caption, then keep each picture's largest count and number of captions with it.

    `ngram` is sorted, and `caption` within each n-gram. Return the number of postings of each n-gram, and the row, the
    largest count and the number of captions of each posting.
    """
    runs = np.flatnonzero(_changes(ngram) | _changes(caption))
    repeats = np.diff(runs, append=len(ngram))
    own, row = ngram[runs], picture[caption[runs]]
    postings = np.flatnonzero(_changes(own) | _changes(row))
    counts = np.maximum.reduceat(repeats, postings) if len(postings) else repeats
    containing = np.diff(postings, append=len(own))
    sizes = np.diff(np.flatnonzero(_changes(own[postings])), append=len(postings))
    return sizes, row[postings], smallest(counts), smallest(containing)


def _changes(numbers: np.ndarray) -> np.ndarray:
    """Return whether each number differs from the one before it; the first counts as different."""
    differs = np.ones(len(numbers), bool)
    np.not_equal(numbers[1:], numbers[:-1], out=differs[1:])
    return differs
