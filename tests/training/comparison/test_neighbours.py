"""Every search against the exact order, on a few hundred vectors."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest

from captioner.arithmetic import unit
from training.comparison.neighbours import SEARCHES, Neighbours

NEEDS = {"kdtree": "sklearn", "balltree": "sklearn", "annoy": "annoy", "hnsw": "faiss", "ivf": "faiss"}
LEAST_RECALL = {"annoy": 0.9, "hnsw": 0.9, "ivf": 0.5}
"""Of those that may miss some; all others miss none."""
COUNT = 10


@pytest.fixture(scope="module")
def matrix() -> np.ndarray:
    """300 unit vectors in 30 groups."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(30, 16))
    return unit(centres.repeat(10, axis=0) + 0.4 * random.normal(size=(300, 16))).astype(np.float32)


@pytest.fixture(scope="module", params=sorted(set(SEARCHES) - {"milvus"}))
def built(request: pytest.FixtureRequest, matrix: np.ndarray) -> tuple[str, Neighbours]:
    if request.param in NEEDS:
        pytest.importorskip(NEEDS[request.param])
    return request.param, SEARCHES[request.param].build(matrix)


def recall(index: Neighbours, matrix: np.ndarray, queries: int = 40) -> float:
    true = np.argsort(-(matrix[:queries] @ matrix.T), axis=1)[:, :COUNT]
    found = [index.search(query, COUNT) for query in matrix[:queries]]
    assert all(len(rows) <= COUNT and rows.dtype == np.int64 for rows in found)
    return float(np.mean([len(np.intersect1d(*pair)) / COUNT for pair in zip(true, found, strict=True)]))


def test_the_nearest_are_found(built: tuple[str, Neighbours], matrix: np.ndarray) -> None:
    name, index = built
    assert recall(index, matrix) >= LEAST_RECALL.get(name, 1)
    assert index.search(matrix[7], 1).tolist() == [7]
    index.close()


def test_all_can_be_asked_for_and_the_size_counts_the_vectors(
    built: tuple[str, Neighbours], matrix: np.ndarray
) -> None:
    _, index = built
    everything = index.search(matrix[0], 1000)
    assert len(everything) <= len(matrix)
    assert len(set(everything.tolist())) == len(everything)
    assert index.bytes >= matrix.size * 2


def test_milvus_finds_the_nearest_and_leaves_nothing_behind(
    matrix: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pymilvus")
    pytest.importorskip("milvus_lite")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    index = SEARCHES["milvus"].build(matrix)
    assert recall(index, matrix, queries=5) == 1
    assert index.bytes > 0
    index.close()
    assert list(tmp_path.rglob("*.db")) == []
