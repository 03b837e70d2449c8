"""Which items of the search index are frames, and of which film: what is found by a frame is the film."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from retrieval.vectors.pieces import distinct

NO_FILM = -1


@dataclass(frozen=True, eq=False)
class FrameMap:
    """The `frames` of an index, ids int64 (f,) rising, and the film of each, `films` int64 (f,).

    Without films every method returns its argument at once.
    """

    frames: np.ndarray
    films: np.ndarray

    @classmethod
    def joined(cls, pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> FrameMap:
        """Return the map of all segments, each with its frames and their films."""
        frames = np.concatenate([np.zeros(0, np.int64), *(frames for frames, _ in pairs)])
        films = np.concatenate([np.zeros(0, np.int64), *(films for _, films in pairs)])
        order = np.argsort(frames)
        return cls(frames[order], films[order])

    def __bool__(self) -> bool:
        return len(self.frames) > 0

    def pictures_of(self, ids: np.ndarray) -> np.ndarray:
        """Return for each item of `ids` (n,), in any order, the id of its film, or its own if it is no frame."""
        if not len(self.frames):
            return ids
        rows = np.searchsorted(self.frames, ids)
        near = np.minimum(rows, len(self.frames) - 1)
        return np.where(self.frames[near] == ids, self.films[near], ids)

    def pictures_among(self, ids: np.ndarray) -> np.ndarray:
        """Return the ids, rising, of the pictures and films that the items `ids`, rising, belong to."""
        return np.unique(self.pictures_of(ids)) if len(self.frames) else ids

    def are_frames(self, ids: np.ndarray) -> np.ndarray:
        """Return which of `ids` (n,) are frames, bool (n,)."""
        return np.isin(ids, self.frames) if len(self.frames) else np.zeros(len(ids), bool)

    def frames_of(self, ids: np.ndarray) -> np.ndarray:
        """Return the frames, rising, of the films among `ids`."""
        return self.frames[np.isin(self.films, ids)] if len(self.frames) else self.frames

    def with_frames(self, ids: np.ndarray) -> np.ndarray:
        """Return `ids` and the frames of the films among them, rising."""
        frames = self.frames_of(ids)
        return distinct([ids, frames]) if len(frames) else ids

    def firsts(self, ids: np.ndarray) -> np.ndarray | None:
        """Return of `ids` (n,), best first, the places of the best item of each picture or film, rising.

        None stands for all places.
        """
        if not len(self.frames):
            return None
        return np.sort(np.unique(self.pictures_of(ids), return_index=True)[1])
