"""Captions become n-gram postings: one sort for each order, then everything is runs of equal numbers.

Made for millions of captions: words are int32, and what follows the sort works in slices, so beside them three arrays
of int64 with one number for each word of the gallery are the most that is held.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from retrieval.arrays import smallest
from retrieval.bleu.caption_words import CaptionWords
from retrieval.bleu.ngrams import NgramPostings, pack

DENSE_SHARE = 16
"""An n-gram that one picture in so many has is kept as a mark for every picture; see `bench.scale_bleu`."""
SLICE = 2**23


class _Order(NamedTuple):
    """The n-grams of one order: keys (u,), sizes (u,) int64 in pictures; rows, counts and said of their postings."""

    keys: np.ndarray
    sizes: np.ndarray
    rows: np.ndarray
    counts: np.ndarray
    said: np.ndarray


def build_postings(captions: CaptionWords, max_order: int) -> NgramPostings:
    """Return the postings of orders 1 to `max_order`."""
    found = list(_orders(captions, max_order))
    first = np.cumsum([0, *(len(order.keys) for order in found)])
    keys, sizes, rows, counts, said = (np.concatenate(parts) for parts in zip(*found, strict=True))
    del found
    marks = pack(counts, said)
    del counts, said
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
    """Go from order to order: the n-grams of a text in a row, each with its last word and its caption."""
    ids, last, caption = captions.words, captions.words, captions.caption
    keys = ids.astype(np.int64)
    for order in range(1, max_order + 1):
        if order > 1:
            goes_on = caption[1:] == caption[:-1]
            keys = ids[:-1][goes_on].astype(np.int64)
            keys *= len(captions.table)
            last, caption = last[1:][goes_on], caption[:-1][goes_on]
            keys += last
        ids, found = _postings(keys, caption, captions.picture)
        yield found


def _postings(keys: np.ndarray, caption: np.ndarray, picture: np.ndarray) -> tuple[np.ndarray, _Order]:
    """Return the place of each key among the distinct ones, int32, and the postings of these."""
    order = np.argsort(keys, kind="stable")  # So the captions rise for each n-gram.
    begins = _changes(keys[order])
    ngram = np.cumsum(begins, dtype=np.int32)
    ngram -= 1
    ids = np.empty_like(ngram)
    ids[order] = ngram
    distinct = keys[order[begins]]
    parts = [_count(ngram[part], caption[order[part]], picture) for part in _slices(ngram)]
    del order, ngram
    sizes, rows, counts, said = (np.concatenate(one) for one in zip(*parts, strict=True))
    return ids, _Order(distinct, sizes, rows, counts, said)


def _slices(ngram: np.ndarray) -> Iterator[slice]:
    """Cut sorted n-grams where one ends, at the first such place behind each SLICE of them."""
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

    `ngram` is sorted, and `caption` for each n-gram. Returns how many postings each n-gram has, and row, largest count
    and number of captions of each posting.
    """
    runs = np.flatnonzero(_changes(ngram) | _changes(caption))
    repeats = np.diff(runs, append=len(ngram))
    own, row = ngram[runs], picture[caption[runs]]
    postings = np.flatnonzero(_changes(own) | _changes(row))
    counts = np.maximum.reduceat(repeats, postings) if len(postings) else repeats
    said = np.diff(postings, append=len(own))
    sizes = np.diff(np.flatnonzero(_changes(own[postings])), append=len(postings))
    return sizes, row[postings], smallest(counts), smallest(said)


def _changes(numbers: np.ndarray) -> np.ndarray:
    """Say for each number whether it differs from the one before it; the first does."""
    differs = np.ones(len(numbers), bool)
    np.not_equal(numbers[1:], numbers[:-1], out=differs[1:])
    return differs
