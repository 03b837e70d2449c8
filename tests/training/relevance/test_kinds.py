"""Kinds of things are learnt from pairs that likely show the same, without labels."""

from __future__ import annotations

import numpy as np
import pytest

from captioner.arithmetic import unit
from captioner.encoders.pooling import Pooling, with_kinds
from training.relevance import kinds as learning
from training.relevance.kinds import learn_kinds, learn_mixing
from training.relevance.whitening import learn_alike, mutual_neighbours

GROUPS, EACH = 6, 40


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    return np.repeat(np.arange(GROUPS), EACH)


@pytest.fixture(scope="module")
def pictures(labels: np.ndarray) -> np.ndarray:
    random = np.random.default_rng(0)
    return np.asarray(2 * random.normal(size=(GROUPS, 12))[labels] + random.normal(size=(len(labels), 12)), np.float32)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "HEADS", 2)
    monkeypatch.setattr(learning, "KINDS", 8)
    monkeypatch.setattr(learning, "BATCH", 128)
    monkeypatch.setattr(learning, "RATE", 0.02)


def test_pictures_of_one_group_share_their_kinds(pictures: np.ndarray, labels: np.ndarray) -> None:
    kinds = learn_kinds(pictures, mutual_neighbours(pictures, 10), seed=0)
    assert kinds.shape == (2, 12, 8)
    roots = with_kinds(pictures, kinds)[:, 12:]
    np.testing.assert_allclose((roots**2).reshape(-1, 2, 8).sum(axis=2), 1, rtol=1e-5)
    cosines = roots @ roots.T / 2
    same = labels[:, None] == labels
    assert cosines[same].mean() > cosines[~same].mean() + 0.5
    largest = [np.bincount((roots[:, :8]).argmax(axis=1)[labels == one]).argmax() for one in range(GROUPS)]
    assert len(set(largest)) >= GROUPS - 1  # groups have kinds of their own
    np.testing.assert_array_equal(kinds, learn_kinds(pictures, mutual_neighbours(pictures, 10), seed=0))


def test_mixing_keeps_the_cosines(pictures: np.ndarray) -> None:
    random = np.random.default_rng(1)
    kinds = random.normal(size=(3, 12, 5)).astype(np.float32)
    parts = np.split(with_kinds(pictures, kinds), [12], axis=1)
    whole = unit(np.concatenate([parts[0], learning.WEIGHT * unit(parts[1])], axis=1))
    for dimensions, tolerance in ((27, 1e-4), (14, 0.1)):
        pooling = Pooling(
            np.zeros(12, np.float32), np.eye(12, dtype=np.float32), kinds, learn_mixing(pictures, kinds, dimensions)
        )
        vectors = pooling.project(pictures)
        assert vectors.shape == (len(pictures), dimensions)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
        np.testing.assert_allclose(vectors @ vectors.T, whole @ whole.T, atol=tolerance)


def test_a_crowd_teaches_what_is_alike(pictures: np.ndarray, labels: np.ndarray) -> None:
    pooling = learn_alike(pictures, seed=0)
    vectors = pooling.project(pictures)
    near = np.argsort(9 * np.eye(len(vectors)) - vectors @ vectors.T)[:, :10]
    assert np.mean(labels[near] == labels[:, None]) > 0.95


def test_few_pairs_make_one_batch(pictures: np.ndarray) -> None:
    assert np.isfinite(learn_kinds(pictures[:5], np.array([[0, 1], [2, 3]]), seed=0)).all()


def test_mutual_neighbours_do_not_depend_on_the_blocks(pictures: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    from training.relevance import whitening

    at_once = mutual_neighbours(pictures, 7)
    monkeypatch.setattr(whitening, "ROWS_AT_ONCE", 7)
    np.testing.assert_array_equal(mutual_neighbours(pictures, 7), at_once)
    assert (at_once[:, 0] < at_once[:, 1]).all()
