"""Cosines after averaging with neighbours, against a slow loop."""

from __future__ import annotations

import numpy as np
import pytest

from captioner.arithmetic import unit
from retrieval.vectors.neighbours import NEIGHBOURS, smoothed_cosine


def slow(query: np.ndarray, vectors: np.ndarray) -> list[float]:
    everything = [query, *vectors]
    averaged = [_average(one, everything) for one in everything]
    expanded = _average(averaged[0], averaged)
    return [float(one @ expanded) for one in averaged[1:]]


def _average(vector: np.ndarray, others: list[np.ndarray]) -> np.ndarray:
    """The mean of the vectors nearest to `vector`, itself among them, weighed by squared cosine."""
    nearest = sorted(others, key=lambda other: -float(vector @ other))[: NEIGHBOURS + 1]
    total = np.sum([max(0.0, float(vector @ one)) ** 2 * one for one in nearest], axis=0)
    return np.asarray(total / np.linalg.norm(total))


@pytest.mark.parametrize("count", [1, 2, NEIGHBOURS, 60])
def test_equals_a_slow_loop(count: int) -> None:
    random = np.random.default_rng(count)
    query, *vectors = unit(random.normal(size=(count + 1, 12)) + 0.4)
    assert smoothed_cosine(query, np.array(vectors)) == pytest.approx(slow(query, np.array(vectors)), abs=2e-6)


def test_a_kind_vouches_for_its_own() -> None:
    """The query is as near to a stranger as to one of its kind, whose neighbours speak for it."""
    kind = unit(np.random.default_rng(0).normal(0, 0.25, (7, 30)) + np.eye(30)[0])
    stranger = unit((kind[0] + 2 * np.eye(30)[5])[None])[0]
    query = kind[0]
    cosines = np.array([*kind[1:], stranger]) @ query
    distant = int(np.argmin(cosines[:-1]))
    found = smoothed_cosine(query, np.array([*kind[1:], stranger]))
    assert found[distant] - found[-1] > cosines[distant] - cosines[-1] + 0.1


def test_equal_vectors_stay_equal_and_nothing_stays_nothing() -> None:
    vectors = unit(np.random.default_rng(1).normal(size=(40, 16)))
    vectors[31] = vectors[4]
    vectors[7] = 0
    found = smoothed_cosine(vectors[0], vectors)
    assert found[31] == found[4]
    assert found[7] == 0
    assert np.isfinite(found).all()
