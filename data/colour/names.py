"""The colours of a picture by name: those of the eleven basic ones that it mostly has.

The names are those of Berlin and Kay, "Basic Color Terms" (1969). Nearest by CIELAB to a few examples of each decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

NAMES = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "white", "grey", "black")
"""A set of colours is an integer with a bit for each name, in this order."""
VIVID_SHARE, PLAIN_SHARE = 0.06, 0.2
"""The shares of the pixels from which on a picture has a vivid colour, or brown, white, grey or black.

Plain colours are in most backgrounds and shadows, so more of them is needed.
"""
PLAIN = ("brown", "white", "grey", "black")
SAMPLES = 32
"""Pixels along each side that are looked at."""
LEVELS = 32
"""Of red, green and blue in the table of names."""

_NEEDED = np.array([PLAIN_SHARE if name in PLAIN else VIVID_SHARE for name in NAMES])
_EXAMPLES = {
    "red": ("d01c1f", "b00000", "ff2a1a", "8f1420", "e0453f", "640a14"),
    "orange": ("ff7f00", "e8731a", "f59b3c", "cc5c10", "ffa64d"),
    "yellow": ("ffe000", "f2d028", "fff27a", "d9b310", "e6d96a"),
    "green": ("1f9a3a", "4caf50", "0f5a26", "8fc050", "2e8b57", "5a7a3a", "a8d8a0", "3c5230", "00c040"),
    "blue": ("1f4fd8", "0a2a7a", "4a90e2", "87b8e8", "2f6690", "15305a", "00a0e0", "5a7fa8", "0000ff", "2ab8c0"),
    "purple": ("7a28a8", "4b1a70", "9b6bc8", "a040b0", "602870", "c09ae0", "8a2be2", "3c1450"),
    "pink": ("ff69b4", "f5a8c0", "e84a8a", "ffc0cb", "d8407a", "f090b8"),
    "brown": ("7a4a22", "5a3214", "9a6a3c", "8b5a2b", "a8764a", "4a2c18", "6e4f3a", "b58a60"),
    "white": ("ffffff", "f4f4f2", "eeeeee", "f6f2ea", "ebeff4"),
    "grey": ("808080", "a0a0a0", "606060", "c0c0c0", "8c8880", "70767c", "4a4a4a", "aaa69e"),
    "black": ("000000", "141414", "1c1a18", "14181c", "262626"),
}


def mostly(square: np.ndarray) -> int:
    """Return the colours that uint8 RGB pixels (side, side, 3) mostly have, a bit for each, never none.

    These are all colours with enough of the pixels, see VIVID_SHARE, and the largest one.
    """
    rows = (np.arange(SAMPLES) * 2 + 1) * square.shape[0] // (2 * SAMPLES)
    levels = square[np.ix_(rows, rows)].reshape(-1, 3) >> 3
    cells = (levels[:, 0].astype(np.intp) * LEVELS + levels[:, 1]) * LEVELS + levels[:, 2]
    counts = np.bincount(_table()[cells], minlength=len(NAMES))
    kept = (counts >= _NEEDED * len(cells)) | (counts == counts.max())
    return int(kept @ (1 << np.arange(len(NAMES))))


def names_of(colours: int) -> list[str]:
    """Return the names in a set of colours, in the order of NAMES."""
    return [name for bit, name in enumerate(NAMES) if colours >> bit & 1]


def colours_of(names: Sequence[str]) -> int:
    """Return the set of these colours. Raises ValueError for an unknown name."""
    return sum({1 << NAMES.index(name) for name in names})


@cache
def _table() -> np.ndarray:
    """Return the index of the name of each of LEVELS ** 3 colours, uint8."""
    steps = np.arange(LEVELS) * 8 + 4
    colours = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(LEVELS, -1, 3)
    pairs = [(index, bytes.fromhex(one)) for index, name in enumerate(NAMES) for one in _EXAMPLES[name]]
    examples = lab(np.array([list(pixel) for _, pixel in pairs]))
    # All distances at once would take 50 MB.
    nearest = [((lab(some)[:, None] - examples) ** 2).sum(axis=2).argmin(axis=1) for some in colours]
    return np.array([index for index, _ in pairs], np.uint8)[np.concatenate(nearest)]


def lab(colours: np.ndarray) -> np.ndarray:
    """Return CIELAB (D65), float32, of sRGB colours 0 to 255, both of shape (..., 3)."""
    share = np.asarray(colours, np.float64) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _XYZ
    roots = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = np.moveaxis(roots, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1).astype(np.float32)


_XYZ = np.array([[0.412453, 0.212671, 0.019334], [0.357580, 0.715160, 0.119193], [0.180423, 0.072169, 0.950227]])
_XYZ /= [0.95047, 1.0, 1.08883]
"""Columns make X, Y and Z, in shares of those of D65's white, of linear sRGB."""
