"""What a second look at a sentence's best pictures is worth, learnt from a split's own captions and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from retrieval.search.relevance import logit, sigmoid
from retrieval.search.reranker import DEPTH, SentenceScores, shift

NEWTON_STEPS = 20
RIDGE = 1e-3
"""Keeps a part that tells nothing at nought."""


@dataclass(frozen=True)
class Looks:
    """For each of q sentences its k best pictures so far: `rows` (q, k), `logits` (q, k) and `parts` by name (q, k)."""

    rows: np.ndarray
    logits: np.ndarray
    parts: dict[str, np.ndarray]


def look_again(
    second: SentenceScores,
    queries: Sequence[Sequence[str]],
    logits: np.ndarray,
    views: Sequence[bytes],
    places: np.ndarray,
) -> Looks:
    """Gather the dearer evidence for the best of the pictures by `logits` (queries, pictures), as a search does.

    Of short sentences too the DEPTH best are taken. `views` and `places` (pictures, e) are the pictures' own.
    """
    rows = np.argsort(-logits, axis=1, kind="stable")[:, :DEPTH]
    bar = tqdm(zip(queries, rows, strict=True), desc="second look", total=len(queries), unit="query", disable=None)
    found = [second.of(query, [views[row] for row in best], places[best]) for query, best in bar]
    parts = {name: np.stack([one[name] for one in found]) for name in found[0]}
    return Looks(rows, np.take_along_axis(logits, rows, axis=1), parts)


def fit_look(looks: Looks, target: np.ndarray) -> dict[str, float]:
    """Fit a weight for each part so that a sentence's own picture is chosen among its best: conditional logit.

    P(picture) is the softmax of logit + sum of weight * part over the best (McFadden 1974), by Newton's method;
    sentences whose picture, `target` (queries,), is not among their best teach nothing.
    """
    chosen = looks.rows == target[:, None]
    taught = chosen.any(axis=1)
    x = np.stack([one[taught] for one in looks.parts.values()], axis=2)
    weights = np.zeros(x.shape[2])
    for _ in range(NEWTON_STEPS):
        chance = _softmax(looks.logits[taught] + x @ weights)
        centred = x - np.einsum("qk,qkp->qp", chance, x)[:, None]
        slope = centred[chosen[taught]].sum(axis=0) - RIDGE * weights
        curvature = np.einsum("qk,qkp,qkr->pr", chance, centred, centred)
        weights = weights + np.linalg.solve(curvature + RIDGE * np.eye(len(weights)), slope)
    return dict(zip(looks.parts, map(float, weights), strict=True))


def held_out_look(looks: Looks, chances: np.ndarray, target: np.ndarray, folds: int) -> np.ndarray:
    """Relevance (queries, pictures) after the look, from that before, `chances`, by weights fitted on other folds."""
    scores = chances.copy()
    for fold in tqdm(range(folds), desc="second look, held out", unit="fold", disable=None):
        held = target % folds == fold
        if not held.any() or held.all():
            continue
        rest = Looks(looks.rows[~held], looks.logits[~held], {name: one[~held] for name, one in looks.parts.items()})
        weights = fit_look(rest, target[~held])
        for query in np.flatnonzero(held):
            best = looks.rows[query]
            parts = {name: one[query] for name, one in looks.parts.items()}
            logits = logit(chances[query, best])
            scores[query, best] = sigmoid(logits + shift(weights, parts, chances[query, best]))
    return scores


def _softmax(x: np.ndarray) -> np.ndarray:
    grown = np.exp(x - x.max(axis=1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=1, keepdims=True))
