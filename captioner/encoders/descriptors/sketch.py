"""Outlines, to be found by a sketch: orientations of a picture's edges against those of a person's strokes.

A picture's edges are where the gradient is largest across the edge and well above its mean around, so that outlines of
pale things on white count as those of dark ones. Orientations are counted softly on a grid of cells, for edges and
strokes in the same way, after Hu and Collomosse, "A performance evaluation of gradient field HOG descriptor for sketch
based image retrieval" (2013). Needs OpenCV.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from captioner.arithmetic import unit
from captioner.encoders.base import Features
from captioner.encoders.descriptors.base import luma, register_descriptor, what_opencv_needs
from captioner.errors import BundleError
from data.errors import RetroflexError

if TYPE_CHECKING:
    from captioner.encoders.base import Encoder

NAME = "sketch"
SIDE, CELLS, BINS = 128, 10, 8
SMOOTHING, AROUND = 1.2, 24.0
"""Standard deviations, in pixels, of the blur before gradients are taken, and of their mean around a pixel."""
ABOVE, FAINTEST = 1.2, 0.8
"""An edge is so many times above the mean around it, and has at least this gradient, in levels of 255 a pixel."""
LEAST_INK = 20.0
"""Levels of 255 between paper and the darkest stroke; less is an empty sketch."""


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


def strokes(sketch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where a sketch has ink, 0 to 1, and the angles across its strokes, both (s, s), of uint8 RGB (s, s, 3).

    Paper is what most of the sketch is; strokes may be darker or lighter. Angles are those of the structure tensor, by
    which both sides of a stroke agree. Raises RetroflexError for a sketch without strokes.
    """
    import cv2

    grey = luma(sketch[None])[0]
    ink = np.abs(grey - np.median(grey))
    if ink.max() < LEAST_INK:
        raise RetroflexError("the sketch has no strokes; draw the outlines of what the picture shows, dark on white")
    ink /= ink.max()
    blurred = cv2.GaussianBlur(ink, (0, 0), SMOOTHING)
    right, down = (cv2.Sobel(blurred, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    across, along, both = (cv2.GaussianBlur(one, (0, 0), 2) for one in (right * right, down * down, right * down))
    return ink, np.arctan2(2 * both, across - along) / 2


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

    name, model_version = NAME, "sketch-1"
    side, cells, channels = SIDE, 0, 0
    dimension = BINS * CELLS**2
    summary = "outlines, to be found by a sketch"

    def encode(self, pictures: np.ndarray) -> Features:
        """Encode uint8 RGB pictures (n, side, side, 3)."""
        return Features(unit(np.array([orientations(*edges(picture)) for picture in pictures], np.float32)))


class StrokeOrientations(EdgeOrientations):
    """The same of sketches: their vectors are compared with those of pictures."""

    def encode(self, pictures: np.ndarray) -> Features:
        """Encode uint8 RGB sketches (n, side, side, 3). Raises RetroflexError for one without strokes."""
        return Features(unit(np.array([orientations(*strokes(sketch)) for sketch in pictures], np.float32)))


def sketch_reader() -> Encoder:
    """Return the encoder of sketches. Raises BundleError where OpenCV is missing."""
    if problem := what_opencv_needs():
        raise BundleError(problem)
    return StrokeOrientations()


register_descriptor(EdgeOrientations, needs_opencv=True)
