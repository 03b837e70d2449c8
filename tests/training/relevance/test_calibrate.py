"""Relevance learnt from a split, against a slow plain fit and on parts whose worth is known."""

from __future__ import annotations

import numpy as np
import pytest

from training.metrics import ranks_of_rows
from training.relevance.calibrate import PRIOR, fit_relevance

PICTURES, EACH = 40, 3


@pytest.fixture
def parts() -> tuple[np.ndarray, np.ndarray]:
    """BLEU tells nothing, cosine is higher for a query's own picture."""
    random, target = np.random.default_rng(0), np.repeat(np.arange(PICTURES), EACH)
    bleu, cosine = random.uniform(0, 1, (2, len(target), PICTURES))
    cosine[np.arange(len(target)), target] += 0.4
    return np.stack([bleu, cosine]), target


def test_the_fit_is_where_the_weighted_likelihood_is_highest(parts: tuple[np.ndarray, np.ndarray]) -> None:
    values, target = parts
    fitted = fit_relevance(values, target)
    best = _likelihood(values, target, [fitted.weights["bleu"], fitted.weights["cosine"], fitted.bias])
    for place in range(3):
        for change in (-0.01, 0.01):
            moved = [fitted.weights["bleu"], fitted.weights["cosine"], fitted.bias]
            moved[place] += change
            assert _likelihood(values, target, moved) < best


def _likelihood(values: np.ndarray, target: np.ndarray, weights: list[float]) -> float:
    total = 0.0
    for query, own in enumerate(target):
        for picture in range(PICTURES):
            logit = weights[0] * values[0, query, picture] + weights[1] * values[1, query, picture] + weights[2]
            if picture == own:
                total += -np.log1p(np.exp(-logit)) * PRIOR
            else:
                total += -np.log1p(np.exp(logit)) * (1 - PRIOR) / (PICTURES - 1)
    return total


def test_a_part_that_tells_nothing_weighs_little(parts: tuple[np.ndarray, np.ndarray]) -> None:
    weights = fit_relevance(*parts).weights
    assert abs(weights["bleu"]) < 0.2 * weights["cosine"]


def test_bleu_weighs_at_least_so_much_where_it_is_asked_to(parts: tuple[np.ndarray, np.ndarray]) -> None:
    values, target = parts
    free = fit_relevance(values, target)
    least = free.weights["bleu"] + 1
    held = fit_relevance(values, target, least)
    assert held.weights["bleu"] == least
    best = _likelihood(values, target, [least, held.weights["cosine"], held.bias])
    for change in (-0.01, 0.01):
        assert _likelihood(values, target, [least, held.weights["cosine"] + change, held.bias]) < best
        assert _likelihood(values, target, [least, held.weights["cosine"], held.bias + change]) < best
    assert fit_relevance(values, target, free.weights["bleu"] - 1) == free


def test_a_part_that_is_nowhere_is_left_at_nought(parts: tuple[np.ndarray, np.ndarray]) -> None:
    values, target = parts
    values[0] = 0
    assert fit_relevance(values, target).weights["bleu"] == pytest.approx(0, abs=1e-6)


def test_ranks_count_equal_scores_as_better() -> None:
    scores = np.array([[0.5, 0.9, 0.5], [0.1, 0.2, 0.3]])
    assert ranks_of_rows(scores, np.array([0, 2])).tolist() == [3, 1]
