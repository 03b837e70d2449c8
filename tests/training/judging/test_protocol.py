"""Ranks, ties and recall of the search protocol."""

from __future__ import annotations

import numpy as np
import pytest

from training.judging.protocol import rank_of, ranks_of, ranks_of_queries, recall_at, summarise


def test_rank_counts_the_strictly_better() -> None:
    scores = np.array([0.1, 0.9, 0.5, 0.7])
    ranks = [rank_of(scores, target, np.random.default_rng(0)) for target in range(4)]
    assert ranks == [4, 1, 3, 2]


def test_ties_are_uniform_over_the_shared_places() -> None:
    scores = np.array([0.9, 0.5, 0.5, 0.5, 0.1])
    random = np.random.default_rng(1)
    ranks = np.array([rank_of(scores, 2, random) for _ in range(3000)])
    places, counts = np.unique(ranks, return_counts=True)
    assert places.tolist() == [2, 3, 4]
    assert np.all(np.abs(counts - 1000) < 120)


def test_a_target_without_hit_shares_the_places_after_the_hits() -> None:
    scores = np.zeros(1000)
    scores[:400] = 0.5
    random = np.random.default_rng(0)
    ranks = np.array([rank_of(scores, 999, random) for _ in range(2000)])
    assert ranks.min() > 400
    assert ranks.mean() == pytest.approx(700, abs=20)


def test_a_constant_ranker_is_no_better_than_chance() -> None:
    queries = [(str(row), row) for row in range(1000)]
    ranks = ranks_of_queries(queries, lambda query: {"constant": np.ones(1000)}, seed=3)["constant"]
    assert summarise(ranks)["r10"] < 3
    assert summarise(ranks)["median"] == pytest.approx(500, abs=60)


def _scorer(query: str) -> dict[str, np.ndarray]:
    scores = np.round(np.random.default_rng(len(query)).random(50), 1)
    return {"first": scores, "second": -scores}


def test_the_same_seed_gives_the_same_ranks() -> None:
    queries = [("x" * row, row) for row in range(50)]
    once, again = (ranks_of_queries(queries, _scorer, seed=7) for _ in range(2))
    other = ranks_of_queries(queries, _scorer, seed=8)
    assert np.array_equal(once["first"], again["first"])
    assert not np.array_equal(once["first"], other["first"])


def test_a_ranking_is_judged_alike_alone_and_in_company() -> None:
    queries = [("x" * row, row) for row in range(50)]
    together = ranks_of_queries(queries, _scorer, seed=7)
    alone = ranks_of_queries(queries, lambda query: {"second": _scorer(query)["second"]}, seed=7)
    assert np.array_equal(together["second"], alone["second"])


def test_ranks_of_scores_are_those_of_queries() -> None:
    queries = [("x" * row, row) for row in range(50)]
    ranks = ranks_of((_scorer(query)["first"] for query, _ in queries), range(50), seed=7)
    assert np.array_equal(ranks, ranks_of_queries(queries, _scorer, seed=7)["first"])


def test_recall_and_median() -> None:
    ranks = np.array([1, 2, 5, 6, 10, 11, 100, 1])
    assert recall_at(ranks) == {"r1": 25.0, "r5": 50.0, "r10": 75.0}
    assert recall_at(ranks, (100,)) == {"r100": 100.0}
    assert summarise(ranks)["median"] == 5.5
