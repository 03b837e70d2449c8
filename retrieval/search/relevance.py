"""Relevance: scores on one scale, the chance that a picture matches the query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

Scores = Mapping[str, np.ndarray]
"""Scores by name, float arrays of one shape, such as (n,) over n candidates."""


@dataclass(frozen=True)
class Relevance:
    """A logistic model: 1 / (1 + exp(-(bias + sum of weight * score))), float64 between 0 and 1."""

    bias: float
    weights: Mapping[str, float]

    def __call__(self, scores: Scores) -> np.ndarray:
        return sigmoid(self.logit(scores))

    def logit(self, scores: Scores) -> np.ndarray:
        """Return the argument of the sigmoid: the bias and the weighted scores."""
        logit = np.full(next(iter(scores.values())).shape, self.bias, np.float64)
        for name, weight in self.weights.items():
            logit += weight * scores[name]
        return logit

    @classmethod
    def from_json(cls, document: Mapping[str, float]) -> Relevance:
        """Read what `to_json` wrote. Raises KeyError."""
        return cls(document["bias"], {name: value for name, value in document.items() if name != "bias"})

    def to_json(self) -> dict[str, float]:
        """Return one flat document: the bias, and each score's weight under its name."""
        return {"bias": self.bias, **self.weights}


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-x)) without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)))


def logit(chance: np.ndarray) -> np.ndarray:
    """Return the inverse of `sigmoid`: the logarithm of the odds."""
    return np.asarray(np.log(chance) - np.log1p(-chance))


def combine(wanted: list[tuple[np.ndarray, float]], unwanted: list[tuple[np.ndarray, float]]) -> np.ndarray:
    """Combine relevances (n,) to several clauses, with their weights, to one relevance (n,).

    Wanted clauses are combined by the weighted geometric mean, so each of them counts. Each unwanted one multiplies by
    (1 - weight * relevance), with weights up to 1.
    """
    total = sum(weight for _, weight in wanted)
    logs = sum(weight / total * np.log(np.maximum(relevance, 1e-12)) for relevance, weight in wanted)
    combined = np.exp(logs)
    for relevance, weight in unwanted:
        combined = combined * (1 - min(weight, 1.0) * relevance)
    return np.asarray(combined)
