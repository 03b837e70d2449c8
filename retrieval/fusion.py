"""BLEU and cosine on one scale, added up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Weights:
    """The share of each part in the final score; not negative."""

    bleu: float
    cosine: float


def fuse(bleu: np.ndarray, cosine: np.ndarray, weights: Weights) -> np.ndarray:
    """Return the final score, float64 (n,) between 0 and 1, of n candidates of one query.

    Both parts are first brought to 0 ... 1 over these candidates, since BLEU shrinks with the length of the query and
    cosines crowd together near 1: BLEU is divided by the best BLEU, cosine runs from the lowest to the highest.
    Then score = (weights.bleu * bleu + weights.cosine * cosine) / (weights.bleu + weights.cosine), the CombSUM of Fox
    and Shaw (1994) with weights. A part that is 0 for every candidate takes no part.
    """
    parts = [(weights.bleu, bleu, 0.0), (weights.cosine, cosine, float(cosine.min(initial=np.inf)))]
    used = [(weight, _scaled(part, low)) for weight, part, low in parts if weight > 0 and part.any()]
    total = sum(weight for weight, _ in used)
    score = np.zeros(len(bleu))
    for weight, part in used:
        score += weight / total * part
    return score


def _scaled(part: np.ndarray, low: float) -> np.ndarray:
    """Map `low` to 0 and the highest value to 1; where all are equal they are all the best, 1."""
    high = float(part.max())
    return (part.astype(np.float64) - low) / (high - low) if high > low else np.ones(len(part))
