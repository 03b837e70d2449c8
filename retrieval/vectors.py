"""Exact cosine between a query vector and every picture's vector."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from retrieval.arrays import load_array, save_arrays

ROWS_AT_ONCE = 256  # Half precision is widened in pieces this long, which stay in the processor's cache.
DECIMALS = 6  # Half precision holds no more; rounding makes equal vectors tie whatever their place.


class VectorIndex:
    """Vectors of n pictures by row: `matrix` (n, d) float16, a row of zeros for a picture without a vector."""

    def __init__(self, matrix: np.ndarray, inverse_norms: np.ndarray) -> None:
        """Use `build` or `load`. `inverse_norms` (n,) float32: 1 / the length of each vector, 0 for zeros."""
        self.matrix = matrix
        self._inverse_norms = inverse_norms

    @classmethod
    def build(cls, matrix: np.ndarray) -> VectorIndex:
        """Index vectors that need not be normalised."""
        norms = np.concatenate([_norms(matrix[start : start + ROWS_AT_ONCE]) for start in _starts(len(matrix))])
        inverse = np.divide(1, norms, out=np.zeros_like(norms), where=norms > 0)
        return cls(matrix.astype(np.float16, copy=False), inverse)

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self.matrix)

    def cosine(self, query: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """Return the cosine, float32, of `query` (d,) to the vectors in `rows`, all by default.

        It is 0 for a picture without a vector, and for all where there are none of the query's length.
        """
        count = len(self) if rows is None else len(rows)
        norm = float(np.linalg.norm(query))
        if len(query) != self.matrix.shape[1] or norm == 0:
            return np.zeros(count, np.float32)
        unit = np.asarray(query, np.float32) / norm
        cosines = np.empty(count, np.float32)
        for start in _starts(count):
            piece: slice | np.ndarray = slice(start, min(count, start + ROWS_AT_ONCE))
            piece = piece if rows is None else rows[piece]
            products = self.matrix[piece].astype(np.float32) @ unit
            cosines[start : start + ROWS_AT_ONCE] = products * self._inverse_norms[piece]
        return np.round(cosines, DECIMALS)

    def top(self, query: np.ndarray, count: int, absent: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return rows int32 and cosines of the `count` nearest vectors, nearest first, ties by row.

        Rows where `absent` (n,) is true are left out.
        """
        cosines = self.cosine(query)
        there = np.arange(len(self)) if absent is None else np.flatnonzero(~absent)
        count = min(count, len(there))
        least = np.partition(cosines[there], -count)[-count] if count else 0.0
        near = there[cosines[there] >= least] if count else there[:0]
        order = near[np.lexsort((near, -cosines[near]))][:count]
        return order.astype(np.int32), cosines[order]

    def mean(self, rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return the weighted sum, float32 (d,), of the unit vectors in `rows`; its direction is their mean's."""
        return (weights * self._inverse_norms[rows]).astype(np.float32) @ self.matrix[rows].astype(np.float32)

    def save(self, folder: Path, name: str) -> None:
        """Write the arrays to `folder` under `name`. Raises OSError."""
        save_arrays(folder, {name: self.matrix, f"{name}_inverse_norms": self._inverse_norms})

    @classmethod
    def load(cls, folder: Path, name: str) -> VectorIndex:
        """Map the arrays of that `name` in `folder` into memory. Raises IndexDamaged or FileNotFoundError."""
        return cls(load_array(folder, name, dimensions=2), load_array(folder, f"{name}_inverse_norms"))


def _starts(count: int) -> range:
    return range(0, max(1, count), ROWS_AT_ONCE)


def _norms(matrix: np.ndarray) -> np.ndarray:
    return np.linalg.norm(matrix.astype(np.float32), axis=1)
