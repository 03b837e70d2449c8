"""One step of an LSTM, in NumPy, from the sums at its gates; Keras' order: input, forget, candidate, output.

sigmoid(x) = (tanh(x / 2) + 1) / 2: where the other three gates come halved, one tanh does for all four.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def halved(units: int) -> np.ndarray:
    """What the kernels and biases of the gates are multiplied by, float32 (4 * units,)."""
    return np.repeat(np.asarray([0.5, 0.5, 1, 0.5], np.float32), units)


def advance(gates: Sequence[np.ndarray], cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the new hidden state and cell, shaped like `cell`, from tanh of the four halved gates, which it spoils."""
    enter, forget, candidate, leave = gates
    for one in (enter, forget, leave):
        one += 1
    cell = forget * cell
    enter *= candidate
    cell += enter
    cell *= 0.5
    hidden = np.tanh(cell)
    hidden *= leave
    hidden *= 0.5
    return hidden, cell
