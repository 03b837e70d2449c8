"""The seam for vector search: what every engine offers, keyed by the ids of items and the kind of the vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import numpy as np


class Found(NamedTuple):
    """Items `ids` int64 (m,) and their `scores` float (m,), the best first, ties by id."""

    ids: np.ndarray
    scores: np.ndarray


class VectorStore(Protocol):
    """Vectors of items, of one or more kinds; may be used by several threads at once.

    All vectors of a kind were made by one model version. Scores are cosines, rounded to six decimals.
    """

    @property
    def models(self) -> Mapping[str, str]:
        """The kinds, each with the model version that made its vectors."""

    def search(self, kind: str, vector: np.ndarray, count: int, allowed: np.ndarray | None = None) -> Found:
        """Return the `count` items nearest to `vector` (d,), among `allowed` ids (rising) where these are given.

        An engine may miss a few in a hundred of the nearest; the scores are exact. An item without such a vector has
        the score 0.
        """

    def scores(self, kind: str, vector: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """Return the cosine, float32 (m,), of `vector` (d,) to each item of rising `ids` (m,), 0 for one without."""

    def get(self, kind: str, ids: np.ndarray) -> np.ndarray:
        """Return the vectors, float32 (m, d), of the items of rising `ids` (m,), zeros for one without."""

    def everything(self, kind: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the ids, rising int64 (n,), and vectors, float16 (n, d), of all items that have one."""

    def upsert(self, kind: str, model_version: str, ids: np.ndarray, vectors: np.ndarray) -> None:
        """Put `vectors` (m, d) of the items `ids` (m,), rising, in place of those that they had.

        Vectors of another model version cannot be compared with these, so all of that kind are dropped first.
        """

    def delete(self, ids: np.ndarray) -> None:
        """Forget all vectors of the items `ids` (m,)."""
