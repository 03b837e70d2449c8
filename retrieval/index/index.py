"""The search index of a store: a short list of segments, each with the rows that are no longer true."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from retrieval.index.files import Sealed
from retrieval.index.joined import JoinedPostings, JoinedVectors, Rows
from retrieval.index.segment import NO_MODEL, Segment


@dataclass(frozen=True, eq=False)
class Part:
    """A segment, its rows that are `absent` (bool (n,), None for no row), and its folder once it has one.

    A picture that was changed or removed since the segment was made is absent from it.
    """

    segment: Segment
    absent: np.ndarray | None = None
    stored: Sealed | None = None

    @property
    def rows(self) -> np.ndarray:
        """The rows that are present, rising."""
        return np.arange(len(self.segment)) if self.absent is None else np.flatnonzero(~self.absent)

    @property
    def ids(self) -> np.ndarray:
        """The ids of the pictures that are present, rising."""
        return self.segment.ids[self.rows]

    @cached_property
    def models(self) -> Counter[str]:
        """How many of the pictures that are present each model version described."""
        made = self.segment.models[self.rows]
        counts = np.bincount(made[made != NO_MODEL], minlength=len(self.segment.model_versions))
        return Counter(dict(zip(self.segment.model_versions, counts.tolist(), strict=True)))

    def __len__(self) -> int:
        """The number of pictures that are present."""
        return len(self.segment) - self._dead

    def without(self, ids: np.ndarray) -> Part:
        """The same without the pictures `ids`."""
        own = self.segment.ids
        rows = np.searchsorted(own, ids)
        rows = rows[np.take(own, rows, mode="clip") == ids] if len(own) else rows[:0]
        if not len(rows):
            return self
        absent = np.zeros(len(own), bool) if self.absent is None else self.absent.copy()
        absent[rows] = True
        return replace(self, absent=absent)

    def only(self, ids: np.ndarray) -> Part:
        """The same with no other pictures than `ids`."""
        left_out = ~np.isin(self.segment.ids, ids, assume_unique=True)
        return replace(self, absent=left_out if self.absent is None else left_out | self.absent)

    @cached_property
    def _dead(self) -> int:
        return 0 if self.absent is None else int(np.count_nonzero(self.absent))


@dataclass(frozen=True, eq=False)
class Index:
    """The pictures of all `parts`, of which there is one at least; each picture is present in one of them only.

    Rows are numbered on from part to part. `model_version` made the vectors and embeddings, None where there are none;
    `generation` is the state of the store that the index holds. Each `damage` is a line about a segment that was lost.
    """

    parts: tuple[Part, ...]
    model_version: str | None
    generation: int
    damage: tuple[str, ...] = ()

    def __len__(self) -> int:
        """The number of pictures."""
        return sum(len(part) for part in self.parts)

    def only(self, ids: np.ndarray) -> Index:
        """The index of the gallery `ids` alone, over the same segments."""
        return replace(self, parts=tuple(part.only(ids) for part in self.parts))

    @cached_property
    def postings(self) -> JoinedPostings:
        """The captions."""
        return JoinedPostings(self._rows, [one.postings for one in self._segments])

    @cached_property
    def vectors(self) -> JoinedVectors:
        """What the pictures look like."""
        return JoinedVectors(self._rows, [one.vectors for one in self._segments])

    @cached_property
    def embeddings(self) -> JoinedVectors:
        """Where the pictures lie in the space that they share with sentences."""
        return JoinedVectors(self._rows, [one.embeddings for one in self._segments])

    @cached_property
    def ids(self) -> np.ndarray:
        """The ids of all rows, int64; they rise within each part."""
        return np.concatenate([one.ids for one in self._segments])

    def ids_at(self, rows: np.ndarray) -> np.ndarray:
        """Return the ids, int64 (m,), of the pictures in rising `rows` (m,)."""
        return self._rows.gather(rows, lambda place, own: self._segments[place].ids[own])

    def by_user_at(self, rows: np.ndarray) -> np.ndarray:
        """Return whether a person captioned each of the pictures in rising `rows` (m,)."""
        return self._rows.gather(rows, lambda place, own: self._segments[place].by_user[own])

    def row_of(self, picture_id: int) -> int | None:
        """Return the row that holds the picture, None where none does."""
        return self._rows.row_of(picture_id)

    @property
    def main_model(self) -> str | None:
        """The model version that described most pictures, the first by name of several; None where none did."""
        counts: Counter[str] = sum((part.models for part in self.parts), Counter())
        return min(counts, key=lambda version: (-counts[version], version), default=None)

    @cached_property
    def _segments(self) -> list[Segment]:
        return [part.segment for part in self.parts]

    @cached_property
    def _rows(self) -> Rows:
        return Rows([one.ids for one in self._segments], [part.absent for part in self.parts])
