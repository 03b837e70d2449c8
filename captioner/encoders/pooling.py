"""Pool a grid of features to one vector whose cosine finds changed copies of a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from captioner.arithmetic import unit


def plain_mean(grids: np.ndarray) -> np.ndarray:
    """Return the L2-normalised mean (n, c) of grids float32 (n, cells, c)."""
    return unit(grids.mean(axis=1))


def root_mean_square(grids: np.ndarray) -> np.ndarray:
    """Return the L2-normalised (mean of x ** 2) ** (1 / 2) over the cells, float32 (n, c), of grids (n, cells, c).

    The generalised mean of Radenovic, Tolias and Chum, "Fine-tuning CNN image retrieval with no human annotation"
    (2018), with exponent 2: pictures of one class are nearer than with their 3 (docs/ranking.md).
    """
    return unit(np.sqrt(np.einsum("ncd,ncd->nd", grids, grids) / np.float32(grids.shape[1])))


@dataclass(frozen=True)
class Pooling:
    """Root mean square, then a whitening learnt by `training`: `centre` (c,), `projection` (c, d)."""

    centre: np.ndarray
    projection: np.ndarray

    def __call__(self, grids: np.ndarray) -> np.ndarray:
        """Return L2-normalised float32 vectors (n, d) of grids float32 (n, cells, c)."""
        return self.project(root_mean_square(grids))

    def project(self, pooled: np.ndarray) -> np.ndarray:
        """Whiten results of `root_mean_square`, (n, c). Return float32 (n, d), L2-normalised."""
        return unit((pooled - self.centre) @ self.projection)
