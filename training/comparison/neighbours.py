"""Ways to find the nearest of many vectors, behind one interface: exact, trees, graphs, cells, a vector database.

All get unit vectors and rank by cosine; where a library knows distances only, Euclidean distance gives the same order.
Their settings are the libraries' own or the usual ones, not tuned for a gallery.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np

from data.temporary import temporary_folder
from retrieval.vectors.cosine import VectorIndex

SEED = 0


class Neighbours(Protocol):
    """An index over the rows of a matrix."""

    @property
    def bytes(self) -> int:
        """What it keeps, in memory or on disk, with the vectors."""

    def search(self, query: np.ndarray, count: int) -> np.ndarray:
        """Return at most `count` rows, int64, whose vectors are nearest to `query` (d,) float32, nearest first."""

    def close(self) -> None:
        """Free what it keeps outside this process's memory."""


Build = Callable[[np.ndarray], Neighbours]
"""Makes an index over unit vectors, float32 (n, d). Raises ModuleNotFoundError where its library is missing."""


@dataclass(frozen=True)
class _InMemory:
    """An index that needs no closing."""

    find: Callable[[np.ndarray, int], np.ndarray]
    bytes: int

    def search(self, query: np.ndarray, count: int) -> np.ndarray:
        return np.asarray(self.find(query, count), np.int64)

    def close(self) -> None:
        return None


def exact(matrix: np.ndarray) -> Neighbours:
    """Compare with every vector, kept in half precision, as the product does with less than 20,000."""
    index = VectorIndex.build(matrix, approximate_from=len(matrix) + 1)
    size = index.matrix.nbytes + 4 * len(matrix)
    return _InMemory(lambda query, count: index.top(query, count)[0], size)


def kd_tree(matrix: np.ndarray) -> Neighbours:
    """Build a k-d tree (Bentley 1975), by scikit-learn; exact."""
    from sklearn.neighbors import KDTree

    return _tree(KDTree(matrix))


def ball_tree(matrix: np.ndarray) -> Neighbours:
    """Build a ball tree (Omohundro 1989), by scikit-learn; exact."""
    from sklearn.neighbors import BallTree

    return _tree(BallTree(matrix))


def _tree(tree: Any) -> Neighbours:
    most, size = tree.data.shape[0], sum(np.asarray(part).nbytes for part in tree.get_arrays())
    return _InMemory(lambda query, count: tree.query(query[None], min(count, most))[1][0], size)


TREES = 50


def annoy(matrix: np.ndarray) -> Neighbours:
    """Build a forest of random projections, by Annoy."""
    from annoy import AnnoyIndex

    index = AnnoyIndex(matrix.shape[1], "angular")
    index.set_seed(SEED)
    for row, vector in enumerate(matrix):
        index.add_item(row, vector)
    index.build(TREES, n_jobs=1)
    with temporary_folder() as folder:
        index.save(str(folder / "index"))
        size = (folder / "index").stat().st_size
    return _InMemory(lambda query, count: np.array(index.get_nns_by_vector(query, count), np.int64), size)


LINKS, BUILD_WIDTH, SEARCH_WIDTH = 32, 200, 64


def hnsw(matrix: np.ndarray) -> Neighbours:
    """Build a hierarchical graph of neighbours (Malkov and Yashunin 2018), by faiss."""
    import faiss

    index = faiss.IndexHNSWFlat(matrix.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction, index.hnsw.efSearch = BUILD_WIDTH, SEARCH_WIDTH
    index.add(matrix)
    return _by_faiss(index)


SCANNED = 8
"""Cells that are scanned for a query."""


def ivf(matrix: np.ndarray) -> Neighbours:
    """Build an inverted file of √n cells (Jégou, Douze and Schmid 2011), by faiss."""
    import faiss

    cells = max(1, int(len(matrix) ** 0.5))
    index: Any = faiss.index_factory(matrix.shape[1], f"IVF{cells},Flat", faiss.METRIC_INNER_PRODUCT)
    index.cp.seed, index.cp.min_points_per_centroid = SEED, 1  # A few vectors a cell is what is asked for.
    index.train(matrix)
    index.add(matrix)
    index.nprobe = min(SCANNED, cells)
    return _by_faiss(index)


def _by_faiss(index: Any) -> Neighbours:
    import faiss

    def find(query: np.ndarray, count: int) -> np.ndarray:
        rows = index.search(query[None], min(count, index.ntotal))[1][0]
        return np.asarray(rows[rows >= 0])

    return _InMemory(find, faiss.serialize_index(index).nbytes)


class Milvus:
    """A collection of Milvus Lite, a database in one file that is removed on closing."""

    AT_ONCE = 1000
    NAME = "vectors"
    MOST = 16_384
    """The most rows that it returns for a query."""

    def __init__(self, matrix: np.ndarray) -> None:
        from milvus_lite.server_manager import server_manager_instance as servers
        from pymilvus import MilvusClient

        with ExitStack() as stack:
            self._file = stack.enter_context(temporary_folder()) / "vectors.db"
            self._client = MilvusClient(str(self._file))
            stack.callback(servers.release_server, str(self._file))  # else it writes on until the process ends
            stack.callback(self._client.close)
            self._client.create_collection(self.NAME, dimension=matrix.shape[1], metric_type="IP")
            for start in range(0, len(matrix), self.AT_ONCE):
                rows = enumerate(matrix[start : start + self.AT_ONCE], start)
                self._client.insert(self.NAME, [{"id": row, "vector": vector.tolist()} for row, vector in rows])
            self._client.flush(self.NAME)
            self._open = stack.pop_all()

    @property
    def bytes(self) -> int:
        return sum(one.stat().st_size for one in _files_of(self._file))

    def search(self, query: np.ndarray, count: int) -> np.ndarray:
        found = self._client.search(self.NAME, data=[query.tolist()], limit=min(count, self.MOST), output_fields=["id"])
        return np.array([hit["id"] for hit in found[0]], np.int64)

    def close(self) -> None:
        self._open.close()


def _files_of(database: Path) -> list[Path]:
    return [one for one in database.parent.rglob("*") if one.is_file()]


@dataclass(frozen=True)
class SearchMethod:
    """A way to search: how its index is built, and what to install for it."""

    build: Build
    extra: str = ""


SEARCHES: Mapping[str, SearchMethod] = MappingProxyType(
    {
        "exact": SearchMethod(exact),
        "kdtree": SearchMethod(kd_tree, "neighbours"),
        "balltree": SearchMethod(ball_tree, "neighbours"),
        "annoy": SearchMethod(annoy, "annoy"),
        "hnsw": SearchMethod(hnsw),
        "ivf": SearchMethod(ivf),
        "milvus": SearchMethod(Milvus, "milvus"),
    }
)
"""By the names of `retroflex compare --search`."""
