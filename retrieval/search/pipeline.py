"""The interface of ranking: clauses of a query, candidates, and stages with one signature.

    clause -> retrievers -> candidates of all clauses together -> scorers -> reranker -> fusion -> relevance

Every stage takes a clause and candidates and returns candidates: a retriever adds items, a scorer and a reranker add
scores. Evaluation runs the same stages (`training.evaluation.rankers`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from retrieval.search.relevance import Scores
from retrieval.vectors.pieces import distinct


@dataclass(frozen=True)
class Clause:
    """One part of a query: words, or a described picture.

    `name` is "words", "like1", "unlike2" and so on. `captions` are the typed words or the picture's captions,
    `sentences` the same split into words. `vectors` by kind are what the items' vectors are compared with.
    """

    name: str
    captions: Sequence[str] = ()
    sentences: Sequence[Sequence[str]] = ()
    vectors: Mapping[str, np.ndarray] = field(default_factory=dict)
    weight: float = 1.0


@dataclass(frozen=True)
class Candidates:
    """Candidate items: `ids` int64 (n,), rising, and `scores` by name, float (n,), NaN for unknown ones.

    `more`: a retriever left out further items that match.
    """

    ids: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    scores: Scores = field(default_factory=dict)
    more: bool = False

    def with_ids(self, ids: np.ndarray) -> Candidates:
        """Return these and the items `ids`, in any order; their scores are unknown."""
        every = distinct([self.ids, ids])
        if len(every) == len(self.ids):
            return self
        rows = np.searchsorted(every, self.ids)
        scores = {}
        for name, known in self.scores.items():
            scores[name] = np.full(len(every), np.nan, known.dtype)
            scores[name][rows] = known
        return replace(self, ids=every, scores=scores)

    def with_scores(self, name: str, values: np.ndarray, ids: np.ndarray | None = None) -> Candidates:
        """Return the same items with scores `values` (m,) of the items `ids` (m,), by default all, under `name`."""
        if ids is not None:
            known = self.scores.get(name)
            every = np.full(len(self.ids), np.nan, values.dtype) if known is None else known.copy()
            every[np.searchsorted(self.ids, ids)] = values
            values = every
        others = {other: score for other, score in self.scores.items() if other != name}
        return replace(self, scores={**others, name: values})  # in the order of the stages that made them last

    def missing(self, name: str) -> np.ndarray:
        """Return the ids whose score of that name is unknown, rising."""
        known = self.scores.get(name)
        return self.ids if known is None else self.ids[np.isnan(known)]


class Stage(Protocol):
    """A retriever, a scorer or a reranker."""

    def __call__(self, clause: Clause, candidates: Candidates) -> Candidates: ...


class Fusion(Protocol):
    """Turns the scores of candidates into one relevance, float (n,) between 0 and 1."""

    def __call__(self, clause: Clause, candidates: Candidates) -> np.ndarray: ...


@dataclass(frozen=True)
class Pipeline:
    """The stages for one clause.

    A picture is a hit from the relevance `close` on. Equal relevance is ordered by the score `tie_break`.
    """

    retrievers: Sequence[Stage]
    scorers: Sequence[Stage]
    fusion: Fusion
    close: float = 0.0
    tie_break: str = "cosine"

    def retrieve(self, clause: Clause) -> Candidates:
        """Return the candidates that this clause alone brings."""
        return _through(self.retrievers, clause, Candidates())

    def score(self, clause: Clause, candidates: Candidates) -> Candidates:
        """Return the candidates with all scores, the reranker's included."""
        return _through(self.scorers, clause, candidates)


def _through(stages: Sequence[Stage], clause: Clause, candidates: Candidates) -> Candidates:
    for stage in stages:
        candidates = stage(clause, candidates)
    return candidates
