"""Scorers: one number for each candidate, by name. A scorer computes only what no stage before it has."""

from __future__ import annotations

import numpy as np

from retrieval.bleu.score import BleuVariant
from retrieval.index.index import Captions
from retrieval.search.pipeline import Candidates, Clause
from retrieval.vectors.base import VectorStore


class BleuScorer:
    """The mean BLEU of the clause's sentences to each picture's captions, as the score "bleu", float64."""

    def __init__(self, captions: Captions, variant: BleuVariant) -> None:
        self._captions, self._variant = captions, variant

    def __call__(self, clause: Clause, candidates: Candidates) -> Candidates:
        bleu = np.zeros(len(candidates.ids))
        for sentence in clause.sentences:
            bleu += self._captions.scores(sentence, self._variant, candidates.ids) / len(clause.sentences)
        return candidates.with_scores("bleu", bleu)


class CosineScorer:
    """The cosine to each item's vector of one kind, as the score `name`; 0 where there is none."""

    def __init__(self, vectors: VectorStore, kind: str, name: str) -> None:
        self._vectors, self._kind, self._name = vectors, kind, name

    def __call__(self, clause: Clause, candidates: Candidates) -> Candidates:
        if self._kind not in clause.vectors:
            return candidates.with_scores(self._name, np.zeros(len(candidates.ids)))
        ids = candidates.missing(self._name)
        return candidates.with_scores(
            self._name, self._vectors.scores(self._kind, clause.vectors[self._kind], ids), ids
        )
