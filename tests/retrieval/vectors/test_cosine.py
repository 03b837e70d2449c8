"""Cosines are exact, ties go by row, and pictures without a vector have cosine 0."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from retrieval.arrays import IndexDamaged
from retrieval.vectors.cosine import VectorIndex


@pytest.fixture
def vectors() -> np.ndarray:
    return np.random.default_rng(1).standard_normal((700, 16)).astype(np.float16)


def plain_cosine(query: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    wide = vectors.astype(np.float64)
    return wide @ query / np.linalg.norm(wide, axis=1) / np.linalg.norm(query)


def test_cosine_is_that_of_the_definition(vectors: np.ndarray, tmp_path: Path) -> None:
    query = np.random.default_rng(2).standard_normal(16).astype(np.float32) * 3
    VectorIndex.build(vectors).save(tmp_path, "look")
    index = VectorIndex.load(tmp_path, "look")
    rows = np.array([650, 3, 3, 299])
    assert np.allclose(index.cosine(query), plain_cosine(query, vectors), atol=2e-6)
    assert np.array_equal(index.cosine(query, rows), index.cosine(query)[rows])
    assert index.cosine(query).dtype == np.float32


def test_queries_that_are_compared_at_once_have_the_cosines_of_each_alone(vectors: np.ndarray) -> None:
    together = VectorIndex.build(vectors)
    queries = np.random.default_rng(3).standard_normal((2, 16)).astype(np.float32)
    together.scan(queries)
    rows = np.array([650, 3, 3, 299])
    for query in queries:
        alone = VectorIndex.build(vectors)
        assert np.array_equal(together.cosine(query, rows), alone.cosine(query, rows))
        assert all(map(np.array_equal, together.top(query, 50), alone.top(query, 50)))
        together.cosine(query)[:] = 0  # what is kept is not what is handed out
        assert np.array_equal(together.cosine(query), alone.cosine(query))


def test_top_is_exact_with_ties_by_row(vectors: np.ndarray) -> None:
    doubled = np.concatenate([vectors, vectors])
    query = vectors[5].astype(np.float32)
    rows, cosines = VectorIndex.build(doubled).top(query, 9)
    order = np.argsort(-np.round(plain_cosine(query, vectors), 6), kind="stable")[:5]
    assert rows.tolist() == [row for one in order for row in (one, one + 700)][:9]
    assert cosines[0] == pytest.approx(1.0)
    assert len(VectorIndex.build(doubled[:3]).top(query, 9)[0]) == 3


def test_a_picture_without_a_vector_has_cosine_0(vectors: np.ndarray) -> None:
    vectors[4] = 0
    index = VectorIndex.build(vectors)
    assert index.cosine(np.ones(16, np.float32))[4] == 0
    assert (index.cosine(np.zeros(16, np.float32)) == 0).all()


def test_vectors_of_another_length_cannot_be_compared(vectors: np.ndarray) -> None:
    assert (VectorIndex.build(vectors).cosine(np.ones(5, np.float32)) == 0).all()


def test_no_vectors_at_all(tmp_path: Path) -> None:
    VectorIndex.build(np.zeros((0, 0), np.float16)).save(tmp_path, "look")
    index = VectorIndex.load(tmp_path, "look")
    assert index.cosine(np.ones(4, np.float32)).shape == (0,)
    assert len(index.top(np.ones(4, np.float32), 10)[0]) == 0


def test_a_matrix_of_the_wrong_shape_is_damage(vectors: np.ndarray, tmp_path: Path) -> None:
    VectorIndex.build(vectors).save(tmp_path, "look")
    np.save(tmp_path / "look.npy", vectors.ravel())
    with pytest.raises(IndexDamaged, match="1 dimensions instead of 2"):
        VectorIndex.load(tmp_path, "look")


def test_absent_rows_are_never_near(vectors: np.ndarray) -> None:
    index, query = VectorIndex.build(vectors), vectors[5].astype(np.float32)
    absent = np.zeros(700, bool)
    absent[index.top(query, 3)[0]] = True
    assert np.array_equal(index.top(query, 4, absent)[0], index.top(query, 7)[0][3:])
    assert len(index.top(query, 4, np.ones(700, bool))[0]) == 0
