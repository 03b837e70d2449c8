"""What a classifier is worth on pictures that it did not see, and what its classes add to search by picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from data.errors import RetroflexError
from data.progress import progress_bar
from retrieval.library import Library
from retrieval.search.filters import Selection
from retrieval.search.query import Query, QueryImage
from training.classes.confusion import confusion_matrix
from training.classes.examples import Examples
from training.classes.trainer import calibration_error, cross_validated
from training.metrics import NEAREST


class HeldOut(NamedTuple):
    """Every picture classified once by a classifier that saw neither it nor its copies.

    `answers` (n,) are numbers of classes, `chances` (n,) their probabilities. `accuracy` and `balanced` (the mean over
    classes) are in percent, `error` is the expected calibration error; `matrix` (k, k) counts answers by class.
    """

    answers: np.ndarray
    chances: np.ndarray
    accuracy: float
    balanced: float
    error: float
    matrix: np.ndarray


def evaluate_held_out(examples: Examples, folds: int, seed: int, what: str = "classes") -> HeldOut:
    """Classify each picture by a classifier trained on the other folds. Raise RetroflexError, see `fit`."""
    truth, count = examples.numbers, len(examples.classes)
    if len(np.unique(examples.groups)) < folds:
        raise RetroflexError(f"{folds} folds need as many different pictures; label more, or give fewer --folds")
    chances = np.zeros((len(truth), count))
    with progress_bar(total=folds, desc=what, unit="fold") as bar:
        for rows, own in cross_validated(examples.vectors, truth, examples.groups, folds, seed):
            chances[rows] = own
            bar.update()
    answers = chances.argmax(axis=1)
    matrix = confusion_matrix(truth, answers, count)
    recalls = matrix.diagonal() / np.maximum(matrix.sum(axis=1), 1)
    return HeldOut(
        answers,
        chances.max(axis=1),
        100 * float(np.mean(answers == truth)),
        100 * float(recalls.mean()),
        calibration_error(chances, truth),
        matrix,
    )


def search_precision(library: Library, examples: Examples, held_out: HeldOut) -> dict[str, float]:
    """Return P@10, percent, of the product's search by each picture among the others: `all` of them, those that have
    the class that it was taken for (`filtered`), and those that were taken for it themselves (`predicted`).

    A filtered search with fewer than ten hits counts those that it lacks as wrong, up to what the class has.
    """
    ids, truth = examples.ids, examples.numbers
    own = dict(zip(ids.tolist(), truth.tolist(), strict=True))
    galleries: Mapping[str, np.ndarray | None] = {"all": None, "filtered": truth, "predicted": held_out.answers}
    sums = dict.fromkeys(galleries, 0.0)
    sizes = np.bincount(truth)
    for row in progress_bar(range(len(ids)), desc="search", unit="query", delay=1):
        asked = min(NEAREST, int(sizes[truth[row]]) - 1)
        query = _query(library, int(ids[row]))
        for name, classes in galleries.items():
            others = np.ones(len(ids), bool) if classes is None else classes == held_out.answers[row]
            others[row] = False
            found = _best(library, query, ids[others], asked)
            sums[name] += sum(own[one] == truth[row] for one in found) / max(asked, 1)
    return {name: 100 * total / len(ids) for name, total in sums.items()}


def _query(library: Library, picture_id: int) -> Query:
    described = library.description(picture_id)
    assert described is not None
    return Query(like=[QueryImage(described)])


def _best(library: Library, query: Query, among: np.ndarray, count: int) -> list[int]:
    if not len(among) or not count:
        return []
    ranking = library.searcher().hits(query, distant=True, selection=Selection(among))
    return [int(one) for one in ranking.ids[:count]]
