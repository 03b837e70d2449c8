"""The triplet loss of projected vectors, its gradient, and the triplets of a batch that teach most."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from captioner.arithmetic import unit


class Projection(NamedTuple):
    """`centre` (d,) and `matrix` (d, k), float32."""

    centre: np.ndarray
    matrix: np.ndarray

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        """Return unit vectors (n, k) of unit vectors (n, d)."""
        return np.asarray(unit((vectors - self.centre) @ self.matrix))


class Triplets(NamedTuple):
    """Rows of anchors, positives and negatives, int64 (t,) each."""

    anchors: np.ndarray
    positives: np.ndarray
    negatives: np.ndarray

    def take(self, rows: np.ndarray) -> Triplets:
        """Return those of the rows."""
        return Triplets(self.anchors[rows], self.positives[rows], self.negatives[rows])


def share_in_order(vectors: np.ndarray, triplets: Triplets) -> float:
    """Return the percent of triplets whose positive is nearer to the anchor than the negative is."""
    anchors = vectors[triplets.anchors]
    near = np.einsum("nd,nd->n", anchors, vectors[triplets.positives])
    return 100 * float(np.mean(near > np.einsum("nd,nd->n", anchors, vectors[triplets.negatives])))


def mine(cosines: np.ndarray, classes: np.ndarray) -> Triplets:
    """Return a triplet for each pair of the same class among the pictures of a batch, `cosines` (n, n).

    The negative is the nearest that is further than the positive; where all are nearer, the furthest.
    """
    same = classes[:, None] == classes
    anchors, positives = np.nonzero(same & ~np.eye(len(classes), dtype=bool))
    others = np.where(same, np.nan, cosines)[anchors]
    further = np.where(others < cosines[anchors, positives, None], others, -np.inf)
    furthest = np.where(np.isnan(others), np.inf, others).argmin(axis=1)
    negatives = np.where(np.isfinite(further).any(axis=1), further.argmax(axis=1), furthest)
    there = ~same.all(axis=1)[anchors]
    return Triplets(anchors[there], positives[there], negatives[there])


def loss_and_gradient(
    vectors: np.ndarray, projection: Projection, triplets: Triplets, margin: float
) -> tuple[float, np.ndarray]:
    """Return the mean triplet loss of unit projections, in squared distance, and its gradient (d, k) by the matrix."""
    centred = vectors - projection.centre
    projected = centred @ projection.matrix
    lengths = np.maximum(np.linalg.norm(projected, axis=1, keepdims=True), 1e-12)
    units = projected / lengths
    anchors, positives, negatives = (units[rows] for rows in triplets)
    losses = 2 * np.einsum("td,td->t", anchors, negatives - positives) + margin
    active = losses > 0
    by_unit = np.zeros_like(units)
    for rows, gradient in zip(triplets, (negatives - positives, -anchors, anchors), strict=True):
        np.add.at(by_unit, rows[active], 2 * gradient[active])
    by_unit /= max(1, len(losses))
    by_projected = (by_unit - units * np.einsum("nd,nd->n", units, by_unit)[:, None]) / lengths
    return float(np.maximum(losses, 0).mean()) if len(losses) else 0.0, centred.T @ by_projected
