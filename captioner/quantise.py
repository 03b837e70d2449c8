"""Kernels and matrices as whole numbers of 8 or 4 bits with one scale an output channel.

Eight bits take a quarter of float32. Four take half of that, for large tensors only: VGG16's first convolutions are
small, and coarse steps there harm all later layers (docs/training.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

SCALE = "/scale"
LEVELS = {8: 127, 4: 7}
"""The largest whole number for each number of bits."""
LARGE = 100_000
"""Smaller tensors always use 8 bits."""


class Rows:
    """The rows of a quantised matrix (n, d), restored on access, since few rows of a large table are used."""

    def __init__(self, packed: np.ndarray, scale: np.ndarray) -> None:
        self.packed, self.scale = packed, scale
        self.shape = (len(packed), len(scale))

    def __getitem__(self, rows: np.ndarray | Sequence[int]) -> np.ndarray:
        """Rows (m,) as float32 (m, d)."""
        return _restored(self.packed[rows], self.scale)


def quantise(weights: Mapping[str, np.ndarray | Rows], bits: int = 8) -> dict[str, np.ndarray]:
    """Store kernels (ndim > 1) as whole numbers beside `<name>/scale`, float32 by output channel; the rest as float32.

    They are int8, or uint8 of two 4-bit numbers each if the kernel is large and `bits` is 4 or it holds such numbers.
    """
    packed: dict[str, np.ndarray] = {}
    for name, value in weights.items():
        if isinstance(value, Rows):
            packed[name], packed[name + SCALE] = value.packed, value.scale
            continue
        if value.ndim == 1:
            packed[name] = value.astype(np.float32)
            continue
        four, scale = to_levels(value, 4)
        if value.size >= LARGE and (bits == 4 or np.array_equal(four * scale, value)):
            packed[name], packed[name + SCALE] = _in_pairs(four), scale
        else:
            packed[name], packed[name + SCALE] = to_levels(value, 8)
    return packed


class Restored(Mapping[str, np.ndarray]):
    """What `quantise` packed, by name; a tensor comes back as float32 on access, as most are read only once."""

    def __init__(self, packed: Mapping[str, np.ndarray]) -> None:
        """Raises KeyError where a scale is missing."""
        self._values = {
            name: (value, None if value.dtype == np.float32 else packed[name + SCALE])
            for name, value in packed.items()
            if not name.endswith(SCALE)
        }

    def __getitem__(self, name: str) -> np.ndarray:
        value, scale = self._values[name]
        return value if scale is None else _restored(value, scale)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def restore_rows(packed: Mapping[str, np.ndarray], tables: str) -> dict[str, Any]:
    """Undo `quantise`; matrices whose name ends with `tables` come back as `Rows`. Raises KeyError."""
    late = {name: Rows(value, packed[name + SCALE]) for name, value in packed.items() if name.endswith(tables)}
    rest = {name: value for name, value in packed.items() if name.removesuffix(SCALE) not in late}
    return {**Restored(rest), **late}


def rounded(weights: Mapping[str, np.ndarray], bits: int = 8) -> dict[str, np.ndarray]:
    """Return the weights as a bundle restores them."""
    return dict(Restored(quantise(weights, bits)))


def to_levels(value: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Return `value` as int8 numbers of `bits` bits, same shape, and their float32 scales by output channel."""
    scale = np.abs(value).max(axis=tuple(range(value.ndim - 1))) / LEVELS[bits]
    scale = np.where(scale > 0, scale, 1).astype(np.float32)
    return np.round(value / scale).astype(np.int8), scale


def _in_pairs(levels: np.ndarray) -> np.ndarray:
    """Pack two neighbours of the last axis into a byte, uint8; a single last one is paired with zero."""
    odd = [(0, 0)] * (levels.ndim - 1) + [(0, levels.shape[-1] % 2)]
    nibbles = (np.pad(levels, odd) + 8).astype(np.uint8)
    return np.asarray(nibbles[..., ::2] | nibbles[..., 1::2] << 4)


def _restored(value: np.ndarray, scale: np.ndarray) -> np.ndarray:
    if value.dtype == np.uint8:
        pairs = np.stack([value & 15, value >> 4], axis=-1).reshape(*value.shape[:-1], -1)
        value = pairs[..., : len(scale)].astype(np.int8) - np.int8(8)
    return value.astype(np.float32) * scale
