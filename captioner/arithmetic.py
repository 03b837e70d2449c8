"""How the decoder and the picture embedding multiply matrices: exactly in NumPy, or in bfloat16 through TensorFlow.

Products are three quarters of what captioning costs, and the encoder computes in bfloat16 where the processor can.
Measured on a Zen 4 with AVX-512 BF16, a product alone took half the time of NumPy's, but captioning as a whole gained
only with many pictures at once: a tenth at 128, while at 32 what TensorFlow adds to each product outweighed it, and one
picture alone took 28 ms instead of 18.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from captioner.quiet import load_tensorflow


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
