"""The text-to-picture search protocol: how far from the top does each query find its own picture?

Every human caption of a picture is a query; its picture is the target; the gallery is all pictures of the
split. A rank is 1 for the best place. Equal scores share their places at random, with a fixed seed, so a
ranker gains nothing from the order in which the gallery happens to be stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

CUTS = (1, 5, 10)

Scorer = Callable[[str], Mapping[str, np.ndarray]]
"""A query to the gallery's scores (gallery size,) under each ranking's name; higher is better, 0 is no hit."""


def rank_of(scores: np.ndarray, target: int, random: np.random.Generator) -> int:
    """Return the rank, from 1, of row `target` among `scores` (n,); it draws its place among equal scores."""
    own = scores[target]
    better = int(np.count_nonzero(scores > own))
    equal = int(np.count_nonzero(scores == own))
    return better + 1 + int(random.integers(equal))


def ranks_of(scores: Iterable[np.ndarray], targets: Iterable[int], seed: int) -> np.ndarray:
    """Return the rank, int64 (queries,), of each query's target row among its scores (gallery size,)."""
    random = np.random.default_rng(seed)
    return np.array([rank_of(one, target, random) for one, target in zip(scores, targets, strict=True)], np.int64)


def ranks_of_queries(queries: Iterable[tuple[str, int]], scorer: Scorer, seed: int) -> dict[str, np.ndarray]:
    """Score every (query, target row) and return, for each of the scorer's rankings, the ranks int64 (queries,).

    Each ranking has its own generator with the same `seed`, so its figures do not depend on its company.
    """
    ranks: dict[str, list[int]] = {}
    generators: dict[str, np.random.Generator] = {}
    for query, target in queries:
        for name, scores in scorer(query).items():
            random = generators.setdefault(name, np.random.default_rng(seed))
            ranks.setdefault(name, []).append(rank_of(scores, target, random))
    return {name: np.asarray(values, np.int64) for name, values in ranks.items()}


def ranks_of_rows(scores: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the rank, from 1, of each query's picture among `scores` (queries, pictures); equal scores come before."""
    own = scores[np.arange(len(target)), target]
    return np.asarray((scores >= own[:, None]).sum(axis=1), np.int64)


def recall_at(ranks: np.ndarray, cuts: Sequence[int] = CUTS) -> dict[str, float]:
    """Return `r1`, `r5`, `r10` (for the given cuts): the share of `ranks` (queries,) within the cut, in percent."""
    return {f"r{cut}": 100 * float(np.mean(ranks <= cut)) for cut in cuts}


def summarise(ranks: np.ndarray) -> dict[str, float]:
    """Return recall at 1, 5 and 10 in percent and the `median` rank of `ranks` (queries,), at least one."""
    return {**recall_at(ranks), "median": float(np.median(ranks))}
