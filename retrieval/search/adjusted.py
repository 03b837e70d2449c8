"""Stages for queries that only exclude, and for queries that say how many: "three dogs"."""

from __future__ import annotations

from collections.abc import Sequence

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
    """Retrieve what another clause retrieves, without its scores, which are kept for `close`."""

    def __init__(self, clause: Clause, pipeline: Pipeline) -> None:
        """`pipeline` answers the other `clause`; among its scores is "bleu"."""
        self._clause, self._pipeline = clause, pipeline
        self._found = Candidates()

    def __call__(self, clause: Clause, candidates: Candidates) -> Candidates:
        self._found = self._pipeline.retrieve(self._clause)
        return candidates.with_ids(self._found.ids)

    def close(self, ids: np.ndarray) -> np.ndarray:
        """Return which items of rising `ids` (m,), those found among them, are close to the clause, bool (m,).

        A caption that is the clause word for word has a BLEU of 1, and is close whatever its relevance.
        """
        scored = self._pipeline.score(self._clause, self._found.with_ids(ids))
        relevance = self._pipeline.fusion(self._clause, scored)
        return (relevance > 0) & (relevance >= self._pipeline.close) | (scored.scores["bleu"] > 1 - 1e-9)


class AlsoCloseTo:
    """A fusion in which pictures that are close to other clauses stay close, after all that are close already.

    A caption seldom counts right: what "dogs" finds is found for "three dogs", those first whose captions say both.
    """

    def __init__(self, others: Sequence[OfClause], own: Pipeline, saying: np.ndarray) -> None:
        """`own` is the pipeline of the query itself; `saying` are ids, rising."""
        self._others, self._own, self._saying = others, own, saying

    def __call__(self, clause: Clause, candidates: Candidates) -> np.ndarray:
        own = self._own.fusion(clause, candidates)
        least = self._own.close + own * 1e-3
        close = np.any([other.close(candidates.ids) for other in self._others], axis=0)
        found = np.where(close, np.maximum(own, least), own)
        return np.where(np.isin(candidates.ids, self._saying), (1 + found) / 2, found)
