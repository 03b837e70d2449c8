"""Arithmetic that networks in NumPy share: matrix products, unit vectors, layer normalisation, one step of an LSTM.

Matrices are multiplied exactly in NumPy, or in bfloat16 through TensorFlow. Products take three quarters of the time of
captioning, and the encoder computes in bfloat16 where the processor can. On a Zen 4 with AVX-512 BF16 a single product
took half of NumPy's time, but captioning gained only with many pictures at once: a tenth at 128. At 32, TensorFlow's
overhead outweighed the gain, and one picture alone took 28 ms instead of 18.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from captioner.frameworks import load_tensorflow


class Arithmetic(Protocol):
    """Matrix products with a matrix, or one for each picture (n, a, b), that is prepared once and used often."""

    def prepare(self, matrices: np.ndarray) -> Any:
        """Return float32 `matrices` in the form that `matmul` takes."""

    def matmul(self, rows: np.ndarray, prepared: Any, transposed: bool = False) -> np.ndarray:
        """Return `rows`, float32 (m, a) or (n, m, a), @ `prepared`, or @ the transpose of each matrix, float32."""


class Exact:
    """float32 in NumPy; needs no framework."""

    def prepare(self, matrices: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(matrices)

    def matmul(self, rows: np.ndarray, prepared: np.ndarray, transposed: bool = False) -> np.ndarray:
        return np.asarray(rows @ (prepared.swapaxes(-1, -2) if transposed else prepared))


class BFloat16:
    """Factors and results rounded to bfloat16, sums in float32, by TensorFlow on the CPU."""

    def __init__(self) -> None:
        load_tensorflow()
        import tensorflow as tf

        self._tf, self._type = tf, tf.bfloat16.as_numpy_dtype

    def prepare(self, matrices: np.ndarray) -> Any:
        with self._tf.device("CPU"):
            return self._tf.constant(matrices.astype(self._type, order="C"))

    def matmul(self, rows: np.ndarray, prepared: Any, transposed: bool = False) -> np.ndarray:
        with self._tf.device("CPU"):
            product = self._tf.matmul(self.prepare(rows), prepared, transpose_b=transposed)
        # Unlike `Tensor.numpy`, asarray makes no copy of its own.
        return np.asarray(product).astype(np.float32)


def centred(kernel: np.ndarray) -> np.ndarray:
    """Return `kernel` (inputs, outputs) changed so that the mean of the input rows does not matter."""
    return kernel - kernel.mean(axis=0)


def inverse_deviation(x: np.ndarray, epsilon: float = 1e-3) -> np.ndarray:
    """Return the factors (m, 1) by which layer normalisation scales the centred rows of `x` (m, n)."""
    mean = x.mean(axis=1, keepdims=True)
    variance = np.einsum("ij,ij->i", x, x)[:, None] / x.shape[1] - np.square(mean)
    return np.asarray(1 / np.sqrt(variance + epsilon))


def unit(vectors: np.ndarray) -> np.ndarray:
    """Return `vectors` (n, d) divided by their lengths; a vector of zeros stays zero."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def gate_factors(units: int) -> np.ndarray:
    """Return the factors of the gates' kernels and biases, float32 (4 * units,)."""
    return np.repeat(np.asarray([0.5, 0.5, 1, 0.5], np.float32), units)


def advance(gates: Sequence[np.ndarray], cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the new hidden state and cell, shaped like `cell`, from tanh of the four gates, overwritten."""
    input_gate, forget_gate, candidate, output_gate = gates
    for gate in (input_gate, forget_gate, output_gate):
        gate += 1
    cell = forget_gate * cell
    input_gate *= candidate
    cell += input_gate
    cell *= 0.5
    hidden = np.tanh(cell)
    hidden *= output_gate
    hidden *= 0.5
    return hidden, cell
