"""Train a projection of vectors by triplet loss, from classes or from given triplets.

It begins with the whitening of what pictures of one class differ in (linear discriminant analysis with a shrunk
scatter), which few pictures already teach, and goes on with semi-hard negatives (Schroff, Kalenichenko and Philbin
2015, "FaceNet"): those further from the anchor than the positive, but by less than a margin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from data.errors import RetroflexError
from data.progress import progress_bar
from training.metric.triplet_loss import Projection, Triplets, loss_and_gradient, mine, share_in_order
from training.metrics import NEAREST

SHRINKAGES = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
"""Shares of a multiple of the identity in the scatter; the best on what is held out is used."""
FOLDS = 4
"""Parts of the classes, or of the triplets; each is held out once."""
PATIENCE = 5
"""Epochs without a better result after which it ends."""
CLASSES, EACH = 12, 8
"""Classes in a batch, and the most pictures of each."""
MOMENTS = (0.9, 0.999)


@dataclass(frozen=True)
class Settings:
    """`epochs` at most, `margin` in squared distance of unit vectors, learning `rate` of Adam
    in shares of the mean of the matrix."""

    epochs: int = 30
    margin: float = 0.2
    rate: float = 0.02
    seed: int = 0


class Trained(NamedTuple):
    """A projection, and how it was chosen.

    `score` is the mean of whitenings that were made without what was held out, `before` that of the vectors as they
    were; `shrinkage` is that of the whitening, `epochs` are those of descent after it.
    """

    projection: Projection
    score: float
    before: float
    shrinkage: float
    epochs: int


Score = Callable[[Projection | None], float]
"""Rates a projection on what was held out; None stands for the vectors as they are."""


class Examples(NamedTuple):
    """What is trained on: `differences` (m, d) that should not matter, and `batches` of one epoch.

    A batch has rows of the vectors and triplets of their numbers in it, made for their current projections (b, k).
    """

    differences: np.ndarray
    batches: Callable[[], Iterator[tuple[np.ndarray, Callable[[np.ndarray], Triplets]]]]


class Trial(NamedTuple):
    """A training without some examples, and how it is rated on these."""

    vectors: np.ndarray
    examples: Examples
    score: Score


def precision_at_10(vectors: np.ndarray, labels: np.ndarray) -> float:
    """Return the percent of the ten nearest others of each of the unit `vectors` (n, d) that have its label.

    The mean over those whose label another one has. Raise RetroflexError where there is none.
    """
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -np.inf)
    count = min(NEAREST, len(vectors) - 1)
    nearest = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
    same = (labels[nearest] == labels[:, None]).mean(axis=1)
    _, which, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    asked = sizes[which] > 1
    if not asked.any():
        raise RetroflexError("no class has two pictures; give more pictures")
    return 100 * float(same[asked].mean())


def split_classes(labels: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Return which rows belong to a `share` of the classes with two pictures or more, drawn by seed; one at least."""
    names, sizes = np.unique(labels, return_counts=True)
    names = np.random.default_rng(seed).permutation(names[sizes > 1])
    return np.isin(labels, names[: max(1, round(share * len(names)))])


def folds_of_classes(labels: np.ndarray, seed: int) -> list[np.ndarray]:
    """Return which rows are held out, bool (n,), in each of FOLDS parts of the classes with two pictures or more."""
    names, sizes = np.unique(labels, return_counts=True)
    names = np.random.default_rng(seed).permutation(names[sizes > 1])
    return [np.isin(labels, names[number::FOLDS]) for number in range(FOLDS)]


def train_on_classes(vectors: np.ndarray, labels: np.ndarray, settings: Settings) -> Trained:
    """Train on unit vectors float32 (n, d) with `labels` (n,).

    Every class is held out once, and the shrinkage with the best mean P@10 among classes held out is used; one part
    of them tells how many epochs are best. Then all serve to train. Raise RetroflexError for fewer than four classes
    with two pictures.
    """
    if np.count_nonzero(np.unique(labels, return_counts=True)[1] > 1) < FOLDS:
        raise RetroflexError("four classes with two pictures or more are needed; give more pictures")
    trials = []
    for held in folds_of_classes(labels, settings.seed):
        score = partial(_precision, vectors[held], labels[held])
        trials.append(Trial(vectors[~held], _by_class(vectors[~held], labels[~held], settings), score))
    return _train(vectors, _by_class(vectors, labels, settings), trials, settings)


def train_on_triplets(vectors: np.ndarray, triplets: Triplets, settings: Settings) -> Trained:
    """Train on unit vectors float32 (n, d) and triplets of their rows; the score is the percent in the right order.

    As with classes, each is held out once. Raise RetroflexError for fewer than four triplets.
    """
    count = len(triplets.anchors)
    if count < 4:
        raise RetroflexError(f"four triplets or more are needed, not {count}")
    order = np.random.default_rng(settings.seed).permutation(count)
    trials = []
    for number in range(FOLDS):
        held = np.isin(np.arange(count), order[number::FOLDS])
        score = partial(_in_order, vectors, triplets.take(np.flatnonzero(held)))
        trials.append(Trial(vectors, _by_triplets(vectors, triplets.take(np.flatnonzero(~held)), settings), score))
    return _train(vectors, _by_triplets(vectors, triplets, settings), trials, settings)


def _precision(vectors: np.ndarray, labels: np.ndarray, projection: Projection | None) -> float:
    return precision_at_10(vectors if projection is None else projection(vectors), labels)


def _in_order(vectors: np.ndarray, triplets: Triplets, projection: Projection | None) -> float:
    return share_in_order(vectors if projection is None else projection(vectors), triplets)


def whitenings(vectors: np.ndarray, differences: np.ndarray) -> dict[float, Projection]:
    """Return by shrinkage the projections that make `differences` (m, d) equally large in all directions.

    These should not matter. Their scatter is shrunk towards a multiple of the identity (Ledoit and Wolf 2004).
    """
    values, directions = np.linalg.eigh((differences.T @ differences / len(differences)).astype(np.float64))
    centre, made = vectors.mean(axis=0).astype(np.float32), {}
    for share in SHRINKAGES:
        shrunk = (1 - share) * np.maximum(values, 0) + share * values.mean()
        matrix = directions / np.sqrt(np.maximum(shrunk, 1e-12)) @ directions.T
        made[share] = Projection(centre, (matrix / np.abs(matrix).max()).astype(np.float32))
    return made


def differences_of_classes(vectors: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return the difference of each vector (n, d) to the mean of its class, of `classes` int64 (n,) from 0."""
    sums = np.zeros((classes.max() + 1, vectors.shape[1]), np.float64)
    np.add.at(sums, classes, vectors)
    return np.asarray(vectors - (sums / np.bincount(classes)[:, None])[classes])


def class_batches(classes: np.ndarray, random: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield the rows of CLASSES classes, EACH of one at most, until every class was in a batch."""
    for chosen in _pieces(random.permutation(classes.max() + 1), CLASSES):
        yield np.concatenate([random.permutation(np.flatnonzero(classes == one))[:EACH] for one in chosen])


def _by_class(vectors: np.ndarray, labels: np.ndarray, settings: Settings) -> Examples:
    classes = np.unique(labels, return_inverse=True)[1]
    random = np.random.default_rng(settings.seed)

    def batches() -> Iterator[tuple[np.ndarray, Callable[[np.ndarray], Triplets]]]:
        for rows in class_batches(classes, random):
            yield rows, partial(_mined, classes[rows])

    return Examples(differences_of_classes(vectors, classes), batches)


def _mined(classes: np.ndarray, units: np.ndarray) -> Triplets:
    return mine(units @ units.T, classes)


def _by_triplets(vectors: np.ndarray, triplets: Triplets, settings: Settings) -> Examples:
    random = np.random.default_rng(settings.seed)

    def batches() -> Iterator[tuple[np.ndarray, Callable[[np.ndarray], Triplets]]]:
        for numbers in _pieces(random.permutation(len(triplets.anchors)), CLASSES * EACH):
            rows, own = np.unique(np.concatenate(triplets.take(numbers)), return_inverse=True)
            part = Triplets(*np.split(own, 3))
            yield rows, partial(_given, part)

    return Examples(vectors[triplets.anchors] - vectors[triplets.positives], batches)


def _given(triplets: Triplets, units: np.ndarray) -> Triplets:
    return triplets


def _train(vectors: np.ndarray, examples: Examples, trials: Sequence[Trial], settings: Settings) -> Trained:
    """Train on all `examples` as was best in the trials."""
    scores = {share: float(np.mean(values)) for share, values in _scores_by_shrinkage(trials).items()}
    share = max(scores, key=lambda one: scores[one])
    epochs = _best_epochs(trials[0], share, settings)
    projection = whitenings(vectors, examples.differences)[share]
    descent = _descend(vectors, examples, projection, replace(settings, epochs=epochs))
    projection = [projection, *(one for one, _ in descent)][-1]
    return Trained(projection, scores[share], float(np.mean([one.score(None) for one in trials])), share, epochs)


def _scores_by_shrinkage(trials: Sequence[Trial]) -> dict[float, list[float]]:
    scores: dict[float, list[float]] = {share: [] for share in SHRINKAGES}
    for trial in progress_bar(trials, desc="whitening", unit="trial", delay=1):
        for share, projection in whitenings(trial.vectors, trial.examples.differences).items():
            scores[share].append(trial.score(projection))
    return scores


def _best_epochs(trial: Trial, share: float, settings: Settings) -> int:
    """Return after how many epochs of descent from that shrinkage a trial is best."""
    first = whitenings(trial.vectors, trial.examples.differences)[share]
    best, highest = 0, trial.score(first)
    with progress_bar(total=settings.epochs, desc="metric", unit="epoch") as bar:
        for epoch, (projection, loss) in enumerate(_descend(trial.vectors, trial.examples, first, settings), 1):
            now = trial.score(projection)
            bar.set_postfix(loss=f"{loss:.4f}", held_out=f"{now:.2f}")
            bar.update()
            if now > highest:
                best, highest = epoch, now
            if epoch - best >= PATIENCE:
                break
    return best


def _descend(
    vectors: np.ndarray, examples: Examples, first: Projection, settings: Settings
) -> Iterator[tuple[Projection, float]]:
    """Follow the gradient by Adam from `first`; yield the projection and the mean loss after each epoch."""
    centre, matrix = first
    step = _Adam(settings.rate * float(np.abs(matrix).mean()), matrix.shape)
    for _ in range(settings.epochs):
        losses = []
        for rows, triplets_of in examples.batches():
            projection = Projection(centre, matrix)
            triplets = triplets_of(projection(vectors[rows]))
            loss, gradient = loss_and_gradient(vectors[rows], projection, triplets, settings.margin)
            matrix = matrix - step(gradient)
            losses.append(loss)
        yield Projection(centre, matrix), float(np.mean(losses))


class _Adam:
    """Kingma and Ba (2015), "Adam: A Method for Stochastic Optimization"."""

    def __init__(self, rate: float, shape: tuple[int, ...]) -> None:
        self._rate, self._steps = rate, 0
        self._mean: np.ndarray = np.zeros(shape, np.float32)
        self._square: np.ndarray = np.zeros(shape, np.float32)

    def __call__(self, gradient: np.ndarray) -> np.ndarray:
        self._steps += 1
        first, second = MOMENTS
        self._mean = first * self._mean + (1 - first) * gradient
        self._square = second * self._square + (1 - second) * gradient**2
        mean, square = self._mean / (1 - first**self._steps), self._square / (1 - second**self._steps)
        return np.asarray(self._rate * mean / (np.sqrt(square) + 1e-8), np.float32)


def _pieces(values: np.ndarray, size: int) -> Iterator[np.ndarray]:
    return (values[start : start + size] for start in range(0, len(values), size))
