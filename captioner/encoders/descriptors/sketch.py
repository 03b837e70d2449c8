"""Outlines, to be found by a sketch: orientations of a picture's edges against those of a drawing's strokes.

A picture's edges are where the gradient is largest across the edge and well above its mean around, so that outlines of
pale things on white count as those of dark ones. Both sides of a stroke are edges of one orientation, so a sketch is
encoded as any other picture is. Orientations are counted softly on a grid of cells, after Hu and Collomosse, "A
performance evaluation of gradient field HOG descriptor for sketch based image retrieval" (2013). Needs OpenCV.
"""

from __future__ import annotations

import numpy as np

from captioner.arithmetic import unit
from captioner.encoders.base import Features
from captioner.encoders.descriptors.base import register_descriptor
from captioner.types import SKETCH

SIDE, CELLS, BINS = 128, 10, 8
SMOOTHING, AROUND = 1.2, 24.0
"""Standard deviations, in pixels, of the blur before gradients are taken, and of their mean around a pixel."""
ABOVE, FAINTEST = 1.2, 0.8
"""An edge is so many times above the mean around it, and has at least this gradient, in levels of 255 a pixel."""


def edges(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where edges are, float32 0 or 1, and gradients' angles in radians, both (s, s), of uint8 RGB (s, s, 3)."""
    import cv2

    blurred = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), SMOOTHING)
    right, down = (cv2.Sobel(blurred, cv2.CV_32F, *order) / 8 for order in ((1, 0), (0, 1)))
    largest = np.hypot(right, down).argmax(axis=2)[..., None]
    right, down = (np.take_along_axis(one, largest, 2)[..., 0] for one in (right, down))
    gradient, angle = np.hypot(right, down), np.arctan2(down, right)
    threshold = np.maximum(ABOVE * cv2.GaussianBlur(gradient, (0, 0), AROUND), FAINTEST)
    return (_ridge(gradient, angle) & (gradient > threshold)).astype(np.float32), angle


def _ridge(gradient: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Return where the gradient is largest among a pixel and its two neighbours across the edge, bool (s, s)."""
    side = len(gradient)
    row, column = np.indices(gradient.shape)
    down, right = np.rint(np.sin(angle)).astype(int), np.rint(np.cos(angle)).astype(int)
    ahead, behind = (
        gradient[(row + sign * down).clip(0, side - 1), (column + sign * right).clip(0, side - 1)] for sign in (1, -1)
    )
    return (gradient >= ahead) & (gradient > behind)


def orientations(weight: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Return the square roots of the weight in each cell and orientation, float32 (BINS * CELLS * CELLS,).

    A pixel counts for the two nearest orientations, and for cells around it, so that a shift changes little.
    """
    import cv2

    side = len(weight)
    place = angle % np.pi * (BINS / np.pi)
    upper = place - np.floor(place)
    lower_bin = np.floor(place).astype(int) % BINS
    centres = ((np.arange(CELLS) + 0.5) * side / CELLS).astype(int)
    cells = []
    for one in range(BINS):
        share = np.where(lower_bin == one, 1 - upper, 0) + np.where((lower_bin + 1) % BINS == one, upper, 0)
        soft = cv2.GaussianBlur((weight * share).astype(np.float32), (0, 0), 0.6 * side / CELLS)
        cells.append(soft[np.ix_(centres, centres)])
    return np.sqrt(np.array(cells, np.float32)).ravel()


class EdgeOrientations:
    """Orientations of pictures' edges in 10 x 10 cells, as square roots; L2-normalised."""

    name, model_version = SKETCH, "sketch-1"
    side, cells, channels = SIDE, 0, 0
    dimension = BINS * CELLS**2
    summary = "outlines, to be found by a sketch"

    def encode(self, pictures: np.ndarray) -> Features:
        """Encode uint8 RGB pictures (n, side, side, 3)."""
        return Features(unit(np.array([orientations(*edges(picture)) for picture in pictures], np.float32)))


register_descriptor(EdgeOrientations, needs_opencv=True)
