"""Made-up vectors crowd like the real ones whose figures `bench.scale_vectors` names."""

from __future__ import annotations

import numpy as np
import pytest

from bench.scale_vectors import noisy, vectors

REAL = {256: {1: 0.45, 10: 0.35, 200: 0.18}, 576: {1: 0.81, 10: 0.73, 200: 0.52}}


@pytest.mark.parametrize("dimensions", REAL)
def test_neighbours_are_as_near_as_real_ones(dimensions: int) -> None:
    made = vectors(4000, dimensions, seed=5).astype(np.float32)
    assert np.linalg.norm(made, axis=1) == pytest.approx(1, abs=2e-3)
    cosines = -np.sort(-(made[:500] @ made.T), axis=1)
    for neighbour, expected in REAL[dimensions].items():
        assert np.median(cosines[:, neighbour]) == pytest.approx(expected, abs=0.04)


def test_a_seed_reproduces_the_vectors() -> None:
    assert np.array_equal(vectors(50, 256, seed=5), vectors(50, 256, seed=5))
    assert not np.array_equal(vectors(50, 256, seed=5), vectors(50, 256, seed=6))


def test_noisy_copies_stay_near_their_originals() -> None:
    real = vectors(300, 576, seed=1).astype(np.float32)
    copies = noisy(real, 600, seed=2).astype(np.float32)
    assert np.median((copies @ real.T).max(axis=1)) == pytest.approx(0.955, abs=0.01)
