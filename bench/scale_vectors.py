"""Measure the 200 nearest of a million vectors: Retroflex, faiss and usearch side by side, `python -m
bench.scale_vectors`.

Synthetic vectors have the distribution of real ones: a mixture of Gaussians in two levels, themes, subjects around
them, pictures around those. Its parameters fit the 7,091 pictures of Flickr8k as the shipped captioner encodes them:
the spectrum (the variance along the main directions in multiples of its mean) and the cosine to the n-th neighbour
among 4,000 of the pictures (5 % quantile, median, 95 % quantile):

    vectors, 256 dimensions       1st             10th            50th            200th neighbour
    real                          0.34 0.45 0.62  0.26 0.35 0.46  0.20 0.26 0.35  0.14 0.18 0.25
    synthetic                     0.33 0.46 0.61  0.25 0.32 0.42  0.19 0.23 0.30  0.14 0.17 0.22

    embeddings, 576 dimensions
    real                          0.72 0.81 0.90  0.64 0.73 0.82  0.56 0.64 0.73  0.46 0.52 0.59
    synthetic                     0.72 0.82 0.90  0.63 0.73 0.82  0.55 0.63 0.73  0.45 0.51 0.60
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.timing import measure
from captioner.arithmetic import unit
from captioner.captioner import Captioner
from captioner.types import JOINT
from data.dataset import read_dataset
from data.decoding.pool import read_square
from retrieval.vectors.cosine import VectorIndex

AT_ONCE = 16_384
BATCH = 32


@dataclass(frozen=True)
class Space:
    """The distribution of one kind of vectors.

    `spectrum` has the variance along some main directions (from 1), interpolated between in logarithms; `mean` is the
    length of the vectors' mean. Themes and subjects have their shares of the variance; the logarithm of a subject's
    size has the standard deviation `unevenness`. The copies of `noisy` have the cosine `closeness` to their originals.
    The main directions are the axes, unless the space is `turned`, as that of embeddings is.
    """

    spectrum: Mapping[int, float]
    mean: float
    themes: int
    theme_share: float
    subjects: int
    subject_share: float
    unevenness: float
    closeness: float
    turned: bool


SPACES = {
    256: Space(
        {1: 14.23, 2: 8.22, 4: 5.66, 8: 4.08, 16: 2.58, 32: 1.61, 64: 1.02, 128: 0.646, 192: 0.441, 256: 0.25},
        mean=0.012,
        themes=50,
        theme_share=0.15,
        subjects=500,
        subject_share=0.2,
        unevenness=0.2,
        closeness=0.78,
        turned=False,
    ),
    576: Space(
        {1: 74.7, 2: 54.3, 4: 38.6, 8: 25.6, 16: 9.74, 32: 1.27, 64: 0.403, 128: 0.178, 256: 0.069, 512: 0.0143},
        mean=0.414,
        themes=30,
        theme_share=0.4,
        subjects=300,
        subject_share=0.2,
        unevenness=0.15,
        closeness=0.955,
        turned=True,
    ),
}
"""By dimensions: picture vectors, and embeddings in the space of sentences."""


def vectors(count: int, dimensions: int, seed: int) -> np.ndarray:
    """Return unit vectors, float16 (count, dimensions). Raise KeyError for other dimensions than those of SPACES."""
    space, random = SPACES[dimensions], np.random.default_rng(seed)
    deviations, turn = _deviations(space, dimensions), _turn(space, dimensions)
    mean = np.zeros(dimensions, np.float32)
    mean[dimensions // 2 :] = space.mean / np.sqrt(dimensions - dimensions // 2)  # Where the variance is small.
    centres, sizes = _subjects(space, dimensions)
    made = np.empty((count, dimensions), np.float16)
    for start in range(0, count, AT_ONCE):
        chosen = random.integers(0, space.subjects, min(AT_ONCE, count - start))
        own = sizes[chosen] * random.standard_normal((len(chosen), dimensions), dtype=np.float32)
        made[start : start + AT_ONCE] = unit((mean + deviations * (centres[chosen] + own)) @ turn)
    return made


def noisy(real: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return `count` copies, float16 (count, d), of unit vectors `real` (n, d), with noise along their main directions.

    The noise makes copies of one picture as near to each other as neighbours among a million pictures.
    """
    random, closeness = np.random.default_rng(seed), SPACES[real.shape[1]].closeness
    variances, directions = np.linalg.eigh(np.cov(real.T))
    variances = np.maximum(variances, 0) * (1 / closeness**2 - 1) / variances.sum()
    spread = (directions * np.sqrt(variances)).T.astype(np.float32)
    made = np.empty((count, real.shape[1]), np.float16)
    for start in range(0, count, AT_ONCE):
        chosen = random.integers(0, len(real), min(AT_ONCE, count - start))
        noise = random.standard_normal((len(chosen), real.shape[1]), dtype=np.float32) @ spread
        made[start : start + AT_ONCE] = unit(real[chosen] + noise)
    return made


def real_vectors(dataset: Path, most: int) -> dict[int, np.ndarray]:
    """Return both kinds of vectors, float32 (n, d) by d, of at most `most` pictures of a data set.

    Raise RetroflexError.
    """
    captioner = Captioner.load()
    pictures = read_dataset(dataset, None).pictures[:most]
    described = [
        one
        for start in range(0, len(pictures), BATCH)
        for one in captioner.describe(
            np.stack([read_square(picture.path, captioner.input_side) for picture in pictures[start : start + BATCH]])
        )
    ]
    both = (np.stack([one.vectors[kind] for one in described]) for kind in ("vgg16", JOINT))
    return {one.shape[1]: one.astype(np.float32) for one in both}


def _deviations(space: Space, dimensions: int) -> np.ndarray:
    """Return standard deviations, float32 (dimensions,), along the main directions of vectors of about unit length."""
    places, values = np.log(list(space.spectrum)), np.log(list(space.spectrum.values()))
    variances = np.exp(np.interp(np.log(np.arange(1, dimensions + 1)), places, values))
    return np.sqrt(variances / variances.sum() * (1 - space.mean**2)).astype(np.float32)


def _turn(space: Space, dimensions: int) -> np.ndarray:
    """Return a rotation, float32 (dimensions, dimensions), the same for all seeds."""
    square = np.random.default_rng(0).standard_normal((dimensions, dimensions))
    return (np.linalg.qr(square)[0] if space.turned else np.eye(dimensions)).astype(np.float32)


def _subjects(space: Space, dimensions: int) -> tuple[np.ndarray, np.ndarray]:
    """Return centres (subjects, dimensions) and sizes (subjects, 1), float32, the same for all seeds."""
    random = np.random.default_rng(0)
    themes = random.standard_normal((space.themes, dimensions))[random.integers(0, space.themes, space.subjects)]
    own = random.standard_normal((space.subjects, dimensions))
    centres = np.sqrt(space.theme_share) * themes + np.sqrt(space.subject_share) * own
    sizes = np.exp(space.unevenness * random.standard_normal((space.subjects, 1)))
    sizes *= np.sqrt((1 - space.theme_share - space.subject_share) / np.mean(sizes**2))
    return centres.astype(np.float32), sizes.astype(np.float32)


NEAREST = 200
QUERIES = 100
LEAST_RECALL = 0.98
EFFORTS = (32, 64, 128, 256, 512, 1024, 2048)
"""Search efforts of other libraries, tried until recall suffices: cells scanned, or search width in a graph."""
Search = Callable[[np.ndarray], np.ndarray]


def bench_vectors(pictures: int, dimensions: int, real: np.ndarray | None = None) -> dict[str, float]:
    """Return seconds to build, MB of the codes, ms and recall of a query's 200 nearest, for Retroflex and others.

    The vectors are synthetic, or copies with noise of `real` unit vectors (n, dimensions), some of which are held out
    as queries. Recall is the share of the true nearest, by float32 products, among the results.
    """
    if real is None:
        matrix, queries = vectors(pictures, dimensions, seed=0), vectors(QUERIES, dimensions, seed=1)
    else:
        matrix, queries = noisy(real[QUERIES:], pictures, seed=0), real[:QUERIES]
    queries = queries.astype(np.float32)
    truth = exact_nearest(matrix, queries)
    figures = _ours(matrix, queries, truth)
    for build in (faiss_cells, faiss_graph, usearch_graph):
        began = time.perf_counter()
        efforts, megabytes = build(matrix)
        figures |= {f"{build.__name__}_build_s": time.perf_counter() - began, f"{build.__name__}_mb": megabytes}
        figures |= {f"{build.__name__}_{name}": value for name, value in _least_effort(efforts, queries, truth).items()}
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


def _least_effort(efforts: Iterator[Search], queries: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Return the figures of the least effort with enough recall, of the greatest if none has."""
    figures: dict[str, float] = {}
    for search in efforts:
        figures = _time(search, queries, truth)
        if figures["recall"] >= LEAST_RECALL:
            break
    return figures


def _time(search: Search, queries: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    search(queries[0])
    taken, recalls = [], []
    for query, near in zip(queries, truth, strict=True):
        began = time.perf_counter()
        rows = search(query)
        taken.append(1e3 * (time.perf_counter() - began))
        recalls.append(np.isin(near, rows).mean())
    return {"ms": float(np.median(taken)), "p99_ms": float(np.quantile(taken, 0.99)), "recall": float(np.mean(recalls))}


def faiss_cells(matrix: np.ndarray) -> tuple[Iterator[Search], float]:
    """An inverted file with 8 bits per dimension."""
    import faiss

    cells = int(len(matrix) ** 0.5)
    index, megabytes = _faiss(matrix, f"IVF{cells},SQ8")
    return (_with_effort(index, faiss.SearchParametersIVF(nprobe=min(one, cells))) for one in EFFORTS), megabytes


def faiss_graph(matrix: np.ndarray) -> tuple[Iterator[Search], float]:
    """An HNSW graph with 8 bits per dimension."""
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
    """An HNSW graph with 8 bits per dimension."""
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
    """Print the figures for both kinds of vectors."""
    parser = argparse.ArgumentParser(description="Search a million vectors with Retroflex, faiss and usearch.")
    parser.add_argument("--pictures", type=int, default=1_000_000)
    parser.add_argument(
        "--dataset", type=Path, help="use vectors of its pictures, with noise, instead of synthetic ones"
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
