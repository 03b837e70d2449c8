"""The face finder that ships: MTCNN finds faces, dlib's network tells persons apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np
from PIL import Image

from captioner.faces import detector, embedder
from captioner.faces.base import FoundFace
from captioner.faces.detector import Detection, Detector
from captioner.faces.embedder import Embedder
from data.errors import RetroflexError
from data.faces.records import Box
from data.pictures import within

DETECTED_AT = 1024
"""Pixels along the longer side at which faces are looked for; they are cut out of the larger picture."""
DARK, BLACK = 100, 8
"""A picture whose brightest hundredth begins between these values, of 255, is made brighter to look for faces.

Below BLACK there are too few steps of brightness to see a face.
"""
TURNS = (45, -45, 90, -90, 180)
"""Degrees by which a picture without an upright face is turned, to look for lying and tilted ones."""
TURNED_AT = 256
"""Pixels along the longer side of a picture that is turned: only its larger faces are looked for, which saves time."""
MARGIN = 0.02
"""By how much surer faces have to be in a turned picture: an upright face is often found in turned ones, too."""
GREY = (127, 127, 127)
MODEL_VERSION = f"{detector.VERSION}-light-turned-{embedder.VERSION}"
_PACKAGES = {"mtcnn": "mtcnn", "dlib": "dlib-bin", "face_recognition_models": "face-recognition-models"}


class ShippedFinder:
    """See `captioner.faces.base.FaceFinder`."""

    model_version = MODEL_VERSION

    def __init__(self) -> None:
        """Load the networks. Raises RetroflexError, one line, where packages are missing or others than tested."""
        missing = what_is_missing()
        if missing:
            raise RetroflexError(missing)
        self._detector, self._embedder = Detector(), Embedder()

    def find(self, pixels: np.ndarray) -> list[FoundFace]:
        pixels = upright = brightened(np.ascontiguousarray(pixels))
        detected, by = self._detector.find(within(Image.fromarray(pixels), DETECTED_AT)), 0
        if all(one.confidence < detector.SURE or not one.is_upright for one in detected):
            surer = self._turned(pixels, _in_all(detected) + MARGIN)
            if surer is not None:
                by, upright, detected = surer
        vectors = self._embedder.embed(upright, [one.box for one in detected])
        found = [
            FoundFace(
                turned_back(one.box, by, upright.shape, pixels.shape), one.confidence, vector, _cut(upright, one.box)
            )
            for one, vector in zip(detected, vectors, strict=True)
        ]
        return sorted((one for one in found if one.box.area > 0), key=lambda one: one.box)

    def _turned(self, pixels: np.ndarray, least: float) -> tuple[int, np.ndarray, list[Detection]] | None:
        """Return by which of TURNS upright faces are surest, the picture turned so, and these faces.

        None if they are not surer, in all, than `least`.
        """
        small = Image.fromarray(within(Image.fromarray(pixels), TURNED_AT))
        tried = [_in_all(found) for found in self._detector.find_sure([turned(small, by) for by in TURNS])]
        by = TURNS[int(np.argmax(tried))]
        if max(tried) < least:
            return None
        upright = turned(Image.fromarray(pixels), by)
        found = self._detector.find_sure([within(Image.fromarray(upright), DETECTED_AT)])[0]
        return (by, upright, [one for one in found if one.is_upright]) if _in_all(found) >= least else None


def _in_all(detected: Sequence[Detection]) -> float:
    """Return the sum of the confidences of the upright faces."""
    return sum(one.confidence for one in detected if one.is_upright)


def turned(picture: Image.Image, by: int) -> np.ndarray:
    """Return a picture turned by so many degrees against the clock, in grey corners, uint8 (height, width, 3)."""
    return np.ascontiguousarray(picture.rotate(by, Image.Resampling.BILINEAR, expand=True, fillcolor=GREY))


def turned_back(box: Box, by: int, turned_shape: tuple[int, ...], shape: tuple[int, ...]) -> Box:
    """Return where the square about a box of a turned picture is in the picture, both with their shapes."""
    if not by:
        return box
    (high, wide), (height, width) = turned_shape[:2], shape[:2]
    across, down = ((box.left + box.right) / 2 - 0.5) * wide, ((box.top + box.bottom) / 2 - 0.5) * high
    cos, sin = math.cos(math.radians(by)), math.sin(math.radians(by))
    x, y = width / 2 + cos * across - sin * down, height / 2 + sin * across + cos * down
    half = ((box.right - box.left) * wide + (box.bottom - box.top) * high) / 4
    edges = (x - half) / width, (y - half) / height, (x + half) / width, (y + half) / height
    return Box(*(min(max(edge, 0.0), 1.0) for edge in edges))


def brightened(pixels: np.ndarray) -> np.ndarray:
    """Return a dark picture, uint8 (height, width, 3), with the light that others have; any other one as it is."""
    brightest = float(np.percentile(pixels[::4, ::4], 99))
    if not BLACK <= brightest < DARK:
        return pixels
    light = np.minimum(np.arange(256) * (255 / brightest), 255).astype(np.uint8)
    return np.asarray(light[pixels])


def _cut(pixels: np.ndarray, box: Box) -> np.ndarray:
    """Return what is in a box, at least one pixel."""
    height, width = pixels.shape[:2]
    left, top = min(int(box.left * width), width - 1), min(int(box.top * height), height - 1)
    right, bottom = max(round(box.right * width), left + 1), max(round(box.bottom * height), top + 1)
    return pixels[top:bottom, left:right]


def what_is_missing() -> str:
    """Return in one line what has to be installed before faces are found; "" if nothing has."""
    lacking = [package for module, package in _PACKAGES.items() if find_spec(module) is None]
    return f"faces need {', '.join(lacking)}: pip install '.[faces]'" if lacking else ""
