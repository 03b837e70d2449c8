"""An LSTM over whole sentences, with a faster implementation on TensorFlow."""

from __future__ import annotations

from typing import Any

from keras import backend, initializers, layers, ops

KERNEL_SPREAD = 0.12
"""Word vectors are short; with Glorot's initial weights they would hardly affect the gates at first."""


class Lstm(layers.Layer):
    """Maps inputs (rows, steps, d), initial hidden and cell (rows, units) to all hidden states (rows, steps, units).

    Gates are in Keras' order: input, forget, candidate, output. `lengths` (rows,) is the number of valid steps of each
    row; ignore the output of later steps. One product serves the inputs of all steps. TensorFlow uses
    `training.decoder.lstm_tensorflow`, other back ends `run_generic`.
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
        self.bias = self.add_weight(name="bias", shape=(4 * self.units,), initializer=_forget_bias)

    def call(self, inputs: Any, hidden: Any, cell: Any, lengths: Any) -> Any:
        kernel, recurrent = (ops.cast(one, inputs.dtype) for one in (self.kernel, self.recurrent_kernel))
        weights = (kernel, recurrent, ops.cast(self.bias, inputs.dtype))
        if backend.backend() != "tensorflow":
            return run_generic(inputs, hidden, cell, weights)
        from training.decoder.lstm_tensorflow import run

        return run(inputs, hidden, cell, weights, lengths)


def run_generic(inputs: Any, hidden: Any, cell: Any, weights: tuple[Any, Any, Any]) -> Any:
    """Compute `Lstm` on any back end; `weights` are kernel, recurrent kernel and bias."""
    kernel, recurrent, bias = weights
    steps, states, cell = inputs.shape[1], [], ops.cast(cell, "float32")
    by_time = ops.reshape(ops.transpose(inputs, (1, 0, 2)), (-1, inputs.shape[2]))
    for gates in ops.split(ops.matmul(by_time, kernel) + bias, steps, axis=0):
        # Processors multiply matrices fast in bfloat16, but compute exponentials fast in float32 only.
        gates = ops.cast(gates + ops.matmul(hidden, recurrent), "float32")
        input_gate, forget, candidate, output_gate = ops.split(gates, 4, axis=-1)
        cell = ops.sigmoid(forget) * cell + ops.sigmoid(input_gate) * ops.tanh(candidate)
        hidden = ops.cast(ops.sigmoid(output_gate) * ops.tanh(cell), inputs.dtype)
        states.append(hidden)
    return ops.stack(states, axis=1)


def _forget_bias(shape: tuple[int, ...], dtype: Any = None) -> Any:
    """Return a bias of one for the forget gate and zero for the others (Jozefowicz et al. 2015), as Keras does."""
    return ops.repeat(ops.cast([0.0, 1.0, 0.0, 0.0], dtype), shape[0] // 4)
