"""Rows moved and moved back, and what is learnt through the move."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from training.decoder.packing import move, way_back

INDEX = np.asarray([4, 0, 3, 5, 5], np.int32)
"""Three of five rows, and twice none of them."""
ROWS = tf.constant(np.arange(10.0).reshape(5, 2))


def test_rows_go_where_they_are_sent_and_back() -> None:
    back = way_back(tf.constant(INDEX), 5)
    assert back.numpy().tolist() == [1, 5, 5, 2, 0]
    moved = move(ROWS, INDEX, back)
    np.testing.assert_array_equal(moved, [[8, 9], [0, 1], [6, 7], [0, 0], [0, 0]])
    np.testing.assert_array_equal(move(moved, back, INDEX), [[0, 1], [0, 0], [0, 0], [6, 7], [8, 9]])


def test_the_gradient_is_that_of_a_plain_gather() -> None:
    weights = tf.constant(np.random.default_rng(0).normal(size=(5, 2)))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(ROWS)
        found = tf.reduce_sum(move(ROWS, INDEX, way_back(tf.constant(INDEX), 5)) * weights)
        plain = tf.reduce_sum(tf.gather(tf.pad(ROWS, [[0, 1], [0, 0]]), INDEX) * weights)
    np.testing.assert_allclose(tape.gradient(found, ROWS), tf.convert_to_tensor(tape.gradient(plain, ROWS)))
