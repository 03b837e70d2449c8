"""What a ranking of pictures is worth: precision, average precision, recall of the true neighbours, copies found."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from training.metrics import NEAREST

TOLERANCE = 1e-6
"""Neighbours whose cosines differ by less are equally near, so that equal pictures do not lower the recall."""
DEPTH = 10_000
"""The most pictures that a ranking is asked for."""
Search = Callable[[int, int], np.ndarray]
"""Returns the rows that are nearest to the picture of a row, that row included, and no more than a number of them."""


@dataclass
class Figures:
    """The figures of each query."""

    precisions: list[float] = field(default_factory=list)
    averages: list[float] = field(default_factory=list)
    recalls: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return the means in percent and the median time of a query in milliseconds; None where there is none."""
        return {
            "p10": _percent(self.precisions),
            "map": _percent(self.averages),
            "recall": _percent(self.recalls),
            "ms_query": round(1000 * float(np.median(self.seconds)), 4) if self.seconds else None,
        }


def measure(
    search: Search, count: int, queries: Iterable[int], labels: np.ndarray | None, matrix: np.ndarray | None
) -> Figures:
    """Search with the pictures of the rows `queries` among all `count`; each query's own picture is left out.

    `labels` (count,) are the classes, None for pictures without. `matrix` (count, d) are the unit vectors whose
    cosines say which neighbours are the true ones, None where there are none.

    - P@10 is the share of the ten best that have the query's class.
    - mAP is the mean of the average precisions over the whole ranking, at most DEPTH long. What a search does not
      return counts as not found.
    - Recall is the share of the ten true neighbours that are among the ten best.
    - The time is that of asking for the ten best and the picture itself.
    """
    figures = Figures()
    sizes = Counter([] if labels is None else labels.tolist())
    for query in queries:
        started = time.perf_counter()
        found = search(query, NEAREST + 1)
        figures.seconds.append(time.perf_counter() - started)
        nearest = found[found != query][:NEAREST]
        if matrix is not None:
            figures.recalls.append(_recall(nearest, matrix @ matrix[query], query))
        if labels is not None and sizes[str(labels[query])] > 1:
            ranking = search(query, min(count, DEPTH))
            relevant = labels[ranking[ranking != query]] == labels[query]
            figures.precisions.append(np.count_nonzero(labels[nearest] == labels[query]) / min(NEAREST, count - 1))
            figures.averages.append(average_precision(relevant, sizes[str(labels[query])] - 1))
    return figures


def average_precision(relevant: np.ndarray, total: int) -> float:
    """Return the mean, over all `total` relevant items, of the precision at the rank of each; 0 for one not ranked.

    `relevant` (n,) bool says of each rank whether its item is relevant.
    """
    ranks = np.flatnonzero(relevant) + 1
    return float(np.sum(np.arange(1, len(ranks) + 1) / ranks)) / total


def first_found(
    search: Callable[[int], np.ndarray], targets: Sequence[int], items: np.ndarray | None = None
) -> float | None:
    """Return for how many percent of the copies the first result is the original: row `targets[number]`.

    `items` (n,) are the pictures of the rows, of which several may be the same; None where each is another one.
    """
    hits = []
    for number, target in enumerate(targets):
        found = search(number)[:1].tolist()
        hits.append(float(any(one == target or (items is not None and items[one] == items[target]) for one in found)))
    return _percent(hits)


def _recall(nearest: np.ndarray, cosines: np.ndarray, query: int) -> float:
    count = min(NEAREST, len(cosines) - 1)
    if not count:
        return 1.0
    others = np.delete(cosines, query)
    least = np.partition(others, -count)[-count]
    return float(np.count_nonzero(cosines[nearest] >= least - TOLERANCE)) / count


def _percent(values: Sequence[float]) -> float | None:
    return round(100 * float(np.mean(values)), 2) if values else None
