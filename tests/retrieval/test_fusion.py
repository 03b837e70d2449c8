"""Two parts on one scale, by the formula in the docstring."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval.fusion import Weights, fuse

EVEN = Weights(bleu=1, cosine=1)


def test_follows_the_formula() -> None:
    bleu, cosine = np.array([0.4, 0.1, 0.0]), np.array([0.5, 0.9, 0.7], np.float32)
    expected = (3 * np.array([1, 0.25, 0]) + 1 * np.array([0, 1, 0.5])) / 4
    assert fuse(bleu, cosine, Weights(bleu=3, cosine=1)) == pytest.approx(expected, abs=1e-6)


def test_best_in_both_is_1_whatever_the_scale() -> None:
    assert fuse(np.array([1e-5, 1e-6]), np.array([0.99, 0.98]), EVEN)[0] == pytest.approx(1)


def test_a_part_that_says_nothing_takes_no_part() -> None:
    nothing = np.zeros(2)
    assert fuse(np.array([0.2, 0.1]), nothing, EVEN).tolist() == [1, 0.5]
    assert fuse(nothing, np.array([0.9, 0.5]), EVEN).tolist() == [1, 0]
    assert fuse(nothing, nothing, EVEN).tolist() == [0, 0]
    assert fuse(np.array([0.2, 0.1]), np.array([0.1, 0.9]), Weights(bleu=1, cosine=0)).tolist() == [1, 0.5]


def test_equal_values_are_all_the_best() -> None:
    assert fuse(np.array([0.3, 0.3]), np.array([0.8, 0.8]), EVEN).tolist() == [1, 1]


def test_no_candidates() -> None:
    assert fuse(np.zeros(0), np.zeros(0, np.float32), EVEN).shape == (0,)
