"""Dominant colours: how much of a picture has which colour, wherever it is. Needs OpenCV.

The eight centres of k-means in CIELAB are the dominant colours, with their shares of the pixels. MPEG-7 compares such
lists pair by pair, which no cosine can. So each centre is spread over fixed colours of a regular grid in CIELAB, which
gives a histogram of one length for all pictures, and the square roots of its shares are the vector: the cosine of two
of them is the Bhattacharyya coefficient of the histograms.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from captioner.encoders.base import Features
from captioner.encoders.descriptors.base import register_descriptor
from data.colour.names import lab

CENTRES, ROUNDS = 8, 10
SPACING, SPREAD = 20.0, 10.0
"""Of the fixed colours in CIELAB, and the standard deviation with which a centre is spread over them."""


@cache
def fixed_colours() -> np.ndarray:
    """Return the fixed colours, float32 (colours, 3) in CIELAB: the points of the grid that are nearest to any sRGB."""
    steps = np.arange(0, 256, 5)
    every = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    return np.unique(np.round(lab(every) / SPACING), axis=0).astype(np.float32) * SPACING


def dominant_colours(square: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the centres in CIELAB, float32 (CENTRES, 3), and their shares (CENTRES,), of uint8 RGB (side, side, 3).

    k-means starts from pixels in groups of equal lightness, so the same picture always has the same centres.
    """
    import cv2

    pixels = lab(square.reshape(-1, 3))
    start = np.argsort(np.argsort(pixels[:, 0], kind="stable")) * CENTRES // len(pixels)
    until = (cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, ROUNDS, 0.5)
    labels = start.astype(np.int32)[:, None]
    _, nearest, centres = cv2.kmeans(pixels, CENTRES, labels, until, 1, cv2.KMEANS_USE_INITIAL_LABELS)
    return np.asarray(centres), np.bincount(np.ravel(nearest), minlength=CENTRES) / len(pixels)


def histogram(centres: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return how much of each fixed colour there is, (colours,), of sum 1."""
    squares = ((centres[:, None] - fixed_colours()) ** 2).sum(axis=2)
    near = np.exp((squares.min(axis=1, keepdims=True) - squares) / (2 * SPREAD**2))
    mixed: np.ndarray = shares @ (near / near.sum(axis=1, keepdims=True))
    return mixed


class DominantColours:
    """Square roots of the shares of the fixed colours, of length 1."""

    name, model_version = "dominant_colours", "dominant-colours-1"
    side, cells, channels = 64, 0, 0
    dimension = 239
    summary = "dominant colours: how much of which colour"

    def encode(self, pictures: np.ndarray) -> Features:
        """Encode uint8 RGB pictures (n, side, side, 3)."""
        shares = [histogram(*dominant_colours(picture)) for picture in pictures]
        return Features(np.sqrt(np.array(shares, np.float32)))


register_descriptor(DominantColours, needs_opencv=True)
