"""Discriminants against scikit-learn's, folds, and probabilities that mean what they say."""

from __future__ import annotations

import numpy as np
import pytest

from captioner.classifier import softmax
from data.errors import RetroflexError
from training.classes.examples import same_content
from training.classes.trainer import (
    SHRINKAGES,
    calibration_error,
    cross_validated,
    discriminants,
    fit,
    folds_of,
)


def drawn(spread: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return 300 vectors of 6 numbers in 3 classes of different sizes, and their classes."""
    random = np.random.default_rng(seed)
    classes = random.choice(3, 300, p=(0.5, 0.3, 0.2))
    means = np.eye(3, 6)
    return (means[classes] + random.normal(0, spread, (300, 6))).astype(np.float32), classes


def test_discriminants_are_those_of_scikit_learn() -> None:
    sklearn = pytest.importorskip("sklearn.discriminant_analysis")
    vectors, classes = drawn(0.7)
    for share, linear in zip(SHRINKAGES, discriminants(vectors, classes, 3), strict=True):
        oracle = sklearn.LinearDiscriminantAnalysis(solver="lsqr", shrinkage=share)
        # The oracle's scatter is weighted by class, as ours is.
        expected = oracle.fit(vectors, classes).predict_log_proba(vectors)
        ours = linear(vectors)
        ours -= np.log(np.exp(ours).sum(axis=1, keepdims=True))
        assert (ours.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.99
        if share == SHRINKAGES[0]:
            np.testing.assert_allclose(ours, expected, atol=0.05)


def test_folds_keep_groups_together_and_spread_classes() -> None:
    random = np.random.default_rng(0)
    classes, groups = random.choice(4, 200), random.choice(80, 200)
    folds = folds_of(classes, groups, 5, seed=3)
    assert all(len(set(folds[groups == group].tolist())) == 1 for group in set(groups.tolist()))
    assert np.bincount(folds, minlength=5).min() >= 25
    own = folds_of(classes, np.arange(200), 5, seed=3)
    for one in range(4):
        counts = np.bincount(own[classes == one], minlength=5)
        assert counts.max() - counts.min() <= 1
    assert (own == folds_of(classes, np.arange(200), 5, seed=3)).all()
    assert (own != folds_of(classes, np.arange(200), 5, seed=4)).any()


def test_what_is_held_out_was_not_seen() -> None:
    """Classes that nothing tells are not told where each picture is a group; copies on both sides would tell them."""
    random = np.random.default_rng(0)
    content = random.normal(size=(60, 40)).astype(np.float32)
    vectors, classes = np.concatenate([content, content]), np.tile(random.choice(2, 60), 2)
    right = {}
    for name, groups in {"copies apart": np.tile(np.arange(60), 2), "copies together": np.arange(120)}.items():
        rows = list(cross_validated(vectors, classes, groups, 4, 0))
        answers = np.zeros(120, np.int64)
        for held, chances in rows:
            answers[held] = chances.argmax(axis=1)
        assert sorted(np.concatenate([held for held, _ in rows]).tolist()) == list(range(120))
        right[name] = (answers == classes).mean()
    assert right["copies apart"] < 0.7
    assert right["copies together"] > 0.8


def test_chances_mean_what_they_say() -> None:
    vectors, classes = drawn(0.6)
    new, truth = drawn(0.6, seed=1)
    fitted = fit(vectors, classes, np.arange(300), 0)
    chances = softmax(fitted.linear(new))
    right = (chances.argmax(axis=1) == truth).mean()
    assert fitted.held_out == pytest.approx(right, abs=0.06)
    assert chances.max(axis=1).mean() == pytest.approx(right, abs=0.06)
    assert calibration_error(chances, truth) < 0.08
    sharp = softmax(20 * fitted.linear(new))
    assert calibration_error(sharp, truth) > calibration_error(chances, truth)


def test_too_little_to_learn_from() -> None:
    with pytest.raises(RetroflexError, match="two classes"):
        fit(np.eye(3, dtype=np.float32), np.zeros(3, np.int64), np.arange(3), 0)
    with pytest.raises(RetroflexError, match="two classes"):
        fit(np.eye(3, dtype=np.float32), np.array([0, 1, 1]), np.zeros(3), 0)


def test_copies_of_copies_are_one_content() -> None:
    angles = np.deg2rad([0, 15, 30, 90, 100])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    first, second, third, fourth, fifth = same_content(vectors, 0.7).tolist()
    assert first == second == third
    assert fourth == fifth != first
    assert len(set(same_content(vectors, 1.0).tolist())) == 5
