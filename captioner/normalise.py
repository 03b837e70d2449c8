"""Vectors brought to length 1, and layer normalisation folded into the product that follows it.

Normalised rows times a kernel are the rows themselves times the centred kernel, each divided by its deviation.
"""

from __future__ import annotations

import numpy as np


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
