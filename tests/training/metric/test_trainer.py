"""Training of a metric: the gradient, the triplets that are mined, and that like comes near like."""

from __future__ import annotations

import numpy as np
import pytest

from captioner.arithmetic import unit
from data.errors import RetroflexError
from training.metric.trainer import (
    Settings,
    precision_at_10,
    split_classes,
    train_on_classes,
    train_on_triplets,
)
from training.metric.triplet_loss import Projection, Triplets, loss_and_gradient, mine, share_in_order


def classes_in_noise(classes: int = 16, each: int = 8, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors whose classes show in 6 directions, and most of whose variance is elsewhere."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each)
    telling = random.normal(size=(classes, 6))[labels] + 0.3 * random.normal(size=(len(labels), 6))
    noise = 2.5 * random.normal(size=(len(labels), 10))
    return unit(np.concatenate([telling, noise], axis=1)).astype(np.float32), np.array([f"c{one}" for one in labels])


def test_the_gradient_is_that_of_the_loss() -> None:
    random = np.random.default_rng(1)
    vectors = unit(random.normal(size=(6, 5)))
    first = Projection(random.normal(size=5) * 0.1, random.normal(size=(5, 3)))
    triplets = Triplets(np.array([0, 1, 4]), np.array([1, 2, 5]), np.array([3, 4, 0]))
    loss, gradient = loss_and_gradient(vectors, first, triplets, margin=1.5)
    assert loss > 0
    for row, column in ((0, 0), (3, 1), (4, 2)):
        values = []
        for step in (1e-6, -1e-6):
            matrix = first.matrix.copy()
            matrix[row, column] += step
            values.append(loss_and_gradient(vectors, Projection(first.centre, matrix), triplets, margin=1.5)[0])
        assert (values[0] - values[1]) / 2e-6 == pytest.approx(gradient[row, column], abs=1e-6)


def test_negatives_are_the_nearest_that_are_further_than_the_positive() -> None:
    cosines = np.eye(5)
    cosines[0, 1:] = 0.6, 0.9, 0.5, 0.1  # 1 is the positive, 2 is nearer, 3 the nearest beyond, 4 far away
    cosines[1, [0, 2, 3, 4]] = 0.6, 0.9, 0.8, 0.7  # all others are nearer: the furthest of them
    found = mine(cosines, np.array([0, 0, 1, 2, 3]))
    assert sorted(zip(*(one.tolist() for one in found), strict=True)) == [(0, 1, 3), (1, 0, 4)]


def test_precision_by_hand_and_classes_of_one() -> None:
    labels = np.array(["a", "a", "b", "b", "c"])
    vectors = np.eye(3)[[0, 0, 1, 1, 2]]
    assert precision_at_10(vectors, labels) == 25  # one of the four others
    with pytest.raises(RetroflexError, match="no class has two pictures"):
        precision_at_10(vectors[[0, 2, 4]], labels[[0, 2, 4]])


def test_unseen_classes_are_told_apart_better_and_the_same_again() -> None:
    vectors, labels = classes_in_noise()
    left = split_classes(labels, 0.5, seed=3)
    assert len(set(labels[left])) == 8
    settings = Settings(epochs=4, seed=3)
    trained = train_on_classes(vectors[~left], labels[~left], settings)
    after = precision_at_10(trained.projection(vectors[left]), labels[left])
    assert after > precision_at_10(vectors[left], labels[left]) + 10
    again = train_on_classes(vectors[~left], labels[~left], settings)
    assert np.array_equal(again.projection.matrix, trained.projection.matrix)
    assert trained.score >= trained.before


def test_triplets_alone_teach_it() -> None:
    vectors, labels = classes_in_noise()
    random = np.random.default_rng(0)
    anchors = np.arange(len(vectors)).repeat(3)
    positives = np.array([random.choice(np.flatnonzero(labels == labels[one])) for one in anchors])
    negatives = np.array([random.choice(np.flatnonzero(labels != labels[one])) for one in anchors])
    kept = anchors != positives
    triplets = Triplets(anchors[kept], positives[kept], negatives[kept])
    trained = train_on_triplets(vectors, triplets, Settings(epochs=2))
    assert share_in_order(trained.projection(vectors), triplets) > share_in_order(vectors, triplets) + 5


@pytest.mark.parametrize("classes", [1, 3])
def test_too_few_classes_are_one_line(classes: int) -> None:
    with pytest.raises(RetroflexError, match="four classes with two pictures"):
        train_on_classes(*classes_in_noise(classes), Settings())
    few = Triplets(*np.zeros((3, 3), np.int64))
    with pytest.raises(RetroflexError, match="four triplets or more are needed, not 3"):
        train_on_triplets(np.eye(2), few, Settings())
