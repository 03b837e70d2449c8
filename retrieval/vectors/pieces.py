"""The ids of all segments of an index, as if they were one: items are found by id, whichever segment holds them.

What an item scores does not depend on the others, so the answers are those of one index over all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from retrieval.vectors.base import Found

Absent = np.ndarray | None
"""Which rows of a segment do not count, bool (n,); None for no row."""


def distinct(ids: Sequence[np.ndarray]) -> np.ndarray:
    """Return the ids of all arrays, each once and rising, int64; several times as fast as `np.unique`."""
    rising = np.sort(np.concatenate([np.zeros(0, np.int64), *ids]))
    return rising[np.diff(rising, prepend=-1) > 0]


class Pieces:
    """For each segment its `ids` (int64, rising) and the rows that are `absent`. An id is present in one of them."""

    def __init__(self, ids: Sequence[np.ndarray], absent: Sequence[Absent]) -> None:
        self._ids, self._absent = list(ids), list(absent)
        self._last: tuple[np.ndarray, list[Absent]] | None = None

    def gather(self, ids: np.ndarray, read: Callable[[int, np.ndarray], np.ndarray]) -> np.ndarray:
        """Return the values, (m, ...), of rising `ids` (m,), zeros for one that no segment holds.

        `read` gives the values of a segment's rows, which rise.
        """
        found: np.ndarray | None = None
        for piece, own in enumerate(self._ids):
            rows = np.searchsorted(own, ids)
            held = np.take(own, rows, mode="clip") == ids if len(own) else np.zeros(len(ids), bool)
            absent = self._absent[piece]
            if absent is not None:
                held &= ~np.take(absent, rows, mode="clip")
            if held.all():
                return read(piece, rows)
            if held.any():
                values = read(piece, rows[held])
                if found is None:
                    found = np.zeros((len(ids), *values.shape[1:]), values.dtype)
                found[held] = values
        if found is None:
            shape = read(0, np.zeros(0, np.int64))
            return np.zeros((len(ids), *shape.shape[1:]), shape.dtype)
        return found

    def best(self, found: Sequence[tuple[np.ndarray, np.ndarray]], count: int) -> Found:
        """Return the `count` best of the (rows, scores) that each segment found, best first, ties by id."""
        ids = np.concatenate([own[rows] for own, (rows, _) in zip(self._ids, found, strict=True)])
        scores = np.concatenate([scores for _, scores in found])
        if len(found) == 1:
            return Found(ids, scores)
        order = np.lexsort((ids, -scores))[:count]
        return Found(ids[order], scores[order])

    def absent_but(self, allowed: np.ndarray | None) -> list[Absent]:
        """Return the absent rows of each segment where only the ids `allowed` (rising) count; None for all."""
        if allowed is None:
            return self._absent
        last = self._last  # Words and each kind of vector of one query ask with the same array.
        if last is not None and last[0] is allowed:
            return last[1]
        masks: list[Absent] = []
        for own, absent in zip(self._ids, self._absent, strict=True):
            left_out = ~np.isin(own, allowed, assume_unique=True)
            masks.append(left_out if absent is None else left_out | absent)
        self._last = allowed, masks
        return masks

    def without(self, ids: np.ndarray) -> Pieces:
        """The same, with `ids` absent everywhere."""
        return Pieces(
            self._ids, [mark_absent(own, absent, ids) for own, absent in zip(self._ids, self._absent, strict=True)]
        )

    def with_piece(self, ids: np.ndarray) -> Pieces:
        """The same and one more segment."""
        return Pieces([*self._ids, ids], [*self._absent, None])

    def present_rows(self) -> list[np.ndarray]:
        """Return the rows of each segment that count, rising."""
        pairs = zip(self._ids, self._absent, strict=True)
        return [np.arange(len(own)) if absent is None else np.flatnonzero(~absent) for own, absent in pairs]

    def present_ids(self) -> np.ndarray:
        """Return all ids that are present, segment after segment."""
        return np.concatenate([own[rows] for own, rows in zip(self._ids, self.present_rows(), strict=True)])

    def holds(self, item_id: int) -> bool:
        """Whether a segment holds the item."""
        return bool(self.gather(np.array([item_id]), lambda _, rows: np.ones(len(rows), bool))[0])


def mark_absent(own: np.ndarray, absent: Absent, ids: np.ndarray) -> Absent:
    """Return the absent rows of a segment whose ids are `own` once the items `ids` (rising) are absent, too."""
    rows = np.searchsorted(own, ids)
    rows = rows[np.take(own, rows, mode="clip") == ids] if len(own) else rows[:0]
    if not len(rows):
        return absent
    marked = np.zeros(len(own), bool) if absent is None else absent.copy()
    marked[rows] = True
    return marked
