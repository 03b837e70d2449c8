"""A grid of features becomes one vector, such that cosine finds a picture again whatever happened to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from captioner.normalise import unit


def plain_mean(grids: np.ndarray) -> np.ndarray:
    """Return the L2-normalised mean (n, c) of grids float32 (n, cells, c)."""
    return unit(grids.mean(axis=1))


def generalised_mean(grids: np.ndarray) -> np.ndarray:
    """Return the L2-normalised (mean of x ** 3) ** (1 / 3) over the cells, float32 (n, c), of grids (n, cells, c).

    GeM of Radenovic, Tolias and Chum, "Fine-tuning CNN image retrieval with no human annotation" (2018), with its
    exponent at their 3; the grids are not negative, as after a ReLU. The cube is one product of a square and the
    grid, much quicker than a power of floats.
    """
    cubes = np.einsum("ncd,ncd->nd", np.square(grids), grids) / np.float32(grids.shape[1])
    return unit(np.cbrt(cubes))


@dataclass(frozen=True)
class Pooling:
    """Generalised mean, then a whitening learnt by `training`: `centre` (c,), `projection` (c, d)."""

    centre: np.ndarray
    projection: np.ndarray

    def __call__(self, grids: np.ndarray) -> np.ndarray:
        """Return L2-normalised float32 vectors (n, d) of grids float32 (n, cells, c)."""
        return self.project(generalised_mean(grids))

    def project(self, pooled: np.ndarray) -> np.ndarray:
        """Whiten what `generalised_mean` gave, (n, c); float32 (n, d), L2-normalised."""
        return unit((pooled - self.centre) @ self.projection)
