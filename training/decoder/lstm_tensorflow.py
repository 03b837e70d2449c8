"""The LSTM of `training.decoder.lstm` for TensorFlow, with a gradient written by hand.

It saves two things compared with automatic differentiation of the plain loop. Sentences are sorted by length, and each
step computes only those that have not ended. And the gradient of the recurrent kernel is one product over all steps,
instead of a small product in each step and their sum.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from training.decoder.fast_ops import inverse_index, move_rows

ROUND = 16
"""The rows of a step are padded to a multiple of this, since matrix units work on tiles of sixteen."""


class _Step(NamedTuple):
    """What the gradient needs of a step: gates and tanh of the new cell, after activation, old cell and hidden."""

    input_gate: Any
    forget: Any
    candidate: Any
    output_gate: Any
    activated: Any
    cell: Any
    hidden: Any


def run(inputs: Any, hidden: Any, cell: Any, weights: tuple[Any, Any, Any], lengths: Any) -> Any:
    """Compute `training.decoder.lstm.run_generic`, but steps of a row from `lengths` (rows,) on may be zeros."""
    kernel, recurrent, bias = weights
    steps, rows = inputs.shape[1], tf.shape(lengths)[0]
    order = tf.argsort(lengths, direction="DESCENDING", stable=True)
    counts = _counts(lengths, steps, rows)
    index, inverse = _layout(order, counts, steps, rows)
    packed = move_rows(tf.reshape(inputs, (-1, inputs.shape[2])), index, inverse)
    first = (tf.gather(hidden, order), tf.gather(tf.cast(cell, "float32"), order))
    states = _recurrence(tf.matmul(packed, kernel) + bias, *first, tf.identity(recurrent), counts)
    return tf.reshape(move_rows(states, inverse, index), (-1, steps, hidden.shape[1]))


def _counts(lengths: Any, steps: int, rows: Any) -> Any:
    """Return the number of rows in each step, (steps,), rounded up."""
    active = tf.reduce_sum(tf.cast(lengths[None] > tf.range(steps)[:, None], "int32"), axis=1)
    return tf.minimum(-(-active // ROUND) * ROUND, rows)


def _layout(order: Any, counts: Any, steps: int, rows: Any) -> tuple[Any, Any]:
    """Return the index of the packed inputs, step by step, among the rows * steps flattened ones, and its inverse."""
    active = tf.range(rows)[None] < counts[:, None]
    index = tf.boolean_mask(order[None] * steps + tf.range(steps)[:, None], active)
    return index, inverse_index(index, rows * steps)


@tf.custom_gradient
def _recurrence(gates: Any, hidden: Any, cell: Any, recurrent: Any, counts: Any) -> tuple[Any, Any]:
    """Map the inputs' share of the gates, packed, to the hidden states of all steps, packed."""
    sizes = tf.unstack(counts)
    passed, states = _forward(tf.split(gates, sizes), hidden, cell, recurrent)

    def gradient(upstream: Any) -> tuple[Any, Any, Any, Any, None]:
        return *_backward(passed, tf.split(upstream, sizes), recurrent, tf.shape(hidden)[0]), None

    return tf.concat(states, axis=0), gradient


def _forward(gates: list[Any], hidden: Any, cell: Any, recurrent: Any) -> tuple[list[_Step], list[Any]]:
    passed, states = [], []
    for step_gates in gates:
        count = tf.shape(step_gates)[0]
        hidden, cell = hidden[:count], cell[:count]
        summed = tf.cast(step_gates + tf.matmul(hidden, recurrent), "float32")
        input_gate, forget, candidate, output_gate = tf.split(summed, 4, axis=-1)
        input_gate, forget, output_gate, candidate = (
            *map(tf.sigmoid, (input_gate, forget, output_gate)),
            tf.tanh(candidate),
        )
        new_cell = forget * cell + input_gate * candidate
        activated = tf.tanh(new_cell)
        passed.append(_Step(input_gate, forget, candidate, output_gate, activated, cell, hidden))
        cell, hidden = new_cell, tf.cast(output_gate * activated, step_gates.dtype)
        states.append(hidden)
    return passed, states


def _backward(passed: list[_Step], upstream: list[Any], recurrent: Any, rows: Any) -> tuple[Any, Any, Any, Any]:
    """Return the gradients of the gates, packed, of the initial hidden and cell, and of the recurrent kernel."""
    on_hidden, on_cell, on_gates = tf.zeros_like(passed[-1].hidden), tf.zeros_like(passed[-1].cell), []
    for step, above in zip(reversed(passed), reversed(upstream), strict=True):
        count = tf.shape(above)[0]
        above = tf.cast(above + _fill(on_hidden, count), "float32")
        gates, on_cell = _step_back(step, above, _fill(on_cell, count))
        on_gates.append(tf.cast(gates, recurrent.dtype))
        on_hidden = tf.matmul(on_gates[-1], recurrent, transpose_b=True)
    packed = tf.concat(on_gates[::-1], axis=0)
    before = tf.concat([step.hidden for step in passed], axis=0)
    return packed, _fill(on_hidden, rows), _fill(on_cell, rows), tf.matmul(before, packed, transpose_a=True)


def _step_back(step: _Step, on_hidden: Any, on_cell: Any) -> tuple[Any, Any]:
    """Return the gradients of a step's gates and old cell, from those of its new hidden state and new cell."""
    sigmoid, tanh = tf.raw_ops.SigmoidGrad, tf.raw_ops.TanhGrad
    on_cell += tanh(y=step.activated, dy=on_hidden * step.output_gate)
    parts = [
        sigmoid(y=step.input_gate, dy=on_cell * step.candidate),
        sigmoid(y=step.forget, dy=on_cell * step.cell),
        tanh(y=step.candidate, dy=on_cell * step.input_gate),
        sigmoid(y=step.output_gate, dy=on_hidden * step.activated),
    ]
    return tf.concat(parts, axis=1), on_cell * step.forget


def _fill(part: Any, rows: Any) -> Any:
    """Pad `part` with zeros to `rows` rows."""
    return tf.pad(part, [[0, rows - tf.shape(part)[0]], [0, 0]])
