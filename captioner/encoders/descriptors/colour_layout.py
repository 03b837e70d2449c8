"""The colour layout of MPEG-7 (ISO/IEC 15938-3, 6.6): which colours lie where in a picture.

The picture is averaged to 8 x 8 colours in YCbCr, each channel goes through a DCT, and the first coefficients are kept
in zigzag order: 28 of luma and 15 of each chroma, two of the numbers that the standard allows. They stay unquantised.
"""

from __future__ import annotations

import numpy as np

from captioner.arithmetic import unit
from captioner.encoders.base import Features
from captioner.encoders.descriptors.base import LUMA, register_descriptor

GRID = 8
LUMA_KEPT, CHROMA_KEPT = 28, 15
WEIGHTS = ((2, 2, 2, 1), (2, 1), (4, 2))
"""Of the squared differences of Y, Cb and Cr in the standard's distance (XM software); the last one goes on."""
CONSTANT = 256.0
"""A last number that all vectors share, half as long as the rest of most.

The standard's distance is a sum of three weighted Euclidean ones, which no cosine can be. This is as near as a cosine
comes: coefficients times the roots of their weights, so that differences weigh as in the standard, and the constant,
with which the angle grows with the Euclidean distance also where a picture is nearly grey.
"""
TO_YCBCR = np.array([LUMA, [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32)
"""Rows make Y, Cb and Cr (BT.601, full range) of RGB, without the offset of chroma."""


def zigzag(side: int) -> list[tuple[int, int]]:
    """Return the (row, column) of a square in the zigzag order of JPEG."""
    cells = [(row, column) for row in range(side) for column in range(side)]
    return sorted(cells, key=lambda cell: (sum(cell), cell[0] if sum(cell) % 2 else cell[1]))


def dct_matrix(side: int) -> np.ndarray:
    """Return the orthonormal DCT-II as a float32 matrix (side, side); rows are frequencies."""
    position, frequency = np.arange(side), np.arange(side)[:, None]
    matrix = np.cos(np.pi * (2 * position + 1) * frequency / (2 * side)) * np.sqrt(2 / side)
    matrix[0] /= np.sqrt(2)
    return matrix.astype(np.float32)


def _roots(weights: tuple[int, ...], count: int) -> np.ndarray:
    full = [*weights, *[weights[-1]] * (count - len(weights))] if len(weights) < count else weights
    return np.sqrt(np.array(full, np.float32))


class ColourLayout:
    """28 coefficients of Y, 15 of Cb and 15 of Cr, weighted, and a constant; L2-normalised."""

    name, model_version = "colour_layout", "colour-layout-1"
    side, cells, channels = 64, 0, 0
    dimension = LUMA_KEPT + 2 * CHROMA_KEPT + 1
    summary = "MPEG-7 colour layout: which colours lie where"

    def __init__(self) -> None:
        order = np.array(zigzag(GRID)).T
        self._rows, self._columns = order
        self._dct = dct_matrix(GRID)
        self._kept = (LUMA_KEPT, CHROMA_KEPT, CHROMA_KEPT)
        self._roots = [_roots(weights, count) for weights, count in zip(WEIGHTS, self._kept, strict=True)]

    def encode(self, pictures: np.ndarray) -> Features:
        """Encode uint8 RGB pictures (n, side, side, 3)."""
        coefficients = self.coefficients(pictures)
        parts = [coefficients[:, channel, :count] * self._roots[channel] for channel, count in enumerate(self._kept)]
        constant = np.full((len(pictures), 1), CONSTANT, np.float32)
        return Features(unit(np.concatenate([*parts, constant], axis=1)))

    def coefficients(self, pictures: np.ndarray) -> np.ndarray:
        """Return all DCT coefficients of Y - 128, Cb and Cr in zigzag order, float32 (n, 3, 64)."""
        size = self.side // GRID
        blocks = pictures.reshape(len(pictures), GRID, size, GRID, size, 3).astype(np.float32)
        channels = blocks.mean(axis=(2, 4)) @ TO_YCBCR.T
        channels[..., 0] -= 128
        transformed = np.einsum("ui,nijc,vj->ncuv", self._dct, channels, self._dct)
        return transformed[:, :, self._rows, self._columns]


register_descriptor(ColourLayout)
