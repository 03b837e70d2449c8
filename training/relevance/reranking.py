"""The weights of the reranker's scores, learnt from a split's own captions and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data.progress import progress_bar
from retrieval.search.relevance import logit, sigmoid
from retrieval.search.reranker import DEPTH, SentenceScores, shift

NEWTON_STEPS = 20
RIDGE = 1e-3
"""Keeps the weight of a score that tells nothing at zero."""


@dataclass(frozen=True)
class BestPictures:
    """For each of q sentences its k best pictures so far: `rows` (q, k), `logits` (q, k) and `parts` by name (q, k)."""

    rows: np.ndarray
    logits: np.ndarray
    parts: dict[str, np.ndarray]


def rerank_best(
    scores: SentenceScores,
    queries: Sequence[Sequence[str]],
    logits: np.ndarray,
    cells: Sequence[bytes],
    embeddings: np.ndarray,
) -> BestPictures:
    """Compute the reranker's scores of the best of the pictures by `logits` (queries, pictures), as a search does.

    Of short sentences too the DEPTH best are taken. `cells` and `embeddings` (pictures, e) are the pictures' own.
    """
    rows = np.argsort(-logits, axis=1, kind="stable")[:, :DEPTH]
    bar = progress_bar(zip(queries, rows, strict=True), desc="reranking", total=len(queries), unit="query")
    found = [scores.of(query, [cells[row] for row in best], embeddings[best]) for query, best in bar]
    parts = {name: np.stack([one[name] for one in found]) for name in found[0]}
    return BestPictures(rows, np.take_along_axis(logits, rows, axis=1), parts)


def fit_reranker(best: BestPictures, target: np.ndarray) -> dict[str, float]:
    """Fit a weight for each score so that a sentence's own picture is chosen among its best: conditional logit.

    P(picture) is the softmax of logit + sum of weight * score over the best (McFadden 1974), by Newton's method;
    sentences whose picture, `target` (queries,), is not among their best are left out.
    """
    chosen = best.rows == target[:, None]
    usable = chosen.any(axis=1)
    x = np.stack([one[usable] for one in best.parts.values()], axis=2)
    weights = np.zeros(x.shape[2])
    for _ in range(NEWTON_STEPS):
        chance = _softmax(best.logits[usable] + x @ weights)
        centred = x - np.einsum("qk,qkp->qp", chance, x)[:, None]
        slope = centred[chosen[usable]].sum(axis=0) - RIDGE * weights
        curvature = np.einsum("qk,qkp,qkr->pr", chance, centred, centred)
        weights = weights + np.linalg.solve(curvature + RIDGE * np.eye(len(weights)), slope)
    return dict(zip(best.parts, map(float, weights), strict=True))


def held_out_reranked(best: BestPictures, chances: np.ndarray, target: np.ndarray, folds: int) -> np.ndarray:
    """Relevance (queries, pictures) after reranking, from that before, `chances`, by weights fitted on other folds."""
    scores = chances.copy()
    for fold in progress_bar(range(folds), desc="reranking, held out", unit="fold"):
        held = target % folds == fold
        if not held.any() or held.all():
            continue
        rest = BestPictures(
            best.rows[~held], best.logits[~held], {name: one[~held] for name, one in best.parts.items()}
        )
        weights = fit_reranker(rest, target[~held])
        for query in np.flatnonzero(held):
            rows = best.rows[query]
            parts = {name: one[query] for name, one in best.parts.items()}
            logits = logit(chances[query, rows])
            scores[query, rows] = sigmoid(logits + shift(weights, parts, chances[query, rows]))
    return scores


def _softmax(x: np.ndarray) -> np.ndarray:
    exponentials = np.exp(x - x.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))
