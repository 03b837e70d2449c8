"""Dropout with a quarter of the random bits."""

from __future__ import annotations

from typing import Any

import keras

LEVELS = 256


class ByteDropout(keras.layers.Dropout):
    """`keras.layers.Dropout` that draws a byte an element on TensorFlow, where Keras draws four.

    Drawing is what dropout costs on processors. The rate is rounded to 256ths, and what is kept is scaled by
    the rounded rate, so that the mean stays. On other back ends the parent class does the work.
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
