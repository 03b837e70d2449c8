"""The TensorFlow LSTM has the values and gradients of the generic one, up to the end of each sentence."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from training.decoder.lstm import run_generic
from training.decoder.lstm_tensorflow import run

LENGTHS = np.asarray([3, 7, 1, 5, 5, 2, *[4] * 30], np.int32)
ROWS, STEPS, WIDTH, UNITS = len(LENGTHS), 7, 6, 8


def _random(*shape: int, seed: int = 0) -> tf.Tensor:
    return tf.constant(np.random.default_rng((seed, *shape)).normal(0, 0.5, shape), "float32")


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("bfloat16", 3e-2)])
def test_values_and_gradients_are_the_plain_ones(dtype: str, tolerance: float) -> None:
    valid = np.arange(STEPS) < LENGTHS[:, None]
    upstream = tf.where(valid[:, :, None], _random(ROWS, STEPS, UNITS, seed=1), 0.0)
    shapes = [(ROWS, STEPS, WIDTH), (ROWS, UNITS), (ROWS, UNITS)]
    given = [_random(*shape) for shape in [*shapes, (WIDTH, 4 * UNITS), (UNITS, 4 * UNITS), (4 * UNITS,)]]

    def both(quick: bool) -> list[np.ndarray]:
        with tf.GradientTape() as tape:
            tape.watch(given)
            inputs, hidden, cell, *weights = (tf.cast(one, dtype) for one in given)
            rest = (inputs, hidden, cell, tuple(weights))
            every = tf.cast(run(*rest, tf.constant(LENGTHS)) if quick else run_generic(*rest), "float32")
            total = tf.reduce_sum(every * upstream)
        return [every.numpy()[valid], *(tf.convert_to_tensor(one).numpy() for one in tape.gradient(total, given))]

    for found, expected in zip(both(quick=True), both(quick=False), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def test_steps_after_the_end_have_no_gradient() -> None:
    inputs, hidden = _random(ROWS, STEPS, WIDTH), _random(ROWS, UNITS)
    weights = (_random(WIDTH, 4 * UNITS), _random(UNITS, 4 * UNITS), _random(4 * UNITS))
    valid = np.arange(STEPS) < LENGTHS[:, None]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        every = tf.boolean_mask(run(inputs, hidden, hidden, weights, tf.constant(LENGTHS)), valid)
    assert not tape.gradient(every, inputs).numpy()[~valid].any()
