"""Approximate nearest neighbours among many vectors: 4-bit codes in cells, many of which are scanned for a query.

Vectors fall into cells, each part of a vector becomes a code (Jégou, Douze and Schmid 2011), and a query's tables of
products stay in the processor's registers (André, Kermarrec and Le Scouarnec 2015): faiss's IVF and fast scan.
Enough cells are scanned that a sentence, which is far from all pictures, finds its nearest too.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from retrieval.arrays import IndexDamaged, load_array, release, save_arrays, widened

if TYPE_CHECKING:
    import faiss

PARTS = 288
"""The most parts of a vector, of 4 bits each."""
SCANNED = 50_000
"""Codes that are scanned for a query, or a quarter of all if that is more."""
SPARE = 500
"""Further candidates that are compared by exact vectors, since codes give only an approximate order."""
SAMPLE = 65_536
ROWS_AT_ONCE = 16_384


class Codes:
    """Codes of n vectors, by row."""

    def __init__(self, index: faiss.Index, content: np.ndarray | None = None) -> None:
        """Use `build` or `load`. `content` is the file that the index was read from."""
        self._index = index
        self._content = content  # Kept, as parts of the index refer to it.

    @classmethod
    def build(cls, matrix: np.ndarray, inverse_norms: np.ndarray) -> Codes:
        """Code the vectors `matrix` (n, d) float16 at length 1; `inverse_norms` (n,) is 0 for a missing vector."""
        present = np.flatnonzero(inverse_norms)
        sample = np.random.default_rng(0).choice(present, min(len(present), SAMPLE), replace=False)
        index = _empty(len(present), matrix.shape[1])
        index.train(_units(matrix, inverse_norms, np.sort(sample)))
        for start in range(0, len(matrix), ROWS_AT_ONCE):
            index.add(_units(matrix, inverse_norms, slice(start, start + ROWS_AT_ONCE)))
        return cls(index)

    @staticmethod
    def needed(count: int) -> int:
        """Return how many of the nearest by codes contain the `count` nearest, except one in a hundred at most."""
        return count + count // 4 + SPARE

    def nearest(
        self, query: np.ndarray, count: int, absent: np.ndarray | None = None, all_cells: bool = False
    ) -> np.ndarray:
        """Return at most `count` rows, int64, whose codes are nearest to `query` (d,) float32, nearest first.

        Rows where `absent` (n,) bool is true are left out; then `all_cells` may be scanned for the others.
        """
        parameters = None if absent is None else self._all_but(absent, all_cells)
        rows = np.asarray(self._index.search(_pad(query[None]), count, params=parameters)[1][0])
        return rows[rows >= 0]

    def _all_but(self, absent: np.ndarray, all_cells: bool) -> Any:
        """Return faiss's parameters: the fewer rows are left, the more cells hold as many codes of them."""
        import faiss

        present, index = ~absent, cast("faiss.IndexIVF", self._index)
        share = max(1, int(np.count_nonzero(present))) / len(present)
        cells = index.nlist if all_cells else min(index.nlist, round(index.nprobe / share))
        selector = faiss.IDSelectorBitmap(np.packbits(present, bitorder="little"))  # type: ignore[call-arg, arg-type]
        return faiss.SearchParametersIVF(sel=selector, nprobe=cells)  # type: ignore[call-arg]

    def save(self, folder: Path, name: str) -> None:
        """Write to `folder` under `name`. Raises OSError."""
        import faiss

        content = faiss.serialize_index(self._index)
        save_arrays(folder, {name: content, f"{name}_checksum": np.array([zlib.crc32(content.data)], np.uint32)})

    @classmethod
    def load(cls, folder: Path, name: str, shape: tuple[int, int]) -> Codes | None:
        """Read the codes of a matrix of that shape, None where it has none. Raises IndexDamaged."""
        try:
            content, checksum = load_array(folder, name), load_array(folder, f"{name}_checksum")
        except FileNotFoundError:
            return None
        import faiss

        # faiss does not check what it reads, so every byte is checked first.
        if content.dtype != np.uint8 or [zlib.crc32(content.data)] != checksum.tolist():
            raise IndexDamaged(f"the search index file {name}.npy is damaged")
        try:
            reader = faiss.ZeroCopyIOReader(faiss.swig_ptr(content), content.nbytes)  # type: ignore[attr-defined]
            index = faiss.read_index(reader)
        except RuntimeError as error:
            raise IndexDamaged(f"the search index file {name}.npy is not for this version of faiss") from error
        if (index.ntotal, index.d) != (shape[0], _padded(shape[1])):
            raise IndexDamaged(f"the search index file {name}.npy does not belong to these vectors")
        release(content)
        return cls(index, content)


def _empty(vectors: int, dimensions: int) -> faiss.IndexIVFPQFastScan:
    import faiss

    cells, padded = int(vectors**0.5), _padded(dimensions)
    parts = padded // _width(dimensions)
    middles = faiss.IndexFlatIP(padded)
    index = faiss.IndexIVFPQFastScan(middles, padded, cells, parts, 4, faiss.METRIC_INNER_PRODUCT)
    middles.this.disown()  # type: ignore[attr-defined]
    index.own_fields = True
    index.nprobe = min(cells, round(cells * max(SCANNED / vectors, 0.25)))
    return index


def _width(dimensions: int) -> int:
    return -(-dimensions // PARTS)


def _padded(dimensions: int) -> int:
    """Return the dimensions padded with zeros so that all parts are equally wide."""
    width = _width(dimensions)
    return -(-dimensions // width) * width


def _units(matrix: np.ndarray, inverse_norms: np.ndarray, rows: np.ndarray | slice) -> np.ndarray:
    return _pad(widened(matrix[rows]) * inverse_norms[rows, None])


def _pad(vectors: np.ndarray) -> np.ndarray:
    return np.pad(vectors, ((0, 0), (0, _padded(vectors.shape[1]) - vectors.shape[1])))
