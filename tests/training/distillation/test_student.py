"""The student's heads and its fused normalisation."""

from __future__ import annotations

import keras
import numpy as np

from tests.training.lessons import noise_crops
from training.distillation.batchnorm import FusedBatchNormalization
from training.distillation.student import build_student, get_weights, matches_map, set_weights


def test_the_map_comes_third_where_there_are_seven_by_seven_cells() -> None:
    basis = noise_crops(1).answers.basis
    small, large = build_student(1 / 32, 32, basis), build_student(1 / 32, 112, basis)
    set_weights(large, get_weights(small))
    pictures = np.random.default_rng(0).normal(0, 60, (2, 112, 112, 3)).astype(np.float32)
    pooled, logits, maps = large.predict_on_batch(pictures)
    assert (len(small.outputs), matches_map(32), matches_map(112)) == (2, False, True)
    assert (pooled.shape, logits.shape, maps.shape) == ((2, 1280), (2, 1001), (2, 49, 128))
    # The pooled vector is the mean of the cells, and projecting is linear.
    np.testing.assert_allclose(maps.mean(axis=1), basis.project(pooled), atol=1e-4)


def test_fused_normalisation_equals_keras() -> None:
    inputs = np.random.default_rng(0).normal(2, 3, (4, 5, 5, 6)).astype(np.float32)
    ours, theirs = FusedBatchNormalization(), keras.layers.BatchNormalization()
    ours.build(inputs.shape)
    theirs.build(inputs.shape)
    np.testing.assert_allclose(ours(inputs, training=True), theirs(inputs, training=True), atol=1e-4)
    # The fused kernel's running variance is the unbiased one: n / (n - 1) of Keras'.
    np.testing.assert_allclose(ours.moving_mean, theirs.moving_mean, atol=1e-5)
    np.testing.assert_allclose(ours.moving_variance, theirs.moving_variance, rtol=0.02)
    np.testing.assert_allclose(ours(inputs), theirs(inputs), rtol=0.02, atol=0.02)
