"""Stages for queries that only exclude, and for queries that say how many: "three dogs"."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from retrieval.search.pipeline import Candidates, Clause, Pipeline

EVERYTHING = "everything"


class Everything:
    """Retrieve all pictures; their score EVERYTHING is unknown, as nothing is asked for."""

    def __init__(self, ids: np.ndarray) -> None:
        self._ids = ids

    def __call__(self, clause: Clause, candidates: Candidates) -> Candidates:
        candidates = candidates.with_ids(self._ids)
        return candidates.with_scores(EVERYTHING, np.full(len(candidates.ids), np.nan))


class AllWanted:
    """The fusion of a query that asks for nothing: all pictures are wanted."""

    def __call__(self, clause: Clause, candidates: Candidates) -> np.ndarray:
        return np.ones(len(candidates.ids))


class OfClause:
    """Retrieve what another clause retrieves, without its scores."""

    def __init__(self, clause: Clause, retrieve: Callable[[Clause], Candidates]) -> None:
        self._clause, self._retrieve = clause, retrieve

    def __call__(self, clause: Clause, candidates: Candidates) -> Candidates:
        return candidates.with_ids(self._retrieve(self._clause).ids)


class AlsoCloseTo:
    """A fusion in which pictures that are close to another clause stay close, after all that are close already.

    A caption seldom counts right: what "dogs" finds is found for "three dogs", those first whose captions say both.
    """

    def __init__(self, clause: Clause, pipeline: Pipeline, own: Pipeline, saying: np.ndarray) -> None:
        """`clause` and `pipeline` are the other's, `own` is that of the query itself; `saying` are ids, rising."""
        self._clause, self._pipeline, self._own, self._saying = clause, pipeline, own, saying

    def __call__(self, clause: Clause, candidates: Candidates) -> np.ndarray:
        own = self._own.fusion(clause, candidates)
        scored = self._pipeline.score(self._clause, Candidates().with_ids(candidates.ids))
        other = self._pipeline.fusion(self._clause, scored)
        least = self._own.close + own * 1e-3
        found = np.where((other > 0) & (other >= self._own.close), np.maximum(own, least), own)
        return np.where(np.isin(candidates.ids, self._saying), (1 + found) / 2, found)
