"""An LSTM over whole sentences, with a quick way through it on TensorFlow."""

from __future__ import annotations

from typing import Any

from keras import backend, initializers, layers, ops

KERNEL_SPREAD = 0.12
"""Word vectors are short; by Glorot's rule the gates would hardly feel them at the start."""


class Lstm(layers.Layer):
    """Inputs (rows, steps, d), first hidden and cell (rows, units), to every step's hidden (rows, steps, units).

    Gates are in Keras' order: input, forget, candidate, output. `lengths` (rows,) says how many steps of a row
    matter; what is returned for later ones means nothing and must not be learnt from. One product serves the inputs
    of all steps. On TensorFlow `training.decoder.lstm_tensorflow` does the work; elsewhere the steps are spelt out.
    """

    def __init__(self, units: int, name: str) -> None:
        super().__init__(name=name)
        self.units = units

    def build(self, inputs: tuple[int, ...], *states: tuple[int, ...]) -> None:
        spread = initializers.RandomNormal(stddev=KERNEL_SPREAD)
        self.kernel = self.add_weight(name="kernel", shape=(inputs[-1], 4 * self.units), initializer=spread)
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel", shape=(self.units, 4 * self.units), initializer="orthogonal"
        )
        self.bias = self.add_weight(name="bias", shape=(4 * self.units,), initializer=_forget_nothing)

    def call(self, inputs: Any, hidden: Any, cell: Any, lengths: Any) -> Any:
        kernel, recurrent = (ops.cast(one, inputs.dtype) for one in (self.kernel, self.recurrent_kernel))
        weights = (kernel, recurrent, ops.cast(self.bias, inputs.dtype))
        if backend.backend() != "tensorflow":
            return run_plainly(inputs, hidden, cell, weights)
        from training.decoder.lstm_tensorflow import run

        return run(inputs, hidden, cell, weights, lengths)


def run_plainly(inputs: Any, hidden: Any, cell: Any, weights: tuple[Any, Any, Any]) -> Any:
    """What `Lstm` computes, whatever the back end; `weights` are kernel, recurrent kernel and bias."""
    kernel, recurrent, bias = weights
    steps, every, cell = inputs.shape[1], [], ops.cast(cell, "float32")
    by_time = ops.reshape(ops.transpose(inputs, (1, 0, 2)), (-1, inputs.shape[2]))
    for now in ops.split(ops.matmul(by_time, kernel) + bias, steps, axis=0):
        # Processors multiply matrices fast in bfloat16, but take exponentials fast in float32 only.
        now = ops.cast(now + ops.matmul(hidden, recurrent), "float32")
        enter, forget, candidate, leave = ops.split(now, 4, axis=-1)
        cell = ops.sigmoid(forget) * cell + ops.sigmoid(enter) * ops.tanh(candidate)
        hidden = ops.cast(ops.sigmoid(leave) * ops.tanh(cell), inputs.dtype)
        every.append(hidden)
    return ops.stack(every, axis=1)


def _forget_nothing(shape: tuple[int, ...], dtype: Any = None) -> Any:
    """Bias one for the forget gate, zero for the others (Jozefowicz et al. 2015), as Keras does."""
    return ops.repeat(ops.cast([0.0, 1.0, 0.0, 0.0], dtype), shape[0] // 4)
