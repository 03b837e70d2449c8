"""Histograms of oriented gradients (Dalal and Triggs, 2005): which edges lie where in a picture."""

from __future__ import annotations

import numpy as np

from captioner.arithmetic import unit
from captioner.encoders.base import Features
from captioner.encoders.descriptors.base import register_descriptor

SIDE, CELL, BLOCK, BINS = 64, 16, 2, 9
"""Pixels of the picture and of a cell, cells of a block, and orientations between 0 and 180 degrees."""
CLIP = 0.2
EVEN = 0.125
"""About the mean entry of a block. It is taken off, since otherwise all vectors would lie in about one direction."""


def oriented_gradients(pictures: np.ndarray) -> np.ndarray:
    """Return normalised blocks, float32 (n, blocks, blocks, BLOCK, BLOCK, BINS), of uint8 RGB pictures (n, s, s, 3).

    Each pixel counts by the gradient of the channel where that is largest. Blocks are normalised by L2-Hys. The same as
    `skimage.feature.hog`.
    """
    magnitude, orientation = _gradients(pictures.astype(np.float32))
    count, side = len(pictures), pictures.shape[1]
    cells = side // CELL
    bins = np.minimum((orientation * (BINS / np.pi)).astype(np.int64), BINS - 1)
    votes = [np.where(bins == one, magnitude, 0).reshape(count, cells, CELL, cells, CELL) for one in range(BINS)]
    histograms = np.stack([vote.mean(axis=(2, 4)) for vote in votes], axis=-1)
    blocks = np.lib.stride_tricks.sliding_window_view(histograms, (BLOCK, BLOCK), axis=(1, 2))
    return _l2_hys(np.moveaxis(blocks, 3, 5))


def _gradients(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return magnitude and orientation in radians, 0 to pi, both (n, s, s), by central differences; 0 at the border."""
    down, right = np.zeros_like(pictures), np.zeros_like(pictures)
    down[:, 1:-1] = pictures[:, 2:] - pictures[:, :-2]
    right[:, :, 1:-1] = pictures[:, :, 2:] - pictures[:, :, :-2]
    largest = np.hypot(down, right).argmax(axis=-1)[..., None]
    down, right = (np.take_along_axis(one, largest, -1)[..., 0] for one in (down, right))
    return np.hypot(down, right), np.arctan2(down, right) % np.float32(np.pi)


def _l2_hys(blocks: np.ndarray) -> np.ndarray:
    """Normalise each block to length 1, clip its entries, and normalise again."""
    within = (3, 4, 5)
    for clip in (CLIP, None):
        blocks = blocks / np.sqrt((blocks**2).sum(axis=within, keepdims=True) + np.float32(1e-10))
        blocks = blocks if clip is None else np.minimum(blocks, clip)
    return blocks


class Hog:
    """4 x 4 cells of 9 orientations in overlapping blocks of 2 x 2, less their usual mean; L2-normalised."""

    name, model_version = "hog", "hog-1"
    side, cells, channels = SIDE, 0, 0
    dimension = (SIDE // CELL - BLOCK + 1) ** 2 * BLOCK**2 * BINS
    summary = "histograms of oriented gradients: which edges lie where"

    def encode(self, pictures: np.ndarray) -> Features:
        """Encode uint8 RGB pictures (n, side, side, 3)."""
        return Features(unit((oriented_gradients(pictures) - np.float32(EVEN)).reshape(len(pictures), -1)))


register_descriptor(Hog)
