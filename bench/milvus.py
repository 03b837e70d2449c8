"""Compare vectors in Milvus with those in the search index, in one run: `python -m bench.milvus --vectors 1000000`.

Synthetic vectors of 256 numbers, see `bench.scale_vectors`, are given to both. Then both find the 1,000 nearest to the
same queries, as a search does: among all, and among one and ten of a hundred that pass a filter. Recall is the share of
the exact nearest. Without `--to`, a server is started in a network of its own; its memory is that of its processes.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from itertools import pairwise
from pathlib import Path

import click
import numpy as np

from bench.milvus_server import running_server
from bench.scale_vectors import vectors
from retrieval.index.upkeep import LARGEST
from retrieval.search.retrievers import NEAREST
from retrieval.vectors import milvus_client
from retrieval.vectors.base import RankedItems, VectorStore
from retrieval.vectors.cosine import VectorIndex
from retrieval.vectors.local import Column, LocalVectorStore
from retrieval.vectors.milvus import MilvusVectorStore
from retrieval.vectors.milvus_client import MilvusConnection, read_address
from retrieval.vectors.pieces import Pieces

DIMENSIONS = 256
PAGE = 30
SHARES = {"all": None, "1 in 100": 100, "1 in 10": 10}
BATCH = 16_384
KIND, VERSION = "vgg16", "bench-1"

Figures = dict[str, object]


@click.command()
@click.option("--vectors", "count", default=100_000, show_default=True)
@click.option("--queries", default=200, show_default=True)
@click.option("--to", "address", help="Address of Milvus, or a file of Milvus Lite; by default a server is started.")
def main(count: int, queries: int, address: str | None) -> None:
    """Print seconds, milliseconds, recall and bytes of both as JSON."""
    matrix, asked = vectors(count, DIMENSIONS, 0), vectors(queries, DIMENSIONS, 1).astype(np.float32)
    ids = np.arange(1, count + 1)
    choose = np.random.default_rng(0)
    allowed = {
        name: None if share is None else np.sort(choose.choice(ids, count // share, replace=False))
        for name, share in SHARES.items()
    }
    truth = {name: exact(matrix, asked, only) for name, only in allowed.items()}
    figures: Figures = {"vectors": count, "queries": queries}
    with tempfile.TemporaryDirectory() as folder:
        figures["search index"] = embedded(Path(folder) / "index", matrix, asked, allowed, truth)
        with server(address, Path(folder) / "milvus") as (at, data):
            click.echo(json.dumps(figures), err=True)  # an hour's work, at a million
            figures["Milvus"] = in_milvus(at, data, matrix, asked, allowed, truth)
    click.echo(json.dumps(figures, indent=2))


@contextmanager
def server(address: str | None, folder: Path) -> Iterator[tuple[str, Path | None]]:
    """Yield the address of Milvus, and its data where this program can see them."""
    with nullcontext(address) if address else running_server(folder) as at:
        yield at, None if address and "://" in address else Path(address or folder)


def exact(matrix: np.ndarray, asked: np.ndarray, allowed: np.ndarray | None) -> np.ndarray:
    """Return the ids (q, NEAREST) of the nearest of unit vectors (n, d) to each query, best first."""
    rows = np.arange(len(matrix)) if allowed is None else allowed - 1
    scores, best = np.zeros((len(asked), 0), np.float32), np.zeros((len(asked), 0), np.int64)
    for start in range(0, len(rows), BATCH):
        piece = rows[start : start + BATCH]
        scores = np.concatenate([scores, asked @ matrix[piece].astype(np.float32).T], axis=1)
        best = np.concatenate([best, np.broadcast_to(piece + 1, (len(asked), len(piece)))], axis=1)
        order = np.argsort(-scores, axis=1)[:, :NEAREST]
        scores, best = np.take_along_axis(scores, order, 1), np.take_along_axis(best, order, 1)
    return best


def embedded(
    folder: Path,
    matrix: np.ndarray,
    asked: np.ndarray,
    allowed: Mapping[str, np.ndarray | None],
    truth: Mapping[str, np.ndarray],
) -> Figures:
    """Return the figures of segments of the search index, read from disk as a server does."""
    folder.mkdir()
    began, names = time.perf_counter(), []
    for start in range(0, len(matrix), LARGEST):
        names.append(f"vectors{start}")
        VectorIndex.build(matrix[start : start + LARGEST]).save(folder, names[-1])
    built = time.perf_counter() - began
    before = memory(os.getpid())
    indexes = [VectorIndex.load(folder, name) for name in names]
    starts = np.cumsum([1, *map(len, indexes)])
    pieces = Pieces([np.arange(*pair) for pair in pairwise(starts)], [None] * len(indexes))
    store = LocalVectorStore({KIND: Column(VERSION, pieces, indexes)})
    found = searches(store, asked, allowed, truth)
    size = {"bytes a vector on disk": round(on_disk(folder) / len(matrix))}
    taken = (memory(os.getpid()) - before) / 2**20
    return {"build seconds": round(built, 1), **size, "MB of memory": round(taken), **found}


def in_milvus(
    address: str,
    data: Path | None,
    matrix: np.ndarray,
    asked: np.ndarray,
    allowed: Mapping[str, np.ndarray | None],
    truth: Mapping[str, np.ndarray],
) -> Figures:
    """Return the figures of Milvus."""
    milvus_client.READ_SECONDS = milvus_client.WRITE_SECONDS  # a search that takes long is measured, not given up
    connection = MilvusConnection(read_address(address))
    store = MilvusVectorStore(connection, "bench")
    began = time.perf_counter()
    for start in range(0, len(matrix), BATCH):
        piece = matrix[start : start + BATCH]
        store.upsert(KIND, VERSION, np.arange(start, start + len(piece)) + 1, piece)
    count = store.count(KIND)  # waits until all can be searched
    built = time.perf_counter() - began
    if count != len(matrix):
        raise click.ClickException(f"Milvus has {count:,} of {len(matrix):,} vectors")
    found = searches(store, asked, allowed, truth)
    sizes: Figures = {}
    if data is not None:
        sizes["bytes a vector on disk"] = round(on_disk(data) / len(matrix))
        sizes["MB of memory"] = round(sum(map(memory, descendants(os.getpid()))) / 2**20)
    store.drop(KIND)
    return {"build seconds": round(built, 1), **sizes, **found}


def searches(
    store: VectorStore, asked: np.ndarray, allowed: Mapping[str, np.ndarray | None], truth: Mapping[str, np.ndarray]
) -> Figures:
    """Return milliseconds, and the share of the exact nearest that is found, of searches and of scores by id."""
    figures: Figures = {}
    for name, only in allowed.items():
        times, found = timed(lambda query, among=only: store.search(KIND, query, NEAREST, among), asked)
        nearest = truth[name][:, :NEAREST]
        figures[f"among {name}"] = times | {
            f"recall of {count}": recall(found, nearest[:, :count]) for count in (PAGE, nearest.shape[1])
        }
    some = np.sort(truth["all"][0])
    figures["scores of 1,000 by id"] = timed(lambda query: store.scores(KIND, query, some), asked)[0]
    return figures


def timed(search: Callable[[np.ndarray], object], asked: np.ndarray) -> tuple[Figures, list[RankedItems]]:
    """Return the median and the 99th percentile of milliseconds, and the results; one search before does not count."""
    search(asked[0])
    seconds, results = [], []
    for query in asked:
        began = time.perf_counter()
        results.append(search(query))
        seconds.append(time.perf_counter() - began)
    middle, last = np.quantile(seconds, [0.5, 0.99]) * 1e3
    return {"p50 ms": round(float(middle), 1), "p99 ms": round(float(last), 1)}, results


def recall(found: list[RankedItems], nearest: np.ndarray) -> float:
    """Return the share of `nearest` (q, k) that is found among as many."""
    count = nearest.shape[1]
    kept = [len(np.intersect1d(one.ids[:count], wanted)) for one, wanted in zip(found, nearest, strict=True)]
    return round(float(np.mean(kept)) / count, 4)


def on_disk(path: Path) -> int:
    """Return the bytes of a file, or of all files of a folder."""
    return sum(file.stat().st_size for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file())


def memory(process: int) -> int:
    """Return the bytes of a process that are in memory, mapped files included."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:")), 0)


def descendants(process: int) -> list[int]:
    """Return the processes that a process has started, and those that they have."""
    own = [
        int(number) for file in Path(f"/proc/{process}/task").glob("*/children") for number in file.read_text().split()
    ]
    return [one for child in own for one in (child, *descendants(child))]


if __name__ == "__main__":
    main()
