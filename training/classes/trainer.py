"""Train a linear classifier of unit vectors: Fisher's discriminant with a shrunk scatter, and a temperature.

Classes are normal with one common scatter (Fisher 1936), which is shrunk towards a multiple of the identity (Ledoit and
Wolf 2004), so few pictures of a class are enough, and a closed form gives the answer. Its scores are too sure of
themselves; one temperature for all, chosen on pictures held out, makes chances of them (Guo et al. 2017).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np

from captioner.classifier import softmax
from data.errors import RetroflexError
from data.progress import progress_bar

SHRINKAGES = (0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8)
"""Shares of a multiple of the identity in the scatter; the best on what is held out is used."""
TEMPERATURES = np.geomspace(1, 500, 60)
INNER_FOLDS = 4
"""Parts of the training pictures, each held out once to choose the shrinkage and the temperature."""


class Linear(NamedTuple):
    """Scores are (x - centre) @ weights + bias, for x (n, d): float32 `centre` (d,), `weights` (d, k), `bias` (k,)."""

    centre: np.ndarray
    weights: np.ndarray
    bias: np.ndarray

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        """Return the scores, float64 (n, k)."""
        return ((vectors - self.centre) @ self.weights + self.bias).astype(np.float64)

    def divided(self, temperature: float) -> Linear:
        """Return the same with scores divided by a temperature."""
        return Linear(
            self.centre,
            (self.weights / temperature).astype(np.float32),
            (self.bias / temperature).astype(np.float32),
        )


class Fitted(NamedTuple):
    """A calibrated classifier, and how it was chosen; `held_out` is the share of pictures held out that are right."""

    linear: Linear
    shrinkage: float
    temperature: float
    held_out: float


def folds_of(classes: np.ndarray, groups: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return the fold of each picture, int64 (n,), drawn by seed.

    Pictures of one of `groups` (n,) are in one fold, and each of the `classes`, int64 (n,) from 0, is spread evenly.
    """
    _, groups = np.unique(groups, return_inverse=True)
    members = np.split(np.argsort(groups, kind="stable"), np.cumsum(np.bincount(groups))[:-1])
    order = np.random.default_rng(seed).permutation(len(members))
    counts = np.zeros((count, classes.max() + 1), np.int64)
    folds = np.zeros(len(classes), np.int64)
    # Large groups first: the small ones then level the folds.
    for rows in sorted((members[number] for number in order), key=len, reverse=True):
        own = np.bincount(classes[rows], minlength=counts.shape[1])
        of_class, of_all = counts[:, own.argmax()], counts.sum(axis=1)
        fold = int(np.lexsort((np.arange(count), of_all, of_class))[0])
        counts[fold] += own
        folds[rows] = fold
    return folds


def discriminants(vectors: np.ndarray, classes: np.ndarray, count: int) -> Iterator[Linear]:
    """Yield the discriminant for each of SHRINKAGES, of vectors float32 (n, d) of `classes`, int64 (n,) of `count`.

    A class without a picture is never the best.
    """
    sizes = np.bincount(classes, minlength=count)
    centre = vectors.mean(axis=0)
    shifted = (vectors - centre).astype(np.float64)
    means = np.zeros((count, vectors.shape[1]))
    np.add.at(means, classes, shifted)
    means /= np.maximum(sizes, 1)[:, None]
    own = shifted - means[classes]
    values, directions = np.linalg.eigh(own.T @ own / len(own))
    values, turned = np.maximum(values, 0), means @ directions
    with np.errstate(divide="ignore"):
        prior = np.log(sizes / len(classes))
    for share in SHRINKAGES:
        scaled = turned / np.maximum((1 - share) * values + share * values.mean(), 1e-12)
        bias = np.maximum(prior - 0.5 * (scaled * turned).sum(axis=1), -1e6)
        yield Linear(centre.astype(np.float32), (directions @ scaled.T).astype(np.float32), bias.astype(np.float32))


def fit(vectors: np.ndarray, classes: np.ndarray, groups: np.ndarray, seed: int) -> Fitted:
    """Train on unit vectors float32 (n, d) with `classes`, int64 (n,) from 0, each of which has a picture.

    Every picture is held out once, with all others of its group; the shrinkage with the most right on these is used.
    Raise RetroflexError for fewer than two classes or groups.
    """
    count = int(classes.max()) + 1 if len(classes) else 0
    if count < 2 or len(np.unique(groups)) < 2:
        raise RetroflexError("two classes with different pictures are needed; label more pictures")
    scores = np.zeros((len(SHRINKAGES), len(vectors), count))
    folds = folds_of(classes, groups, min(INNER_FOLDS, len(np.unique(groups))), seed)
    for fold in progress_bar(range(folds.max() + 1), desc="shrinkage", unit="fold", delay=2, leave=False):
        held = folds == fold
        for number, linear in enumerate(discriminants(vectors[~held], classes[~held], count)):
            scores[number, held] = linear(vectors[held])
    right = (scores.argmax(axis=2) == classes).mean(axis=1)
    calibrated = {row: _calibrated(scores[row], classes) for row in np.flatnonzero(right == right.max()).tolist()}
    best = min(calibrated, key=lambda row: calibrated[row].error)
    linear = next(islice(discriminants(vectors, classes, count), best, None))
    temperature = calibrated[best].temperature
    return Fitted(linear.divided(temperature), SHRINKAGES[best], temperature, float(right[best]))


class _Calibrated(NamedTuple):
    """The temperature that makes the best chances of scores, and the calibration error that is left."""

    temperature: float
    error: float


def _calibrated(scores: np.ndarray, classes: np.ndarray) -> _Calibrated:
    errors = [calibration_error(softmax(scores / temperature), classes) for temperature in TEMPERATURES]
    least = int(np.argmin(errors))
    return _Calibrated(float(TEMPERATURES[least]), errors[least])


def calibration_error(chances: np.ndarray, classes: np.ndarray) -> float:
    """Return how far the best chances (n, k) are from the share that is right, the mean over tenths of the chances.

    This is the expected calibration error of Naeini, Cooper and Hauskrecht (2015).
    """
    best, right = chances.max(axis=1), chances.argmax(axis=1) == classes
    tenths = np.minimum((best * 10).astype(np.int64), 9)
    gaps = np.bincount(tenths, right - best, minlength=10)
    return float(np.abs(gaps).sum() / len(classes))


def cross_validated(
    vectors: np.ndarray, classes: np.ndarray, groups: np.ndarray, folds: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield for each fold its rows and their probabilities, float64 (m, k), by a classifier that saw none of them.

    Shrinkage and temperature are chosen without them, too. Raise RetroflexError, see `fit`.
    """
    count = int(classes.max()) + 1
    numbers = folds_of(classes, groups, folds, seed)
    for fold in range(folds):
        held = np.flatnonzero(numbers == fold)
        if not len(held):
            continue
        seen = np.flatnonzero(numbers != fold)
        known, own = np.unique(classes[seen], return_inverse=True)
        fitted = fit(vectors[seen], own, groups[seen], seed)
        chances = np.zeros((len(held), count))
        chances[:, known] = softmax(fitted.linear(vectors[held]))
        yield held, chances
