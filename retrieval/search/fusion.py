"""Fusion: the scores of a candidate become one relevance, how likely it is to be what is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from retrieval.index.index import Captions, Index
from retrieval.search.pipeline import Candidates, Clause, Fusion
from retrieval.search.relevance import Relevance, logit, sigmoid
from retrieval.search.reranker import Reranker
from retrieval.search.scorers import NEIGHBOURS, UNLIKENESS, VERBATIM, NeighbourScorer

CLOSE = 0.05
"""Relevance from which on a picture is a hit for words, as far as they are understood; see docs/ranking.md."""
USUAL_SHARE = 0.04
"""The share of the pictures up to which nothing changes; sentences seldom ask for more. See docs/ranking.md."""
MOST_SHARE = 0.5
UNSEEN, UNSEEN_SHARE = 20, 0.01
"""Added to each library's counts: UNSEEN pictures, of which this share shows what is asked for. A few tell little."""


VERBATIM_FLOOR = 0.99
"""The least relevance of a picture whose caption is the query, above all that is only likely."""


class BleuFusion:
    """Relevance is BLEU, where no model can place the words among the pictures."""

    def __call__(self, clause: Clause, candidates: Candidates) -> np.ndarray:
        return candidates.scores["bleu"]


class VerbatimFusion:
    """Another fusion's relevance; pictures with the typed words as a caption come first, in its order."""

    def __init__(self, usual: Fusion) -> None:
        self._usual = usual

    def __call__(self, clause: Clause, candidates: Candidates) -> np.ndarray:
        relevance = self._usual(clause, candidates)
        verbatim = candidates.scores[VERBATIM] == 1
        return np.where(verbatim, VERBATIM_FLOOR + (1 - VERBATIM_FLOOR) * relevance, relevance)


class CosineFusion:
    """Relevance is the cosine of one kind that nothing was calibrated on, 0 for what points away."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, clause: Clause, candidates: Candidates) -> np.ndarray:
        return np.clip(candidates.scores[self._name].astype(np.float64), 0, 1)


class UnlikenessFusion:
    """Relevance grows with the cosine to the opposite of a picture's vector: 0.5 where nothing is alike."""

    def __call__(self, clause: Clause, candidates: Candidates) -> np.ndarray:
        return np.asarray((1 + candidates.scores[UNLIKENESS].astype(np.float64)) / 2)


class PictureFusion:
    """Likeness to a picture, by the weights that its captioner was calibrated to.

    The score NEIGHBOURS counts by its distance from the best, which is largest for an item that has none.
    """

    def __init__(self, weights: Mapping[str, float], neighbours: NeighbourScorer | None = None) -> None:
        self._likeness, self._neighbours = Relevance.from_json(weights), neighbours

    def __call__(self, clause: Clause, candidates: Candidates) -> np.ndarray:
        scores = dict(candidates.scores)
        if self._neighbours is not None:
            scores[NEIGHBOURS] = self._neighbours.below_best(scores[NEIGHBOURS])
        return self._likeness(scores)


class WordFusion:
    """Relevance to words by the model's measure, as far as they are known; a person's own caption counts by BLEU."""

    def __init__(
        self, index: Index, weights: Mapping[str, float], reranker: Reranker | None, prior: float, known: float
    ) -> None:
        """`prior` is added to the logits; `known` is the share of the words that the model knows, from 0 to 1."""
        self._index, self._relevance, self._reranker = index, Relevance.from_json(weights), reranker
        self._prior, self._known = prior, known

    def __call__(self, clause: Clause, candidates: Candidates) -> np.ndarray:
        scores = candidates.scores
        logits = self._relevance.logit(scores)
        if self._reranker is not None:
            logits += self._reranker.shift(scores, sigmoid(logits))
        found = sigmoid(logits + self._prior) * self._known
        return np.where(self._index.by_user(candidates.ids), np.maximum(found, scores["bleu"]), found)


def term_prior(tokens: Sequence[str], captions: Captions, pictures: int) -> float:
    """Return what is added to the logits of relevance to words that the captions of `pictures` pictures say often.

    Relevance is learnt for queries that ask for few pictures. Where more are asked for, each is as much likelier as
    the odds have risen (Bayes' rule for another prior, as in Saerens et al. 2002). The share that is asked for is
    the product of the shares that say each of the words, from USUAL_SHARE to MOST_SHARE.
    """
    spread = captions.spread(sorted(set(tokens)))
    saying = pictures * float(np.prod(spread / max(pictures, 1)))
    share = (saying + UNSEEN * UNSEEN_SHARE) / (pictures + UNSEEN)
    usual, asked = logit(np.array([USUAL_SHARE, min(max(share, USUAL_SHARE), MOST_SHARE)]))
    return float(asked - usual)
