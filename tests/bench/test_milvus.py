"""The comparison with Milvus: both sides find what is nearest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.milvus import SHARES, embedded, exact, in_milvus
from bench.scale_vectors import vectors
from retrieval.vectors.milvus_client import MilvusConnection

LITE = "milvus_lite"
FOUND = {"p50 ms", "p99 ms", "recall of 30"}


def test_both_find_the_nearest(tmp_path: Path, milvus_lite: MilvusConnection) -> None:
    matrix, asked = vectors(1500, 256, 0), vectors(3, 256, 1).astype(np.float32)
    ids = np.arange(1, len(matrix) + 1)
    allowed = {name: None if share is None else ids[::share] for name, share in SHARES.items()}
    truth = {name: exact(matrix, asked, only) for name, only in allowed.items()}
    products = asked[0] @ matrix.astype(np.float32).T
    assert truth["all"][0].tolist() == (np.argsort(-products)[:1000] + 1).tolist()
    here = embedded(tmp_path / "index", matrix, asked, allowed, truth)
    there = in_milvus(milvus_lite._address.uri, tmp_path, matrix, asked, allowed, truth)
    for figures in (here, there):
        for name in SHARES:
            found = figures[f"among {name}"]
            assert isinstance(found, dict)
            assert found.keys() >= FOUND - {"recall of 30"}
            recalls = [value for key, value in found.items() if key.startswith("recall")]
            assert recalls == pytest.approx([1, 1], abs=0.002)
