"""Scorers: one number for each candidate, by name. Cosines that a retriever found are not computed again; BLEU is."""

from __future__ import annotations

import numpy as np

from data.store import Store
from data.text import tokenize
from retrieval.bleu.score import INDEXED_ORDER, BleuVariant
from retrieval.index.index import Captions
from retrieval.search.pipeline import Candidates, Clause
from retrieval.search.retrievers import VectorRetriever
from retrieval.vectors.base import RankedItems, Vectors
from retrieval.vectors.neighbours import smoothed_cosine

NEIGHBOURS = "neighbours"
UNLIKENESS = "unlikeness"
VERBATIM = "verbatim"
MOST_VERBATIM = 200
"""Pictures whose captions are read to compare them with the typed words."""
NEIGHBOURHOOD = 200
"""How many of the nearest items support one another; more change nothing, see docs/ranking.md."""
ITSELF = 0.999
"""The cosine from which on an item is the query itself, or a copy of it to the pixel."""


class BleuScorer:
    """The mean BLEU of the clause's sentences to each picture's captions, as the score "bleu", float64."""

    def __init__(self, captions: Captions, variant: BleuVariant) -> None:
        self._captions, self._variant = captions, variant

    def __call__(self, clause: Clause, candidates: Candidates) -> Candidates:
        bleu = np.zeros(len(candidates.ids))
        for sentence in clause.sentences:
            bleu += self._captions.scores(sentence, self._variant, candidates.ids) / len(clause.sentences)
        return candidates.with_scores("bleu", bleu)


class VerbatimScorer:
    """The score VERBATIM: 1 for a picture with a caption that is the typed words, NaN for others.

    A picture whose score "bleu" is at most half lacks one of the words or pairs of words, so most need no second look.
    """

    def __init__(self, captions: Captions, store: Store) -> None:
        self._captions, self._store = captions, store

    def __call__(self, clause: Clause, candidates: Candidates) -> Candidates:
        (words,) = clause.sentences
        order = min(len(words), INDEXED_ORDER)
        exact = BleuVariant(order, (1 / order,) * order, smoothing=1)
        # Nearly no query stands in a caption as it is, which is found out soonest.
        saying = np.isin(candidates.ids, self._captions.ids_with(words), assume_unique=True)
        likely = candidates.ids[saying & (candidates.scores["bleu"] > 0.5)]
        if not len(likely):
            return candidates.with_scores(VERBATIM, np.full(len(candidates.ids), np.nan))
        likely = likely[self._captions.scores(words, exact, likely) > 1 - 1e-9]
        stored = self._store.captions(likely[:MOST_VERBATIM].tolist())
        ids = [number for number, own in stored.items() if any(tokenize(one.text) == [*words] for one in own)]
        return candidates.with_scores(VERBATIM, np.ones(len(ids)), np.array(sorted(ids), np.int64))


class CosineScorer:
    """The cosine to each item's vector of one kind, as the score `name`; 0 where there is none."""

    def __init__(self, vectors: Vectors, kind: str, name: str) -> None:
        self._vectors, self._kind, self._name = vectors, kind, name

    def __call__(self, clause: Clause, candidates: Candidates) -> Candidates:
        if self._kind not in clause.vectors:
            return candidates.with_scores(self._name, np.zeros(len(candidates.ids)))
        ids = candidates.missing(self._name)
        return candidates.with_scores(
            self._name, self._vectors.scores(self._kind, clause.vectors[self._kind], ids), ids
        )


class NeighbourScorer:
    """The score NEIGHBOURS: cosines that the nearest items support among each other, see `smoothed_cosine`.

    Only the NEIGHBOURHOOD nearest of the whole library have it, whatever part of it is searched; NaN for the others.
    The very nearest item may be a copy, whose neighbours say little about it: it counts as the best. Where it
    is the query ITSELF, it supports nothing, as the query would count twice.
    """

    def __init__(self, vectors: Vectors, kind: str, nearest: VectorRetriever) -> None:
        self._vectors, self._kind, self._nearest = vectors, kind, nearest
        self._range = (0.0, 0.0)

    def below_best(self, scores: np.ndarray) -> np.ndarray:
        """Return scores that this scorer made, less the highest of the library; NaN counts as the lowest."""
        lowest, highest = self._range
        return np.where(np.isfinite(scores), scores, lowest) - highest

    def __call__(self, clause: Clause, candidates: Candidates) -> Candidates:
        candidates = candidates.with_scores(NEIGHBOURS, np.full(len(candidates.ids), np.nan))
        if self._kind not in clause.vectors:
            return candidates
        found = self._nearest.nearest(clause, NEIGHBOURHOOD)
        found = RankedItems(found.ids[found.scores > 0], found.scores[found.scores > 0])
        if not len(found.ids):
            return candidates
        order = np.argsort(found.ids)
        ids, cosines = found.ids[order], found.scores[order]
        smoothed = self._smoothed(clause.vectors[self._kind], ids, cosines)
        self._range = (float(smoothed.min()), float(smoothed.max()))
        known = np.isin(ids, candidates.ids, assume_unique=True)
        return candidates.with_scores(NEIGHBOURS, smoothed[known], ids[known])

    def _smoothed(self, query: np.ndarray, ids: np.ndarray, cosines: np.ndarray) -> np.ndarray:
        nearest, others = int(np.argmax(cosines)), np.ones(len(ids), bool)
        others[nearest] = cosines[nearest] < ITSELF
        smoothed = np.ones(len(ids))
        if others.any():
            smoothed[others] = smoothed_cosine(query, self._vectors.get(self._kind, ids[others]))
            smoothed[cosines == cosines[nearest]] = smoothed[others].max()
        return smoothed
