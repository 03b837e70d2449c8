"""Kernels and matrices as int8 with one scale an output channel: a quarter of float32, half of float16."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

SCALE = "/scale"


def quantise(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Store kernels (ndim > 1) as int8 beside `<name>/scale`, float32 by output channel; the rest as float32."""
    packed: dict[str, np.ndarray] = {}
    for name, value in weights.items():
        if value.ndim == 1:
            packed[name] = value.astype(np.float32)
            continue
        scale = np.abs(value).max(axis=tuple(range(value.ndim - 1))) / 127
        scale = np.where(scale > 0, scale, 1).astype(np.float32)
        packed[name] = np.round(value / scale).astype(np.int8)
        packed[name + SCALE] = scale
    return packed


def restore(packed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Undo `quantise`: every tensor comes back as float32. Raises KeyError."""
    return {
        name: value.astype(np.float32) * packed[name + SCALE] if value.dtype == np.int8 else value.astype(np.float32)
        for name, value in packed.items()
        if not name.endswith(SCALE)
    }
