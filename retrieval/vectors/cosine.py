"""The cosine between a query vector and the pictures' vectors; the nearest of very many are found by their codes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from retrieval.arrays import load_array, present_rows, release, save_arrays, widened
from retrieval.vectors.approximate import Codes

APPROXIMATE_FROM = 20_000
"""From this many vectors on, codes are used. Scanning 20,000 takes 3 to 6 ms, codes 1 ms, importing faiss 0.2 s."""
FEW, RARE = 4, 25
"""FEW times what codes would find, or one in RARE of the vectors, are compared as fast as all codes are scanned."""
MAPPED = 2**28
"""Larger matrices, in bytes, of which only scattered rows are read, do not stay mapped."""
ROWS_AT_ONCE = 256  # Half precision is widened in pieces this long, which stay in the processor's cache.
DECIMALS = 6  # Half precision holds no more; rounding makes equal vectors tie in any row.

SCANS_KEPT = 2
"""Queries whose cosines to all vectors are kept: a search asks for them twice, and words with a number are two."""

Near = tuple[np.ndarray, np.ndarray]
"""Rows int32 and cosines float32, nearest first, ties by row."""


class VectorIndex:
    """Vectors of n pictures by row: `matrix` (n, d) float16, a row of zeros for a picture without a vector."""

    def __init__(self, matrix: np.ndarray, inverse_norms: np.ndarray, codes: Codes | None = None) -> None:
        """Use `build` or `load`. `inverse_norms` (n,) float32: 1 / the length of each vector, 0 for zeros."""
        self.matrix = matrix
        self._inverse_norms = inverse_norms
        self._codes = codes
        self._scans: tuple[tuple[bytes, np.ndarray], ...] = ()

    @classmethod
    def build(
        cls, matrix: np.ndarray, approximate_from: int = APPROXIMATE_FROM, before: Iterable[VectorIndex] = ()
    ) -> VectorIndex:
        """Index vectors that need not be normalised; from `approximate_from` vectors on, also by codes.

        The codes of an index `before` of the very same vectors are taken over, since to make them takes long.
        """
        norms = np.concatenate([_norms(matrix[start : start + ROWS_AT_ONCE]) for start in _starts(len(matrix))])
        inverse = np.divide(1, norms, out=np.zeros_like(norms), where=norms > 0)
        matrix = matrix.astype(np.float16, copy=False)
        if np.count_nonzero(inverse) < approximate_from:
            return cls(matrix, inverse)
        known = (one._codes for one in before if one._codes is not None and np.array_equal(one.matrix, matrix))
        return cls(matrix, inverse, next(known, None) or Codes.build(matrix, inverse))

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self.matrix)

    def cosine(self, query: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """Return the cosine, float32, of `query` (d,) to the vectors in `rows`, all by default.

        It is 0 for a picture without a vector, and for all if vectors have another length.
        """
        count = len(self) if rows is None else len(rows)
        unit = self._unit(query)
        if unit is None:
            return np.zeros(count, np.float32)
        known = self._scanned(unit)
        if known is None and rows is None and self._codes is None:
            self.scan([query])
            known = self._scanned(unit)
        if known is not None:
            return known.copy() if rows is None else known[rows]
        return self._compared([unit], rows, count)[0]

    def scan(self, queries: Sequence[np.ndarray]) -> None:
        """Compare at most SCANS_KEPT queries with all vectors, in the time of little more than one, for `cosine`.

        What codes find is not scanned.
        """
        units = [unit for query in queries if (unit := self._unit(query)) is not None and self._codes is None]
        if units:
            cosines = self._compared(units, None, len(self))
            made = tuple((unit.tobytes(), found) for unit, found in zip(units, cosines, strict=True))
            self._scans = (*made, *self._scans)[:SCANS_KEPT]

    def _scanned(self, unit: np.ndarray) -> np.ndarray | None:
        key = unit.tobytes()
        return next((cosines for scanned, cosines in self._scans if scanned == key), None)

    def _compared(self, units: Sequence[np.ndarray], rows: np.ndarray | None, count: int) -> np.ndarray:
        """Return the cosines (queries, count) of queries of length 1 to `count` vectors, those in `rows` or all."""
        cosines = np.empty((len(units), count), np.float32)
        for start in _starts(count):
            piece: slice | np.ndarray = slice(start, min(count, start + ROWS_AT_ONCE))
            piece = piece if rows is None else rows[piece]
            wide = widened(self.matrix[piece])
            for unit, own in zip(units, cosines, strict=True):
                own[start : start + ROWS_AT_ONCE] = (wide @ unit) * self._inverse_norms[piece]
        self._release()
        return np.round(cosines, DECIMALS)

    def top(self, query: np.ndarray, count: int, absent: np.ndarray | None = None) -> Near:
        """Return rows int32 and cosines of the `count` nearest vectors, nearest first, ties by row.

        Rows where `absent` (n,) bool is true are left out. With codes, a few in a hundred of the nearest may be
        missing; the cosines are exact in any case.
        """
        likely = self._likely(query, count, absent)
        if likely is not None:
            near = _best(likely, self.cosine(query, likely), count)
            # Codes have only pictures with a vector. Others have cosine 0 and come before negative cosines.
            if len(near[0]) == count and near[1][-1] > 0:
                return near
        rows = present_rows(len(self), absent)
        scattered = self._codes is not None and absent is not None
        return _best(rows, self.cosine(query, rows) if scattered else self.cosine(query)[rows], count)

    def _likely(self, query: np.ndarray, count: int, absent: np.ndarray | None) -> np.ndarray | None:
        """Return rows that contain the nearest, by their codes; None if all rows must be compared."""
        unit = self._unit(query)
        if self._codes is None or unit is None or not count:
            return None
        needed = self._codes.needed(count)
        if needed >= len(self) // 2:
            return None
        return self._codes.nearest(unit, needed) if absent is None else self._left(unit, count, absent)

    def _left(self, unit: np.ndarray, count: int, absent: np.ndarray) -> np.ndarray | None:
        """Return rows that contain the nearest of those that are left; None if all of these must be compared.

        The nearest of all are enough where few of them are absent. Codes tell the nearest of the others only if these
        are not much farther, which is so if about as many are absent near the query as anywhere, or few anywhere.
        """
        assert self._codes is not None
        needed, size = self._codes.needed(count), len(self)
        left = size - int(np.count_nonzero(absent))
        if left <= max(FEW * needed, size // RARE):
            return None
        rows = self._codes.nearest(unit, 2 * needed)
        gone = int(np.count_nonzero(absent[rows]))
        if self._codes.needed(count + gone) <= len(rows):
            rows = rows[: self._codes.needed(count + gone)]
            return rows[~absent[rows]]
        if 1 - gone / len(rows) >= 2 / 3 * left / size:
            return self._codes.nearest(unit, needed, absent)
        return self._codes.nearest(unit, FEW * needed, absent, all_cells=True) if size - left <= size // RARE else None

    def _release(self) -> None:
        """Release a large matrix: Linux maps up to 2 MiB around each row that is read, soon the whole matrix."""
        if self._codes is not None and self.matrix.nbytes > MAPPED:
            release(self.matrix)

    def save(self, folder: Path, name: str) -> None:
        """Write the arrays to `folder` under `name`. Raises OSError."""
        save_arrays(folder, {name: self.matrix, f"{name}_inverse_norms": self._inverse_norms})
        if self._codes is not None:
            self._codes.save(folder, f"{name}_codes")

    @classmethod
    def load(cls, folder: Path, name: str) -> VectorIndex:
        """Map the arrays of that `name` in `folder` into memory. Raises IndexDamaged or FileNotFoundError."""
        matrix, inverse_norms = load_array(folder, name, dimensions=2), load_array(folder, f"{name}_inverse_norms")
        return cls(matrix, inverse_norms, Codes.load(folder, f"{name}_codes", matrix.shape))

    def _unit(self, query: np.ndarray) -> np.ndarray | None:
        """Return the query at length 1, None if no vector can be compared with it."""
        norm = float(np.linalg.norm(query))
        if len(query) != self.matrix.shape[1] or norm == 0:
            return None
        return np.asarray(query, np.float32) / norm


def _best(rows: np.ndarray, cosines: np.ndarray, count: int) -> Near:
    """Return the `count` best of `rows` (n,) by their cosines (n,), without sorting all."""
    count = min(count, len(rows))
    if count and count < len(rows):
        near = np.flatnonzero(cosines >= np.partition(cosines, -count)[-count])
        rows, cosines = rows[near], cosines[near]
    order = np.lexsort((rows, -cosines))[:count]
    return rows[order].astype(np.int32), cosines[order]


def _starts(count: int) -> range:
    return range(0, max(1, count), ROWS_AT_ONCE)


def _norms(matrix: np.ndarray) -> np.ndarray:
    return np.linalg.norm(matrix.astype(np.float32), axis=1)
