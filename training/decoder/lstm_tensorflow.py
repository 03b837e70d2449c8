"""The steps of `training.decoder.lstm` for TensorFlow, with their gradient written out.

Two things are saved against automatic differentiation of the plain loop. Sentences are sorted by length and each step
works on those alone that are not over yet. And the recurrent kernel's gradient is one product over all steps at the
end, instead of a thin one a step and a sum of them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from training.decoder.packing import move, way_back

ROUND = 16
"""Rows of a step are filled up to a multiple of this, as matrix units work on tiles of sixteen."""


class _Step(NamedTuple):
    """What the way back needs of a step: gates and tanh of the new cell after their squashing, old cell and hidden."""

    enter: Any
    forget: Any
    candidate: Any
    leave: Any
    squashed: Any
    cell: Any
    hidden: Any


def run(inputs: Any, hidden: Any, cell: Any, weights: tuple[Any, Any, Any], lengths: Any) -> Any:
    """As `training.decoder.lstm.run_plainly`, but zeros may stand for a row's steps from `lengths` (rows,) on."""
    kernel, recurrent, bias = weights
    steps, rows = inputs.shape[1], tf.shape(lengths)[0]
    order = tf.argsort(lengths, direction="DESCENDING", stable=True)
    counts = _counts(lengths, steps, rows)
    index, inverse = _layout(order, counts, steps, rows)
    packed = move(tf.reshape(inputs, (-1, inputs.shape[2])), index, inverse)
    first = (tf.gather(hidden, order), tf.gather(tf.cast(cell, "float32"), order))
    every = _walk(tf.matmul(packed, kernel) + bias, *first, tf.identity(recurrent), counts)
    return tf.reshape(move(every, inverse, index), (-1, steps, hidden.shape[1]))


def _counts(lengths: Any, steps: int, rows: Any) -> Any:
    """How many rows take part in each step, (steps,), rounded up."""
    going = tf.reduce_sum(tf.cast(lengths[None] > tf.range(steps)[:, None], "int32"), axis=1)
    return tf.minimum(-(-going // ROUND) * ROUND, rows)


def _layout(order: Any, counts: Any, steps: int, rows: Any) -> tuple[Any, Any]:
    """Which of the rows * steps flattened inputs stand packed, step after step, and the way back."""
    taking_part = tf.range(rows)[None] < counts[:, None]
    index = tf.boolean_mask(order[None] * steps + tf.range(steps)[:, None], taking_part)
    return index, way_back(index, rows * steps)


@tf.custom_gradient
def _walk(gates: Any, hidden: Any, cell: Any, recurrent: Any, counts: Any) -> tuple[Any, Any]:
    """The inputs' share of the gates, packed, to every step's hidden state, packed."""
    sizes = tf.unstack(counts)
    walked, every = _forward(tf.split(gates, sizes), hidden, cell, recurrent)

    def gradient(upstream: Any) -> tuple[Any, Any, Any, Any, None]:
        return *_backward(walked, tf.split(upstream, sizes), recurrent, tf.shape(hidden)[0]), None

    return tf.concat(every, axis=0), gradient


def _forward(gates: list[Any], hidden: Any, cell: Any, recurrent: Any) -> tuple[list[_Step], list[Any]]:
    walked, every = [], []
    for now in gates:
        count = tf.shape(now)[0]
        hidden, cell = hidden[:count], cell[:count]
        summed = tf.cast(now + tf.matmul(hidden, recurrent), "float32")
        enter, forget, candidate, leave = tf.split(summed, 4, axis=-1)
        enter, forget, leave, candidate = *map(tf.sigmoid, (enter, forget, leave)), tf.tanh(candidate)
        grown = forget * cell + enter * candidate
        squashed = tf.tanh(grown)
        walked.append(_Step(enter, forget, candidate, leave, squashed, cell, hidden))
        cell, hidden = grown, tf.cast(leave * squashed, now.dtype)
        every.append(hidden)
    return walked, every


def _backward(walked: list[_Step], upstream: list[Any], recurrent: Any, rows: Any) -> tuple[Any, Any, Any, Any]:
    """Gradients of gates, packed, of the first hidden and cell, and of the recurrent kernel."""
    on_hidden, on_cell, on_gates = tf.zeros_like(walked[-1].hidden), tf.zeros_like(walked[-1].cell), []
    for step, above in zip(reversed(walked), reversed(upstream), strict=True):
        count = tf.shape(above)[0]
        above = tf.cast(above + _fill(on_hidden, count), "float32")
        gates, on_cell = _step_back(step, above, _fill(on_cell, count))
        on_gates.append(tf.cast(gates, recurrent.dtype))
        on_hidden = tf.matmul(on_gates[-1], recurrent, transpose_b=True)
    packed = tf.concat(on_gates[::-1], axis=0)
    before = tf.concat([step.hidden for step in walked], axis=0)
    return packed, _fill(on_hidden, rows), _fill(on_cell, rows), tf.matmul(before, packed, transpose_a=True)


def _step_back(step: _Step, on_hidden: Any, on_cell: Any) -> tuple[Any, Any]:
    """Gradients of a step's gates and old cell, from those of its new hidden state and new cell."""
    sigmoid, tanh = tf.raw_ops.SigmoidGrad, tf.raw_ops.TanhGrad
    on_cell += tanh(y=step.squashed, dy=on_hidden * step.leave)
    parts = [
        sigmoid(y=step.enter, dy=on_cell * step.candidate),
        sigmoid(y=step.forget, dy=on_cell * step.cell),
        tanh(y=step.candidate, dy=on_cell * step.enter),
        sigmoid(y=step.leave, dy=on_hidden * step.squashed),
    ]
    return tf.concat(parts, axis=1), on_cell * step.forget


def _fill(part: Any, rows: Any) -> Any:
    """Zeros below `part`, up to `rows` rows."""
    return tf.pad(part, [[0, rows - tf.shape(part)[0]], [0, 0]])
