"""The directions in which a teacher's last map varies most: what of it is kept and matched."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from training.state import save_tensors

COMPONENTS = 128
LARGEST = 127
CLIPPED = 0.8
"""An int8 step is this share of what the largest value seen would need: the rare larger ones are clipped."""


@dataclass(frozen=True)
class Basis:
    """Principal components of map cells: `mean` (1280,), `components` (1280, 128), `step` (128,) of an int8.

    `variance` is that of all kept components together.
    """

    mean: np.ndarray
    components: np.ndarray
    step: np.ndarray
    variance: float

    def project(self, maps: np.ndarray) -> np.ndarray:
        """Turn maps (..., 1280) into coordinates (..., 128), float32."""
        result: np.ndarray = (maps - self.mean) @ self.components
        return result

    def pack(self, coordinates: np.ndarray) -> np.ndarray:
        """Round coordinates (..., 128) to int8."""
        return np.clip(np.round(coordinates / self.step), -LARGEST, LARGEST).astype(np.int8)

    def unpack(self, packed: np.ndarray) -> np.ndarray:
        """Undo `pack` but for the rounding, float32."""
        return packed.astype(np.float32) * self.step


def fit_basis(maps: np.ndarray) -> Basis:
    """Find the first 128 principal components of the cells of maps (n, 49, 1280)."""
    cells = maps.reshape(-1, maps.shape[-1])
    mean = cells.mean(axis=0)
    centred = cells - mean
    variances, directions = np.linalg.eigh(centred.T @ centred / len(cells))
    components = np.ascontiguousarray(directions[:, ::-1][:, :COMPONENTS], np.float32)
    largest = np.abs(centred @ components).max(axis=0)
    step = np.maximum(CLIPPED * largest / LARGEST, np.finfo(np.float32).tiny)
    return Basis(mean, components, step.astype(np.float32), float(variances[::-1][:COMPONENTS].sum()))


def save_basis(basis: Basis, path: Path) -> None:
    """Write the basis as safetensors."""
    arrays = {"mean": basis.mean, "components": basis.components, "step": basis.step}
    save_tensors({**arrays, "variance": np.asarray(basis.variance)}, path)


def load_basis(path: Path) -> Basis:
    """Read what `save_basis` wrote."""
    arrays = load_file(path)
    return Basis(arrays["mean"], arrays["components"], arrays["step"], float(arrays["variance"].item()))
