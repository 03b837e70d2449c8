"""Faster versions of Keras parts: AdamW, dropout, and moving rows so that padding takes part in no product."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


class FusedAdamW(keras.optimizers.AdamW):
    """`keras.optimizers.AdamW` with TensorFlow's fused kernel, if that is the back end.

    Keras 3 computes the step in a dozen operations, each a pass over weights, gradient or moments.
    """

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update a variable, as the parent class does."""
        if keras.backend.backend() != "tensorflow":
            super().update_step(gradient, variable, learning_rate)
            return
        import tensorflow as tf

        place, step = self._get_variable_index(variable), tf.cast(self.iterations + 1, "float32")
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[place].value.handle,
            v=self._velocities[place].value.handle,
            beta1_power=self.beta_1**step,
            beta2_power=self.beta_2**step,
            lr=tf.cast(learning_rate, "float32"),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=tf.convert_to_tensor(gradient),
        )


LEVELS = 256


class ByteDropout(keras.layers.Dropout):
    """`keras.layers.Dropout` that draws a byte for each element on TensorFlow, where Keras draws four.

    Random numbers are the main cost of dropout on processors. The rate is rounded to 256ths, and kept elements are
    scaled by the rounded rate, so that the mean does not change. Other back ends use the parent class.
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or not self.rate or keras.backend.backend() != "tensorflow":
            return super().call(inputs, training=training)
        import tensorflow as tf

        dropped, shape = round(self.rate * LEVELS), tf.shape(inputs)
        count = tf.reduce_prod(shape)
        seed = tf.cast(tf.convert_to_tensor(self.seed_generator.next()), "int32")
        drawn = tf.random.stateless_uniform([-(-count // 4)], seed, minval=None, maxval=None, dtype="int32")
        levels = tf.reshape(tf.reshape(tf.bitcast(drawn, "uint8"), [-1])[:count], shape)
        return inputs * (tf.cast(levels >= dropped, inputs.dtype) * (LEVELS / (LEVELS - dropped)))


def move_rows(rows: Any, index: Any, inverse: Any) -> Any:
    """Return `rows` (n, d) in the order `index` (m,), (m, d), with zeros where the index is n.

    `inverse` (n,) is the inverse index: the new position of each row, m if it has none. No row is taken twice, so the
    gradient is the inverse move; that of a gather would be a sum over segments, which is slow.
    """
    return ops.custom_gradient(lambda given: (_take(given, index), _move_gradient(inverse)))(rows)


def inverse_index(index: Any, count: int) -> Any:
    """Return the `inverse` of `move_rows` for an `index` (m,) into `count` rows."""
    moved = ops.shape(index)[0]
    room = ops.full((count + 1,), moved, "int32")
    return ops.scatter_update(room, index[:, None], ops.arange(moved, dtype="int32"))[:count]


def _move_gradient(inverse: Any) -> Any:
    def gradient(*given: Any, upstream: Any = None) -> Any:
        return _take(given[0] if upstream is None else upstream, inverse)

    return gradient


def _take(rows: Any, index: Any) -> Any:
    """Return rows of `rows` (n, d), zeros for index n."""
    return ops.take(ops.pad(rows, [[0, 1], [0, 0]]), index, axis=0)
