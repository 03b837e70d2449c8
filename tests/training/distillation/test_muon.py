"""Muon on convolutions, against a singular value decomposition."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops

from training.distillation.muon import ConvolutionMuon, orthogonalise


@pytest.mark.parametrize("shape", [(90, 16), (16, 90)])
def test_every_direction_gets_a_step_of_about_the_same_size(shape: tuple[int, int]) -> None:
    matrix = np.random.default_rng(0).normal(size=shape).astype("f4")
    u, _, v = np.linalg.svd(matrix, full_matrices=False)
    even = ops.convert_to_numpy(ops.cast(orthogonalise(matrix, 5), "float32"))
    along = u.T @ even @ v.T
    assert (np.diag(along) > 0.6).all()
    assert (np.diag(along) < 1.3).all()
    assert np.abs(along - np.diag(np.diag(along))).max() < 0.1


def test_a_step_has_the_size_of_adams() -> None:
    """The root mean square of an update is 0.2 times the rate, give or take what the iteration leaves uneven."""
    keras.utils.set_random_seed(0)  # A gradient of nearly nought would make a smaller step.
    model = keras.Sequential([layers.Input((8, 8, 3)), layers.Conv2D(16, 3, name="conv"), layers.Dense(5, name="top")])
    model.compile(ConvolutionMuon(0.01, by_adam=("top",), decay=0.0), loss="mse")
    kernel, top = model.get_layer("conv").kernel, model.get_layer("top").kernel
    before, before_top = np.array(kernel), np.array(top)
    random = np.random.default_rng(1)
    model.train_on_batch(random.normal(size=(4, 8, 8, 3)), random.normal(size=(4, 6, 6, 5)))
    assert np.sqrt(np.square(np.array(kernel) - before).mean()) == pytest.approx(0.002 * (16 / 27) ** 0.5, rel=0.3)
    assert np.abs(np.array(top) - before_top) == pytest.approx(0.005, rel=1e-2)  # AdamW's first step is its rate.
