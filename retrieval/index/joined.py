"""Postings and vectors of several segments, as if they were one: rows are numbered on from segment to segment.

What a picture scores does not depend on the others, so the answers are those of one index over all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from retrieval.bleu.postings import BleuPostings
from retrieval.bleu.score import BleuVariant
from retrieval.vectors.cosine import VectorIndex

Found = tuple[np.ndarray, np.ndarray]
"""Rows and scores (m,), best first."""


def distinct(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Return the rows of all arrays, each once and rising, int64; several times as fast as `np.unique`."""
    rising = np.sort(np.concatenate([np.zeros(0, np.int64), *rows]))
    return rising[np.diff(rising, prepend=-1) > 0]


class Rows:
    """The rows of all segments: `ids` gives each segment's picture ids (int64), `absent` (bool) or None its dead."""

    def __init__(self, ids: Sequence[np.ndarray], absent: Sequence[np.ndarray | None]) -> None:
        self.absent = absent
        self._ids = ids
        self._starts = np.cumsum([0, *(len(one) for one in ids)])

    def gather(self, rows: np.ndarray, read: Callable[[int, np.ndarray], np.ndarray]) -> np.ndarray:
        """Return the values, (m,), for rising `rows` (m,): `read` gives them for a segment's own rows."""
        borders = np.searchsorted(rows, self._starts)
        pieces = [
            read(place, rows[start:stop] - self._starts[place])
            for place, (start, stop) in enumerate(pairwise(borders))
            if start < stop
        ]
        return np.concatenate(pieces) if pieces else read(0, rows)

    def best(self, found: Sequence[Found], count: int) -> Found:
        """Return the `count` best rows of what each segment found, best first, ties by picture id."""
        if len(found) == 1:
            return found[0]
        ids = np.concatenate([own[rows] for own, (rows, _) in zip(self._ids, found, strict=True)])
        rows = np.concatenate([rows + start for start, (rows, _) in zip(self._starts, found, strict=False)])
        scores = np.concatenate([scores for _, scores in found])
        order = np.lexsort((ids, -scores))[:count]
        return rows[order], scores[order]

    def row_of(self, picture_id: int) -> int | None:
        """Return the row that holds the picture, None where none does."""
        for start, ids, absent in zip(self._starts, self._ids, self.absent, strict=False):
            row = int(np.searchsorted(ids, picture_id))
            if row < len(ids) and ids[row] == picture_id and (absent is None or not absent[row]):
                return int(start) + row
        return None


class JoinedPostings:
    """See `BleuPostings`."""

    def __init__(self, rows: Rows, segments: Sequence[BleuPostings]) -> None:
        self._rows, self._segments = rows, segments

    def warm_up(self) -> None:
        """Load what makes large segments quick, see `BleuPostings.warm_up`."""
        for one in self._segments:
            one.warm_up()

    def top(self, query: Sequence[str], variant: BleuVariant, count: int) -> Found:
        """Return rows and scores of the `count` best pictures that share a word, best first, ties by picture id."""
        pairs = zip(self._segments, self._rows.absent, strict=True)
        return self._rows.best([one.top(query, variant, count, absent) for one, absent in pairs], count)

    def at(self, query: Sequence[str], variant: BleuVariant, rows: np.ndarray) -> np.ndarray:
        """Return the scores, float64 (m,), of the pictures in rising `rows` (m,)."""
        return self._rows.gather(rows, lambda place, own: self._segments[place].at(query, variant, own))

    def spread(self, words: Sequence[str]) -> np.ndarray:
        """Return in how many pictures each of `words` (w,) is said, int64 (w,)."""
        pairs = zip(self._segments, self._rows.absent, strict=True)
        return np.stack([one.spread(words, absent) for one, absent in pairs]).sum(axis=0)


class JoinedVectors:
    """See `VectorIndex`."""

    def __init__(self, rows: Rows, segments: Sequence[VectorIndex]) -> None:
        self._rows, self._segments = rows, segments

    def top(self, query: np.ndarray, count: int) -> Found:
        """Return rows and cosines of the `count` nearest vectors, nearest first, ties by picture id."""
        pairs = zip(self._segments, self._rows.absent, strict=True)
        return self._rows.best([one.top(query, count, absent) for one, absent in pairs], count)

    def cosine(self, query: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return the cosine, float32 (m,), of `query` to the vectors in rising `rows` (m,)."""
        return self._rows.gather(rows, lambda place, own: self._segments[place].cosine(query, own))

    def vector(self, row: int) -> np.ndarray:
        """Return one picture's vector, float32 (d,), zeros where it has none."""
        return self.at(np.array([row]))[0]

    def at(self, rows: np.ndarray) -> np.ndarray:
        """Return the vectors, float32 (m, d), of pictures that one model described, in rising `rows` (m,)."""
        return self._rows.gather(rows, lambda place, own: self._segments[place].matrix[own].astype(np.float32))
