"""The 200 nearest of very many vectors: Retroflex, faiss and usearch side by side, `python -m bench.scale_vectors`."""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from bench.synthetic_vectors import noisy, real_vectors, vectors
from bench.timing import measure
from retrieval.vectors.cosine import VectorIndex

NEAREST = 200
QUERIES = 100
LEAST_RECALL = 0.98
EFFORTS = (32, 64, 128, 256, 512, 1024, 2048)
"""What rivals are tried with, rising, until they find enough: cells scanned, or the width of a graph's search."""
AT_ONCE = 16_384
Search = Callable[[np.ndarray], np.ndarray]


def bench_vectors(pictures: int, dimensions: int, real: np.ndarray | None = None) -> dict[str, float]:
    """Return seconds to build, MB of the codes, ms and recall of a query's 200 nearest; the same for rivals.

    The vectors are made up, or copies with noise of `real` unit vectors (n, dimensions), some of which are kept back
    as queries. Recall is the share of the true nearest, by float32 products, that were found.
    """
    if real is None:
        matrix, queries = vectors(pictures, dimensions, seed=0), vectors(QUERIES, dimensions, seed=1)
    else:
        matrix, queries = noisy(real[QUERIES:], pictures, seed=0), real[:QUERIES]
    queries = queries.astype(np.float32)
    truth = exact_nearest(matrix, queries)
    figures = _ours(matrix, queries, truth)
    for rival in (faiss_cells, faiss_graph, usearch_graph):
        began = time.perf_counter()
        efforts, megabytes = rival(matrix)
        figures |= {f"{rival.__name__}_build_s": time.perf_counter() - began, f"{rival.__name__}_mb": megabytes}
        figures |= {f"{rival.__name__}_{name}": value for name, value in _enough(efforts, queries, truth).items()}
        gc.collect()
    return figures


def exact_nearest(matrix: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Return the rows (m, NEAREST) of the vectors (n, d) of length 1 with the largest products with each query."""
    products = np.concatenate([queries @ piece.astype(np.float32).T for piece in _pieces(matrix)], axis=1)
    return np.argpartition(-products, NEAREST - 1, axis=1)[:, :NEAREST]


def _ours(matrix: np.ndarray, queries: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    began = time.perf_counter()
    built = VectorIndex.build(matrix)
    seconds = time.perf_counter() - began
    with tempfile.TemporaryDirectory() as folder:
        built.save(Path(folder), "of")
        began = time.perf_counter()
        index = VectorIndex.load(Path(folder), "of")
        loaded = time.perf_counter() - began
        size = sum(path.stat().st_size for path in Path(folder).glob("of_codes*")) / 1e6
        figures = _time(lambda query: index.top(query, NEAREST)[0], queries, truth)
        scan = measure(lambda: index.cosine(queries[0]))
    return {"build_s": seconds, "load_s": loaded, "codes_mb": size, **figures, "exact_scan_ms": 1e3 * scan.median}


def _enough(efforts: Iterator[Search], queries: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """The figures of the least effort that finds enough, of the greatest where none does."""
    found: dict[str, float] = {}
    for search in efforts:
        found = _time(search, queries, truth)
        if found["recall"] >= LEAST_RECALL:
            break
    return found


def _time(search: Search, queries: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    search(queries[0])
    taken, found = [], []
    for query, near in zip(queries, truth, strict=True):
        began = time.perf_counter()
        rows = search(query)
        taken.append(1e3 * (time.perf_counter() - began))
        found.append(np.isin(near, rows).mean())
    return {"ms": float(np.median(taken)), "p99_ms": float(np.quantile(taken, 0.99)), "recall": float(np.mean(found))}


def faiss_cells(matrix: np.ndarray) -> tuple[Iterator[Search], float]:
    """Cells and 8 bits a dimension."""
    import faiss

    cells = int(len(matrix) ** 0.5)
    index, megabytes = _faiss(matrix, f"IVF{cells},SQ8")
    return (_with_effort(index, faiss.SearchParametersIVF(nprobe=min(one, cells))) for one in EFFORTS), megabytes


def faiss_graph(matrix: np.ndarray) -> tuple[Iterator[Search], float]:
    """A graph of small worlds and 8 bits a dimension."""
    import faiss

    index, megabytes = _faiss(matrix, "HNSW32,SQ8")
    return (_with_effort(index, faiss.SearchParametersHNSW(efSearch=max(one, NEAREST))) for one in EFFORTS), megabytes


def _faiss(matrix: np.ndarray, spec: str) -> tuple[object, float]:
    import faiss

    index = faiss.index_factory(matrix.shape[1], spec, faiss.METRIC_INNER_PRODUCT)
    index.train(matrix[: 4 * AT_ONCE].astype(np.float32))
    for piece in _pieces(matrix):
        index.add(piece.astype(np.float32))
    return index, faiss.serialize_index(index).nbytes / 1e6


def _with_effort(index: object, effort: object) -> Search:
    return lambda query: index.search(query[None], NEAREST, params=effort)[1][0]  # type: ignore[attr-defined]


def usearch_graph(matrix: np.ndarray) -> tuple[Iterator[Search], float]:
    """A graph of small worlds and 8 bits a dimension."""
    from usearch.index import Index

    index = Index(ndim=matrix.shape[1], metric="cos", dtype="i8")
    for start, piece in zip(range(0, len(matrix), AT_ONCE), _pieces(matrix), strict=True):
        index.add(np.arange(start, start + len(piece)), piece.astype(np.float32))

    def efforts() -> Iterator[Search]:
        for index.expansion_search in EFFORTS:
            yield lambda query: index.search(query, NEAREST).keys

    return efforts(), index.memory_usage / 1e6


def _pieces(matrix: np.ndarray) -> Iterator[np.ndarray]:
    return (matrix[start : start + AT_ONCE] for start in range(0, len(matrix), AT_ONCE))


def main() -> None:
    """Print the figures of both kinds of vectors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=1_000_000)
    parser.add_argument(
        "--dataset", type=Path, help="real vectors of its pictures, with noise, instead of made-up ones"
    )
    parser.add_argument("--real", type=int, default=2_000, help="how many of its pictures are encoded (2000)")
    given = parser.parse_args()
    real = real_vectors(given.dataset, given.real) if given.dataset else {}
    for dimensions in (256, 576):
        print(f"{given.pictures:,} vectors, {dimensions} dimensions", flush=True)
        for name, value in bench_vectors(given.pictures, dimensions, real.get(dimensions)).items():
            print(f"  {name:28} {value:,.4g}", flush=True)


if __name__ == "__main__":
    main()
