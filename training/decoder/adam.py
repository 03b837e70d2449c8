"""AdamW in one pass over each variable on TensorFlow."""

from __future__ import annotations

from typing import Any

import keras


class FusedAdamW(keras.optimizers.AdamW):
    """`keras.optimizers.AdamW`, its step taken by TensorFlow's own kernel where that is the back end.

    Keras 3 spells the step out as a dozen operations, each a pass over weights, gradient or moments.
    """

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """One variable's step, as the parent class takes it."""
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
