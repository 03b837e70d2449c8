"""Stages for queries that only exclude, and for queries that say how many: "three dogs"."""

from __future__ import annotations

from typing import Protocol

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


class Other(Protocol):
    """A clause beside the query's own, with its pipeline."""

    @property
    def clause(self) -> Clause: ...

    @property
    def pipeline(self) -> Pipeline: ...


class OfClause:
    """Retrieve what another clause retrieves, without its scores, which are kept for `relevance`."""

    def __init__(self, other: Other) -> None:
        self._other = other
        self._found = Candidates()

    def __call__(self, clause: Clause, candidates: Candidates) -> Candidates:
        self._found = self._other.pipeline.retrieve(self._other.clause)
        return candidates.with_ids(self._found.ids)

    def relevance(self, ids: np.ndarray) -> np.ndarray:
        """Return the relevance to the other clause of the items of rising `ids` (m,), those found among them."""
        clause, pipeline = self._other.clause, self._other.pipeline
        return pipeline.fusion(clause, pipeline.score(clause, self._found.with_ids(ids)))


class AlsoCloseTo:
    """A fusion in which pictures that are close to another clause stay close, after all that are close already.

    A caption seldom counts right: what "dogs" finds is found for "three dogs", those first whose captions say both.
    """

    def __init__(self, other: OfClause, own: Pipeline, saying: np.ndarray) -> None:
        """`own` is the pipeline of the query itself; `saying` are ids, rising."""
        self._other, self._own, self._saying = other, own, saying

    def __call__(self, clause: Clause, candidates: Candidates) -> np.ndarray:
        own = self._own.fusion(clause, candidates)
        other = self._other.relevance(candidates.ids)
        least = self._own.close + own * 1e-3
        found = np.where((other > 0) & (other >= self._own.close), np.maximum(own, least), own)
        return np.where(np.isin(candidates.ids, self._saying), (1 + found) / 2, found)
