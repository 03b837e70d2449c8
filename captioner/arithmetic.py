"""Arithmetic that networks in NumPy share: matrix products, unit vectors, layer normalisation, one step of an LSTM.

Matrices are multiplied exactly in NumPy, or in bfloat16 through TensorFlow. Products are three quarters of what
captioning costs, and the encoder computes in bfloat16 where the processor can. Measured on a Zen 4 with AVX-512 BF16,
a product alone took half the time of NumPy's, but captioning as a whole gained only with many pictures at once: a tenth
at 128, while at 32 what TensorFlow adds to each product outweighed it, and one picture alone took 28 ms instead of 18.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from captioner.frameworks import load_tensorflow


class Arithmetic(Protocol):
    """A matrix, or one for each picture (n, a, b), is kept once in a form of its own and multiplied many times."""

    def keep(self, matrices: np.ndarray) -> Any:
        """Bring float32 `matrices` into the form that `times` takes."""

    def times(self, rows: np.ndarray, kept: Any, transposed: bool = False) -> np.ndarray:
        """Return `rows`, float32 (m, a) or (n, m, a), @ `kept` or @ each kept matrix' transpose, float32."""


class Exact:
    """float32 in NumPy; needs no framework."""

    def keep(self, matrices: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(matrices)

    def times(self, rows: np.ndarray, kept: np.ndarray, transposed: bool = False) -> np.ndarray:
        return np.asarray(rows @ (kept.swapaxes(-1, -2) if transposed else kept))


class BFloat16:
    """Factors and results rounded to bfloat16, sums in float32, by TensorFlow on the processor."""

    def __init__(self) -> None:
        load_tensorflow()
        import tensorflow as tf

        self._tf, self._type = tf, tf.bfloat16.as_numpy_dtype

    def keep(self, matrices: np.ndarray) -> Any:
        with self._tf.device("CPU"):
            return self._tf.constant(matrices.astype(self._type, order="C"))

    def times(self, rows: np.ndarray, kept: Any, transposed: bool = False) -> np.ndarray:
        with self._tf.device("CPU"):
            product = self._tf.matmul(self.keep(rows), kept, transpose_b=transposed)
        # Unlike `Tensor.numpy`, asarray makes no copy of its own.
        return np.asarray(product).astype(np.float32)


def centred(kernel: np.ndarray) -> np.ndarray:
    """Return `kernel` (inputs, outputs) such that rows need not be freed of their mean before the product."""
    return kernel - kernel.mean(axis=0)


def inverse_deviation(x: np.ndarray, epsilon: float = 1e-3) -> np.ndarray:
    """What layer normalisation multiplies the rows of `x` (m, n) by once their mean is off: (m, 1)."""
    mean = x.mean(axis=1, keepdims=True)
    variance = np.einsum("ij,ij->i", x, x)[:, None] / x.shape[1] - np.square(mean)
    return np.asarray(1 / np.sqrt(variance + epsilon))


def unit(vectors: np.ndarray) -> np.ndarray:
    """Return `vectors` (n, d) divided by their lengths; a vector of zeros stays one."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


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
