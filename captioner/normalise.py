"""Vectors brought to length 1, and layer normalisation folded into the product that follows it."""

from __future__ import annotations

import numpy as np


def normed_product(x: np.ndarray, kernel: np.ndarray, epsilon: float = 1e-3) -> np.ndarray:
    """Layer normalisation of the rows of `x` (without gain and offset), times `kernel`.

    Mean and scale are taken off the product, which is narrower than `x`.
    """
    mean = x.mean(axis=1, keepdims=True)
    variance = np.einsum("ij,ij->i", x, x)[:, None] / x.shape[1] - np.square(mean)
    product = x @ kernel
    product -= mean * kernel.sum(axis=0)
    product /= np.sqrt(variance + epsilon)
    return product


def unit(vectors: np.ndarray) -> np.ndarray:
    """Return `vectors` (n, d) divided by their lengths; a vector of zeros stays one."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
