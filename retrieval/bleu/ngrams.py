"""N-gram postings: the pictures whose captions have each n-gram, as a few flat arrays that are memory-mapped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from retrieval.arrays import IndexDamaged

ABSENT = -1


class Term(NamedTuple):
    """One distinct n-gram of a query: its order, its number in the postings, and how often the query has it."""

    order: int
    ngram: int
    repeats: int


@dataclass(frozen=True)
class NgramPostings:
    """The n-grams of all orders, numbered by order and within an order by key; order o has first[o - 1]:first[o].

    The key of a word is its id. The key of a longer n-gram combines the number, within its order, of its first words
    with the id of its last word, so keys are unique within an order and a query is looked up order by order.

    first int64 (orders + 1,); keys (u,); starts (u + 1,): n-gram i occurs in the pictures
    rows[starts[i]:starts[i + 1]] (int32, rising), to each of which belongs a mark in `marks`. The n-grams `common`
    (c,), the most frequent first, occur in many pictures: they are not listed there but have a mark for every picture
    in dense (c, pictures), 0 where they do not occur.

    The lower half of a mark is the n-gram's largest count in any one caption of the picture; the upper half is the
    number of the picture's captions that have it.
    """

    first: np.ndarray
    keys: np.ndarray
    starts: np.ndarray
    rows: np.ndarray
    marks: np.ndarray
    common: np.ndarray
    dense: np.ndarray

    def __post_init__(self) -> None:
        """Raise IndexDamaged when the arrays do not fit together."""
        if (
            len(self.rows) != len(self.marks)
            or len(self.starts) != len(self.keys) + 1
            or len(self.dense) != len(self.common)
            or self.marks.dtype != self.dense.dtype
            or (self.first[-1], self.starts[-1]) != (len(self.keys), len(self.rows))
        ):
            raise IndexDamaged("the arrays of the search index do not fit together")

    @property
    def max_order(self) -> int:
        """The length of the longest n-grams."""
        return len(self.first) - 1

    @property
    def half(self) -> int:
        """The number of bits in each half of a mark."""
        return half_bits(self.marks.dtype)

    def terms(self, words: np.ndarray, max_order: int) -> list[Term]:
        """Return the distinct n-grams of a query that any caption has; `words`: its word ids, which may be ABSENT."""
        terms: list[Term] = []
        keys = words
        for order in range(1, max_order + 1):
            ngrams = self._find(order, keys)
            counted = Counter(ngrams[ngrams != ABSENT].tolist())
            terms += [Term(order, ngram, repeats) for ngram, repeats in counted.items()]
            before, last = ngrams[:-1], words[order:]
            joined = (before - self.first[order - 1]) * self.first[1] + last
            keys = np.where((before == ABSENT) | (last == ABSENT), ABSENT, joined)
        return terms

    def find_words(self, words: np.ndarray) -> np.ndarray:
        """Return the number of each word's n-gram of order 1, int64; `words`: word ids; ABSENT stays ABSENT."""
        return self._find(1, words)

    def pictures(self, ngram: int, dead: np.ndarray | None) -> int:
        """Return how many pictures have the n-gram, without the rows `dead`, int32."""
        plane, span = self.plane(ngram), self.span(ngram)
        every = span.stop - span.start if plane is None else int(np.count_nonzero(plane))
        return every if dead is None else every - int(np.count_nonzero(self.marks_at(ngram, dead)))

    def postings(self, ngram: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows of the pictures that have the n-gram, rising, and their marks."""
        plane = self.plane(ngram)
        if plane is None:
            span = self.span(ngram)
            return self.rows[span], self.marks[span]
        rows = np.flatnonzero(plane)
        return rows, plane[rows]

    def marks_at(self, ngram: int, rows: np.ndarray) -> np.ndarray:
        """Return the marks of the n-gram for the pictures `rows`, int32 in any order; 0 where it does not occur."""
        plane = self.plane(ngram)
        if plane is not None:
            return plane[rows]
        span = self.span(ngram)
        listed, marks = self.rows[span], self.marks[span]
        places = np.minimum(np.searchsorted(listed, rows), len(listed) - 1)
        return np.where(listed[places] == rows, marks[places], 0)

    def span(self, ngram: int) -> slice:
        """Return the n-gram's slice of `rows` and `marks`, empty if it is common."""
        return slice(int(self.starts[ngram]), int(self.starts[ngram + 1]))

    def plane(self, ngram: int) -> np.ndarray | None:
        """Return the n-gram's marks for all pictures if it is common, else None."""
        return self.dense[self.planes[ngram]] if ngram in self.planes else None

    @cached_property
    def planes(self) -> dict[int, int]:
        """The index in `dense` of each common n-gram."""
        return {ngram: place for place, ngram in enumerate(self.common.tolist())}

    def _find(self, order: int, keys: np.ndarray) -> np.ndarray:
        """Return the number of the n-gram with each key, int64, ABSENT if there is none."""
        begin, end = (int(one) for one in self.first[order - 1 : order + 1])
        keys_of_order = self.keys[begin:end]
        if not len(keys_of_order):
            return np.full(len(keys), ABSENT, np.int64)
        # In the stored type: another type would convert, and so read, the whole array.
        sought = np.clip(keys, 0, np.iinfo(keys_of_order.dtype).max).astype(keys_of_order.dtype)
        places = np.minimum(np.searchsorted(keys_of_order, sought), len(keys_of_order) - 1)
        return np.where(keys_of_order[places] == keys, places + begin, ABSENT)


def half_bits(mark: np.dtype) -> int:
    """Return the number of bits in each half of a mark of this type."""
    return mark.itemsize * 4


def pack(counts: np.ndarray, containing: np.ndarray) -> np.ndarray:
    """Combine the two numbers into marks of the smallest type whose halves hold them."""
    most = max(int(counts.max(initial=0)), int(containing.max(initial=0)))
    kinds: Sequence[type[np.integer]] = (np.uint8, np.uint16, np.uint32)
    kind = next((one for one in kinds if most >> half_bits(np.dtype(one)) == 0), np.int64)
    marks = containing.astype(kind) << kind(half_bits(np.dtype(kind)))
    marks |= counts.astype(kind)
    return marks


def clipped(counts: np.ndarray, most: int) -> np.ndarray:
    """Return the smaller of each count and `most`, which may exceed the counts' type."""
    return np.minimum(counts, min(most, np.iinfo(counts.dtype).max))


def unpack(marks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the two numbers of each mark: the largest count in one caption, the number of captions."""
    half = half_bits(marks.dtype)
    return marks & marks.dtype.type((1 << half) - 1), marks >> marks.dtype.type(half)
