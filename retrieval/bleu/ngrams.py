"""N-gram postings: which pictures each n-gram stands in, as a few flat arrays that are read where they lie on disk."""

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

    The key of a word is its id; that of a longer n-gram joins the place, within its order, of its first words with the
    id of its last word, so two n-grams of an order never share a key and a query walks from order to order by key.

    first int64 (orders + 1,); keys (u,); starts (u + 1,): n-gram i stands in the pictures
    rows[starts[i]:starts[i + 1]] (int32, rising), to each of which belongs a mark in `marks`. The n-grams `common`
    (c,), the most frequent first, stand in so many pictures that they are not listed there but have a mark for every
    picture in dense (c, pictures), 0 where they are not.

    A mark holds in its lower half how often the n-gram stands in the one caption that has most of it, and in its upper
    half in how many of the picture's captions it stands.
    """

    first: np.ndarray
    keys: np.ndarray
    starts: np.ndarray
    rows: np.ndarray
    marks: np.ndarray
    common: np.ndarray
    dense: np.ndarray

    def __post_init__(self) -> None:
        """Raises IndexDamaged where the arrays do not fit together."""
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
        """The longest n-gram that is held."""
        return len(self.first) - 1

    @property
    def half(self) -> int:
        """The number of bits in each half of a mark."""
        return half_bits(self.marks.dtype)

    def terms(self, words: np.ndarray, max_order: int) -> list[Term]:
        """Return the distinct n-grams of a query that stand in any caption; `words`: its word ids, ABSENT allowed."""
        found: list[Term] = []
        keys = words
        for order in range(1, max_order + 1):
            ngrams = self._find(order, keys)
            known = Counter(ngrams[ngrams != ABSENT].tolist())
            found += [Term(order, ngram, repeats) for ngram, repeats in known.items()]
            before, last = ngrams[:-1], words[order:]
            joined = (before - self.first[order - 1]) * self.first[1] + last
            keys = np.where((before == ABSENT) | (last == ABSENT), ABSENT, joined)
        return found

    def find_words(self, words: np.ndarray) -> np.ndarray:
        """Return the number of each word's n-gram of order 1, int64; `words`: word ids, ABSENT stays ABSENT."""
        return self._find(1, words)

    def pictures(self, ngram: int, dead: np.ndarray | None) -> int:
        """Return how many pictures have the n-gram; the rows `dead`, int32, do not count."""
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
        """Return the marks of the n-gram for the pictures `rows`, int32 in any order; 0 where it does not stand."""
        plane = self.plane(ngram)
        if plane is not None:
            return plane[rows]
        span = self.span(ngram)
        listed, marks = self.rows[span], self.marks[span]
        places = np.minimum(np.searchsorted(listed, rows), len(listed) - 1)
        return np.where(listed[places] == rows, marks[places], 0)

    def span(self, ngram: int) -> slice:
        """Where the n-gram's postings lie in `rows` and `marks`; nowhere where it is common."""
        return slice(int(self.starts[ngram]), int(self.starts[ngram + 1]))

    def plane(self, ngram: int) -> np.ndarray | None:
        """The n-gram's marks for all pictures where it is common."""
        return self.dense[self.planes[ngram]] if ngram in self.planes else None

    @cached_property
    def planes(self) -> dict[int, int]:
        """Where in `dense` each common n-gram is."""
        return {ngram: place for place, ngram in enumerate(self.common.tolist())}

    def _find(self, order: int, keys: np.ndarray) -> np.ndarray:
        """Return the number of the n-gram with each key, int64, ABSENT where there is none."""
        begin, end = (int(one) for one in self.first[order - 1 : order + 1])
        held = self.keys[begin:end]
        if not len(held):
            return np.full(len(keys), ABSENT, np.int64)
        # In the type that is held: anything else would convert, that is read, all of them.
        sought = np.clip(keys, 0, np.iinfo(held.dtype).max).astype(held.dtype)
        places = np.minimum(np.searchsorted(held, sought), len(held) - 1)
        return np.where(held[places] == keys, places + begin, ABSENT)


def half_bits(mark: np.dtype) -> int:
    """The number of bits in each half of a mark of this type."""
    return mark.itemsize * 4


def pack(counts: np.ndarray, said: np.ndarray) -> np.ndarray:
    """Return marks of the two numbers in the smallest type whose halves hold them."""
    most = max(int(counts.max(initial=0)), int(said.max(initial=0)))
    kinds: Sequence[type[np.integer]] = (np.uint8, np.uint16, np.uint32)
    kind = next((one for one in kinds if most >> half_bits(np.dtype(one)) == 0), np.int64)
    marks = said.astype(kind) << kind(half_bits(np.dtype(kind)))
    marks |= counts.astype(kind)
    return marks


def clipped(counts: np.ndarray, most: int) -> np.ndarray:
    """Return the smaller of each count and `most`, which may be beyond what the counts' type holds."""
    return np.minimum(counts, min(most, np.iinfo(counts.dtype).max))


def unpack(marks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the two numbers that each mark holds: most often in one caption, in how many captions."""
    half = half_bits(marks.dtype)
    return marks & marks.dtype.type((1 << half) - 1), marks >> marks.dtype.type(half)
