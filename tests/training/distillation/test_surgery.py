"""Folding, unfolding, widening and halving leave the function as it was."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from captioner.encoder import assign
from captioner.vgg16 import CONVOLUTIONS
from data.errors import RetroflexError
from tests.training.lessons import noise_crops
from training.distillation.losses import logits_loss
from training.distillation.student import build_student, get_weights, set_weights
from training.distillation.surgery import collapse, fold, from_rgb_unit, unfold, widen


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 60, (2, 32, 32, 3)).astype(np.float32)


def build(width: float) -> keras.Model:
    return build_student(width, 32, noise_crops(1).answers.basis)


def shaken(width: float, seed: int = 0) -> dict[str, np.ndarray]:
    """Student weights whose normalisation statistics are not the initial ones."""
    keras.utils.set_random_seed(seed)
    random = np.random.default_rng(seed)
    weights = get_weights(build(width))
    for name, value in weights.items():
        if name.split("/")[0].startswith("block") and value.ndim == 1:
            weights[name] = (value + random.uniform(0, 0.3, value.shape)).astype(np.float32)
    return weights


def outputs(width: float, weights: dict[str, np.ndarray], pictures: np.ndarray) -> list[np.ndarray]:
    student = build(width)
    set_weights(student, weights)
    return list(student.predict_on_batch(pictures))


def grid(plain: dict[str, np.ndarray], pictures: np.ndarray) -> np.ndarray:
    """The last convolution's output of a plain VGG16 of any width."""
    x = keras.ops.convert_to_tensor(pictures)
    for name in CONVOLUTIONS:
        if name.endswith("conv1") and name != "block1_conv1":
            x = keras.ops.max_pool(x, 2, 2)
        x = keras.ops.relu(keras.ops.conv(x, plain[f"{name}/kernel"], padding="same") + plain[f"{name}/bias"])
    return keras.ops.convert_to_numpy(x)


def test_widening_keeps_the_function(pictures: np.ndarray) -> None:
    narrow = shaken(1 / 16)
    before, after = outputs(1 / 16, narrow, pictures), outputs(1 / 8, widen(narrow, seed=0), pictures)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_allclose(other, one, atol=1e-4)


def test_twins_get_different_gradients(pictures: np.ndarray) -> None:
    """One step of plain descent moves every kernel by its gradient."""
    student = build(1 / 8)
    before = widen(shaken(1 / 16), seed=0)
    set_weights(student, before)
    student.compile(keras.optimizers.SGD(1.0), loss=[None, logits_loss(1.0)])
    target = np.random.default_rng(1).normal(size=(2, 1001)).astype(np.float32)
    student.train_on_batch(pictures, [np.zeros((2, 1280), np.float32), target])
    after = get_weights(student)
    for name in CONVOLUTIONS:
        moved = after[f"{name}/kernel"] - before[f"{name}/kernel"]
        one, other = np.split(moved, 2, axis=3)
        assert np.abs(one).max() > 0
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] < 0.9, name


def test_folded_weights_give_the_plain_vgg16_the_same_grid(pictures: np.ndarray) -> None:
    weights = shaken(1)
    student = build(1)
    set_weights(student, weights)
    expected = keras.Model(student.input, student.get_layer("block5_conv3_relu").output).predict_on_batch(pictures)
    plain = keras.applications.VGG16(include_top=False, weights=None, input_shape=(32, 32, 3))
    assign(plain, fold(weights))
    found = keras.Model(plain.input, plain.get_layer("block5_conv3").output).predict_on_batch(pictures)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


def test_unfolding_undoes_folding(pictures: np.ndarray) -> None:
    plain = fold(shaken(1 / 8))
    student = unfold(plain, pictures)
    expected, found = grid(plain, pictures), grid(fold(student), pictures)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
    # Kernels have the size they are trained best at, and statistics are those of the pictures.
    norms = np.square(student["block3_conv1/kernel"]).sum(axis=(0, 1, 2))
    np.testing.assert_allclose(norms, 2, rtol=1e-3)


def test_halving_undoes_widening_as_long_as_the_twins_are_twins(pictures: np.ndarray) -> None:
    plain = fold(shaken(1 / 16))
    wide = fold(widen(shaken(1 / 16), seed=0))
    expected, found = grid(plain, pictures), grid(collapse(wide), pictures)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
    with pytest.raises(RetroflexError, match="cannot be halved: the twin channels of block1_conv1"):
        collapse(fold(shaken(1 / 8)))


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
