"""Retrievers: find candidates by indexes, without comparing every item."""

from __future__ import annotations

import numpy as np

from retrieval.bleu.score import BleuVariant
from retrieval.index.index import Captions
from retrieval.search.pipeline import Candidates, Clause
from retrieval.vectors.base import RankedItems, Vectors

NEAREST = 1000
"""The nearest vectors that become candidates: as many as one page of hits may show."""
EVERY = 20_000
"""Up to this many pictures, all that share a word are candidates; beyond, the NEAREST by BLEU. Most pictures share a
word with most queries, and each candidate costs two microseconds, mostly for its cosine."""


class BleuRetriever:
    """The pictures whose captions share a word with a sentence of the clause."""

    def __init__(
        self, captions: Captions, variant: BleuVariant, pictures: int, allowed: np.ndarray | None = None
    ) -> None:
        """`pictures` is their number, `allowed` the ids (rising) of those that may be found, None for all."""
        self._captions, self._variant, self._allowed = captions, variant, allowed
        self._pictures = pictures
        self._count = pictures if pictures <= EVERY else NEAREST

    def __call__(self, clause: Clause, candidates: Candidates) -> Candidates:
        more = candidates.more
        for sentence in clause.sentences:
            ranked = self._captions.top(sentence, self._variant, self._count, self._allowed)
            ids = ranked.ids[ranked.scores > 0]
            more = more or (len(ids) == self._count < self._pictures)
            candidates = candidates.with_ids(ids)
        return Candidates(candidates.ids, candidates.scores, more)


class VectorRetriever:
    """The items whose vectors of one kind are nearest; their cosines become the score `name`."""

    def __init__(self, vectors: Vectors, kind: str, name: str, allowed: np.ndarray | None = None) -> None:
        self._vectors, self._kind, self._name, self._allowed = vectors, kind, name, allowed
        self._ranked: RankedItems | None = None

    def __call__(self, clause: Clause, candidates: Candidates) -> Candidates:
        if self._kind not in clause.vectors:
            return candidates
        self._ranked = self._vectors.search(self._kind, clause.vectors[self._kind], NEAREST, self._allowed)
        return candidates.with_ids(self._ranked.ids).with_scores(self._name, self._ranked.scores, self._ranked.ids)

    def nearest(self, clause: Clause, count: int) -> RankedItems:
        """Return the `count` nearest of all items, allowed or not; those that were retrieved are not searched again."""
        ranked = self._ranked
        if ranked is None or self._allowed is not None or count > NEAREST:
            return self._vectors.search(self._kind, clause.vectors[self._kind], count)
        return RankedItems(ranked.ids[:count], ranked.scores[:count])
