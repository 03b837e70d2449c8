"""Folding, widening and the fused normalisation leave the function as it was."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from captioner.encoder import assign
from training.batchnorm import FusedBatchNormalization
from training.student import build_student, fold, from_rgb_unit, get_weights, set_weights, widen


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 60, (2, 32, 32, 3)).astype(np.float32)


def shaken(width: float, seed: int = 0) -> dict[str, np.ndarray]:
    """Student weights whose normalisation statistics are not the initial ones."""
    keras.utils.set_random_seed(seed)
    random = np.random.default_rng(seed)
    weights = get_weights(build_student(width, 32))
    for name, value in weights.items():
        if name.split("/")[0].startswith("block") and value.ndim == 1:
            weights[name] = (value + random.uniform(0, 0.3, value.shape)).astype(np.float32)
    return weights


def outputs(width: float, weights: dict[str, np.ndarray], pictures: np.ndarray) -> list[np.ndarray]:
    student = build_student(width, 32)
    set_weights(student, weights)
    return list(student.predict(pictures, verbose=0))


def test_widening_keeps_the_function(pictures: np.ndarray) -> None:
    narrow = shaken(1 / 16)
    before, after = outputs(1 / 16, narrow, pictures), outputs(1 / 8, widen(narrow, noise=0, seed=0), pictures)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_allclose(other, one, atol=1e-4)


def test_noise_parts_the_twins() -> None:
    kernel = widen(shaken(1 / 16), noise=0.1, seed=0)["block2_conv1/kernel"]
    half = kernel.shape[3] // 2
    assert np.abs(kernel[..., :half] - kernel[..., half:]).max() > 0


def test_folded_weights_give_the_plain_vgg16_the_same_grid(pictures: np.ndarray) -> None:
    weights = shaken(1)
    student = build_student(1, 32)
    set_weights(student, weights)
    expected = keras.Model(student.input, student.get_layer("vector").output).predict(pictures, verbose=0)
    plain = keras.applications.VGG16(include_top=False, weights=None, input_shape=(32, 32, 3))
    assign(plain, fold(weights))
    grid = keras.Model(plain.input, plain.get_layer("block5_conv3").output).predict(pictures, verbose=0)
    np.testing.assert_allclose(grid.mean(axis=(1, 2)), expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


def test_weights_of_another_input_convention_are_carried_over() -> None:
    weights = shaken(1 / 16)
    rgb = np.random.default_rng(1).integers(0, 256, (1, 32, 32, 3)).astype(np.float32)
    carried = from_rgb_unit(weights)
    means = np.asarray((103.939, 116.779, 123.68), np.float32)
    theirs = first_layer(weights, rgb / 127.5 - 1)
    ours = first_layer(carried, (rgb[..., ::-1] - means) / 127.5)
    np.testing.assert_allclose(ours[:, 1:-1, 1:-1], theirs[:, 1:-1, 1:-1], atol=1e-4)


def first_layer(weights: dict[str, np.ndarray], pictures: np.ndarray) -> np.ndarray:
    kernel = weights["block1_conv1/kernel"].astype(np.float32)
    result = np.asarray(keras.ops.conv(pictures, kernel, padding="same"))
    spread = np.sqrt(weights["block1_bn1/moving_variance"] + 1e-3)
    return (result - weights["block1_bn1/moving_mean"]) / spread


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
