"""The interface of vector stores, keyed by item id and kind of vector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import numpy as np

from data.errors import RetroflexError

UNREACHABLE = "by captions only, vectors unreachable"
"""What an answer says that was found without vectors."""


class VectorsUnreachable(RetroflexError):
    """The database of vectors does not answer, or not yet; a later call may find it again."""


class RankedItems(NamedTuple):
    """Items `ids` int64 (m,) and their `scores` float (m,), the best first, ties by id."""

    ids: np.ndarray
    scores: np.ndarray


class Vectors(Protocol):
    """Vectors of items, of one or more kinds, to be read; several threads may use it at once.

    All vectors of a kind were made by one model version. Scores are cosines, rounded to six decimals. Those in a
    database raise VectorsUnreachable.
    """

    @property
    def models(self) -> Mapping[str, str]:
        """The kinds, each with the model version that made its vectors."""

    def search(self, kind: str, vector: np.ndarray, count: int, allowed: np.ndarray | None = None) -> RankedItems:
        """Return the `count` items nearest to `vector` (d,), among the `allowed` ids (rising) if given.

        A store may miss a few in a hundred of the nearest; the scores are exact. An item without such a vector has
        the score 0.
        """

    def scores(self, kind: str, vector: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """Return the cosine, float32 (m,), of `vector` (d,) to each item of rising `ids` (m,), 0 for one without."""

    def get(self, kind: str, ids: np.ndarray) -> np.ndarray:
        """Return the vectors, float32 (m, d), of the items of rising `ids` (m,), zeros for one without."""

    def everything(self, kind: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the ids, rising int64 (n,), and vectors, float16 (n, d), of all items that have one."""


class VectorStore(Vectors, Protocol):
    """Vectors that can be changed."""

    def upsert(self, kind: str, model_version: str, ids: np.ndarray, vectors: np.ndarray) -> None:
        """Put `vectors` (m, d) of the items `ids` (m,), rising, replacing those that they had.

        If the kind has vectors of another model version, which cannot be compared, all of them are dropped first.
        """

    def delete(self, ids: np.ndarray) -> None:
        """Delete all vectors of the items `ids` (m,)."""
