"""The reranker: scores too expensive to compute for a whole library, for the best pictures of a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from captioner.cells import are_sound, unpack_cells
from captioner.embedding import hubness
from captioner.likelihood import Likelihood
from captioner.types import CELLS, JOINT, SearchModel
from data.soundness import tell_damage
from data.store import Store, StoreDamaged
from data.tables import features
from retrieval.search.pipeline import Candidates, Clause
from retrieval.search.relevance import Relevance, Scores
from retrieval.vectors.base import Vectors

DEPTH = 30
"""The most candidates to rerank; more hardly change the order, see docs/ranking.md."""
DEPTH_A_WORD = 4
"""Candidates to rerank for each typed word; for few words more would gain nothing."""
FEWEST_WORDS = 3
"""Queries of fewer words are not reranked: they are no beginning of a sentence."""
READABLE = 0.6
"""The least share of words that the decoder knows; of another language it knows a few by chance."""


class SentenceScores:
    """The decoder's log P(sentence ... | picture), and the hubness of a picture: how near frequent sentences are."""

    def __init__(self, likelihood: Likelihood, sentences: np.ndarray) -> None:
        """`sentences` are those of `captioner.embedding.hubness`."""
        self._likelihood, self._sentences = likelihood, sentences

    def can_read(self, tokens: Sequence[str]) -> bool:
        """Return whether the decoder knows enough of the words for its probability to separate pictures."""
        return self._likelihood.share_read(tokens) >= READABLE

    def of(self, tokens: Sequence[str], cells: Sequence[bytes], embeddings: np.ndarray) -> dict[str, np.ndarray]:
        """Return both scores of n pictures, at least one, float (n,), from their cells and JOINT vectors (n, e).

        Raises StoreDamaged.
        """
        try:
            unpacked = unpack_cells(cells)
        except ValueError as error:
            raise StoreDamaged(f"{error}; index again") from error
        return {"logprob": self._likelihood.logprob(tokens, unpacked), "hubness": hubness(embeddings, self._sentences)}


class Reranker:
    """The stage that scores the best candidates by `SentenceScores`; NaN for the others."""

    def __init__(
        self,
        scores: SentenceScores,
        weights: Mapping[str, float],
        first: Relevance,
        store: Store,
        vectors: Vectors,
        model_version: str,
    ) -> None:
        """`first` is the relevance that chooses the best, `weights` belong to the scores made here."""
        self._scores, self._weights, self._first = scores, weights, first
        self._store, self._vectors, self._model_version = store, vectors, model_version

    def __call__(self, clause: Clause, candidates: Candidates) -> Candidates:
        (tokens,) = clause.sentences
        order = np.lexsort((candidates.ids, -self._first.logit(candidates.scores)))
        ids = candidates.ids[np.sort(order[: depth(tokens)])]
        cells = self._store.features(ids.tolist(), CELLS, self._model_version)
        ids = ids[[item_id in cells for item_id in ids.tolist()]]
        for name in self._weights:
            candidates = candidates.with_scores(name, np.zeros(0), ids[:0])
        if not len(ids):
            return candidates
        try:
            scores = self._of(tokens, ids, cells)
        except StoreDamaged:
            ids = ids[[_is_sound(item_id, cells[item_id]) for item_id in ids.tolist()]]
            scores = self._of(tokens, ids, cells) if len(ids) else {}
        for name, values in scores.items():
            candidates = candidates.with_scores(name, values.astype(np.float64), ids)
        return candidates

    def _of(self, tokens: Sequence[str], ids: np.ndarray, cells: Mapping[int, bytes]) -> dict[str, np.ndarray]:
        embeddings = self._vectors.get(JOINT, ids)
        return self._scores.of(tokens, [cells[item_id] for item_id in ids.tolist()], embeddings)

    def shift(self, scores: Scores, chances: np.ndarray) -> np.ndarray:
        """Return what the scores add to the logits of relevance, see `shift`."""
        return shift(self._weights, scores, chances)


def reranker_of(
    model: SearchModel, tokens: Sequence[str], first: Relevance, store: Store, vectors: Vectors
) -> Reranker | None:
    """Return the reranker for a sentence, None if the model has none or it would gain nothing."""
    if model.likelihood is None or model.sentences is None or not depth(tokens):
        return None
    scores = SentenceScores(model.likelihood, model.sentences)
    if not scores.can_read(tokens):
        return None
    return Reranker(scores, model.calibration.reranker, first, store, vectors, model.version)


def _is_sound(item_id: int, cells: bytes) -> bool:
    if not are_sound(cells):
        tell_damage(features, item_id)
        return False
    return True


def depth(tokens: Sequence[str]) -> int:
    """Return how many of the best pictures for a sentence are reranked."""
    return min(DEPTH, DEPTH_A_WORD * len(tokens)) if len(tokens) >= FEWEST_WORDS else 0


def shift(weights: Mapping[str, float], scores: Scores, chances: np.ndarray) -> np.ndarray:
    """Return what the scores add to the logits of relevance, float64 (n,), 0 where they are unknown.

    Only differences between pictures matter, so the mean is subtracted, weighted by the odds of the relevance so far,
    `chances` (n,).
    """
    added = np.sum([weight * scores[name] for name, weight in weights.items()], axis=0)
    known = np.isfinite(added)
    if known.any():
        odds = chances[known] / np.maximum(1 - chances[known], 1e-12)
        added[known] -= np.average(added[known], weights=np.maximum(odds, 1e-300))
    return np.where(known, added, 0)
