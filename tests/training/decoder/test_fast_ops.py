"""The fused optimizer, byte dropout and row moves equal their plain versions."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from training.decoder.fast_ops import ByteDropout, FusedAdamW, inverse_index, move_rows


def test_steps_are_those_of_keras() -> None:
    random = np.random.default_rng(0)
    start = random.normal(size=(4, 5)).astype(np.float32)
    gradients = random.normal(size=(5, 4, 5)).astype(np.float32)
    ends = []
    for kind in (FusedAdamW, keras.optimizers.AdamW):
        variable = keras.Variable(start)
        optimizer = kind(0.01, weight_decay=0.01, clipnorm=2.0, use_ema=True, ema_momentum=0.9)
        for gradient in gradients:
            optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
        optimizer.finalize_variable_values([variable])
        ends.append(variable.numpy())
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-5, atol=1e-6)
    assert np.abs(ends[0] - start).max() > 0.01


@pytest.mark.parametrize("rate", [0.05, 0.25, 0.5])
def test_drops_its_share_and_keeps_the_mean(rate: float) -> None:
    dropped = np.asarray(ByteDropout(rate, seed=1)(np.ones((301, 333), "f4"), training=True))
    assert (dropped == 0).mean() == pytest.approx(rate, abs=0.006)
    assert dropped.mean() == pytest.approx(1, abs=0.006)


def test_depends_on_its_random_state_alone() -> None:
    layer, ones = ByteDropout(0.5, seed=1), np.ones((7, 9), "f4")
    before = layer.seed_generator.state.numpy()
    first, second = (np.asarray(layer(ones, training=True)) for _ in range(2))
    layer.seed_generator.state.assign(before)
    assert (np.asarray(layer(ones, training=True)) == first).all()
    assert (first != second).any()


def test_does_nothing_outside_training() -> None:
    ones = np.ones((3, 5), "f4")
    assert (np.asarray(ByteDropout(0.5)(ones)) == ones).all()


INDEX = np.asarray([4, 0, 3, 5, 5], np.int32)
"""Three of five rows, and twice none of them."""
ROWS = tf.constant(np.arange(10.0).reshape(5, 2))


def test_rows_move_to_their_index_and_back() -> None:
    back = inverse_index(tf.constant(INDEX), 5)
    assert back.numpy().tolist() == [1, 5, 5, 2, 0]
    moved = move_rows(ROWS, INDEX, back)
    np.testing.assert_array_equal(moved, [[8, 9], [0, 1], [6, 7], [0, 0], [0, 0]])
    np.testing.assert_array_equal(move_rows(moved, back, INDEX), [[0, 1], [0, 0], [0, 0], [6, 7], [8, 9]])


def test_the_gradient_is_that_of_a_plain_gather() -> None:
    weights = tf.constant(np.random.default_rng(0).normal(size=(5, 2)))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(ROWS)
        found = tf.reduce_sum(move_rows(ROWS, INDEX, inverse_index(tf.constant(INDEX), 5)) * weights)
        plain = tf.reduce_sum(tf.gather(tf.pad(ROWS, [[0, 1], [0, 0]]), INDEX) * weights)
    np.testing.assert_allclose(tape.gradient(found, ROWS), tf.convert_to_tensor(tape.gradient(plain, ROWS)))
