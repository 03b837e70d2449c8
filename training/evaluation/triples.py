"""Evaluate a picture that is asked for together with one that is liked and one that is not."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from captioner.types import SearchDescriber
from data.progress import progress_bar
from retrieval.search.query import Query, QueryImage
from training.evaluation.evaluate import EvaluationError
from training.evaluation.folders import Labelled
from training.evaluation.gallery import Described, RowRanker, describe_labelled, searchable
from training.metrics import NEAREST


class Triple(NamedTuple):
    """Rows of a query, of another picture of its class, and of one of another class."""

    query: int
    liked: int
    disliked: int


WAYS: Mapping[str, tuple[bool, bool]] = {
    "query alone": (False, False),
    "with the liked": (True, False),
    "without the disliked": (False, True),
    "with both": (True, True),
}
"""Whether a way of asking uses the liked picture, and the disliked one."""


def evaluate_triples(captioner: SearchDescriber, labelled: Labelled, seed: int, count: int) -> dict[str, Any]:
    """Search with `count` pictures alone, with one that is liked, with one that is disliked, and with both.

    `seed` draws the queries, and for each the liked picture among the others of its class. The disliked one is what a
    person would mark: the best hit of another class. Return the facts of the run and `precision_at_10` in percent for
    each way of asking; none of the three pictures counts as a hit. Raise EvaluationError when no class has three
    readable pictures, or all are of one class.
    """
    started = time.monotonic()
    described, labels = describe_labelled(captioner, labelled)
    with searchable(described, captioner) as (searcher, rows):
        gallery = _Gallery(described, RowRanker(described, searcher, rows))
        triples = list(_draw(gallery, labels, seed, count))
        if not triples:
            raise EvaluationError("no query has two others of its class and one of another; give more pictures")
        bar = progress_bar(triples, desc="searching", unit="triple")
        shares = [[_share(gallery, labels, triple, way) for way in WAYS.values()] for triple in bar]
    means = 100 * np.mean(shares, axis=0)
    return {
        "task": "similar",
        "model_version": captioner.model_version,
        "pictures": len(labels),
        "classes": len(set(labels.tolist())),
        "triples": len(triples),
        "seed": seed,
        "problems": described.problems,
        "precision_at_10": {name: float(mean) for name, mean in zip(WAYS, means, strict=True)},
        "seconds": round(time.monotonic() - started, 1),
    }


class _Gallery:
    """Searches by rows of the described pictures."""

    def __init__(self, described: Described, ranker: RowRanker) -> None:
        self._ranker = ranker
        self._images = [QueryImage(one) for one in described.descriptions]

    def ranked(self, like: Sequence[int], unlike: Sequence[int]) -> np.ndarray:
        """Return all rows that are found, best first, without those of the query."""
        query = Query(like=[self._images[row] for row in like], unlike=[self._images[row] for row in unlike])
        found = self._ranker.rank(query)
        return np.asarray(found[~np.isin(found, [*like, *unlike])])


def _draw(gallery: _Gallery, labels: np.ndarray, seed: int, count: int) -> Iterator[Triple]:
    """Yield at most `count` triples; queries without a liked or a disliked picture are left out."""
    random = np.random.default_rng(seed)
    for query in random.permutation(len(labels))[:count].tolist():
        same = np.flatnonzero(labels == labels[query])
        ranked = gallery.ranked([query], [])
        wrong = ranked[labels[ranked] != labels[query]]
        if len(same) > 2 and len(wrong):
            yield Triple(query, int(random.choice(same[same != query])), int(wrong[0]))


def _share(gallery: _Gallery, labels: np.ndarray, triple: Triple, way: tuple[bool, bool]) -> float:
    """Return the share of the ten best hits that have the query's class."""
    with_liked, with_disliked = way
    like = [triple.query, triple.liked] if with_liked else [triple.query]
    ranked = gallery.ranked(like, [triple.disliked] if with_disliked else [])
    nearest = ranked[~np.isin(ranked, triple)][:NEAREST]
    return float(np.count_nonzero(labels[nearest] == labels[triple.query])) / NEAREST
