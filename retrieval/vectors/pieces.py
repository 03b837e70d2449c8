"""The ids of all segments of an index as if they were one: items are found by id in any segment.

An item's score does not depend on other items, so the results equal those of one index over all segments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from retrieval.arrays import present_rows
from retrieval.vectors.base import RankedItems

Absent = np.ndarray | None
"""The rows of a segment that do not count, bool (n,); None for no row."""


def distinct(ids: Sequence[np.ndarray]) -> np.ndarray:
    """Return the ids of all arrays, each once and rising, int64; several times faster than `np.unique`."""
    rising = np.sort(np.concatenate([np.zeros(0, np.int64), *ids]))
    return rising[np.diff(rising, prepend=-1) > 0]


class Pieces:
    """For each segment its `ids` (int64, rising) and the rows that are `absent`. An id is present in one of them."""

    def __init__(self, ids: Sequence[np.ndarray], absent: Sequence[Absent]) -> None:
        self._ids, self._absent = list(ids), list(absent)
        self._last: tuple[np.ndarray, list[Absent]] | None = None

    def gather(self, ids: np.ndarray, read: Callable[[int, np.ndarray], np.ndarray]) -> np.ndarray:
        """Return the values, (m, ...), of rising `ids` (m,), zeros for one that no segment holds.

        `read` returns the values of a segment's rising rows.
        """
        gathered: np.ndarray | None = None
        for piece, piece_ids in enumerate(self._ids):
            rows = np.searchsorted(piece_ids, ids)
            present = np.take(piece_ids, rows, mode="clip") == ids if len(piece_ids) else np.zeros(len(ids), bool)
            absent = self._absent[piece]
            if absent is not None:
                present &= ~np.take(absent, rows, mode="clip")
            if present.all():
                return read(piece, rows)
            if present.any():
                values = read(piece, rows[present])
                if gathered is None:
                    gathered = np.zeros((len(ids), *values.shape[1:]), values.dtype)
                gathered[present] = values
        if gathered is None:
            shape = read(0, np.zeros(0, np.int64))
            return np.zeros((len(ids), *shape.shape[1:]), shape.dtype)
        return gathered

    def best(self, ranked: Sequence[tuple[np.ndarray, np.ndarray]], count: int) -> RankedItems:
        """Return the `count` best of the (rows, scores) that each segment found, best first, ties by id."""
        ids = np.concatenate([piece_ids[rows] for piece_ids, (rows, _) in zip(self._ids, ranked, strict=True)])
        scores = np.concatenate([scores for _, scores in ranked])
        if len(ranked) == 1:
            return RankedItems(ids, scores)
        order = np.lexsort((ids, -scores))[:count]
        return RankedItems(ids[order], scores[order])

    def absent_but(self, allowed: np.ndarray | None) -> list[Absent]:
        """Return the absent rows of each segment if only the ids `allowed` (rising) count; None for all."""
        if allowed is None:
            return self._absent
        cached = self._last  # Words and each kind of vector of one query pass the same array.
        if cached is not None and cached[0] is allowed:
            return cached[1]
        masks: list[Absent] = []
        for piece_ids, absent in zip(self._ids, self._absent, strict=True):
            excluded = ~np.isin(piece_ids, allowed, assume_unique=True)
            masks.append(excluded if absent is None else excluded | absent)
        self._last = allowed, masks
        return masks

    def without(self, ids: np.ndarray) -> Pieces:
        """Return the same pieces with `ids` absent everywhere."""
        return Pieces(
            self._ids,
            [mark_absent(piece_ids, absent, ids) for piece_ids, absent in zip(self._ids, self._absent, strict=True)],
        )

    def with_piece(self, ids: np.ndarray) -> Pieces:
        """Return the same pieces and one more segment."""
        return Pieces([*self._ids, ids], [*self._absent, None])

    def ids_at(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        """Return the ids of those of each segment's rows that are present, int64, rising, each once."""
        if not any(map(len, rows)):
            return np.zeros(0, np.int64)
        found = []
        for piece_ids, absent, own in zip(self._ids, self._absent, rows, strict=True):
            found.append(piece_ids[own if absent is None else own[~absent[own]]])
        return distinct(found)

    def present_rows(self) -> list[np.ndarray]:
        """Return the rows of each segment that count, rising."""
        pairs = zip(self._ids, self._absent, strict=True)
        return [present_rows(len(piece_ids), absent) for piece_ids, absent in pairs]

    def present_ids(self) -> np.ndarray:
        """Return all ids that are present, segment after segment."""
        return np.concatenate([piece_ids[rows] for piece_ids, rows in zip(self._ids, self.present_rows(), strict=True)])

    def holds(self, item_id: int) -> bool:
        """Return whether a segment holds the item."""
        return bool(self.gather(np.array([item_id]), lambda _, rows: np.ones(len(rows), bool))[0])


def mark_absent(piece_ids: np.ndarray, absent: Absent, ids: np.ndarray) -> Absent:
    """Return the absent rows of a segment whose ids are `piece_ids` after the items `ids` (rising) become absent."""
    rows = np.searchsorted(piece_ids, ids)
    rows = rows[np.take(piece_ids, rows, mode="clip") == ids] if len(piece_ids) else rows[:0]
    if not len(rows):
        return absent
    marked = np.zeros(len(piece_ids), bool) if absent is None else absent.copy()
    marked[rows] = True
    return marked
