"""The face finder that ships: MTCNN finds faces, dlib's network tells persons apart."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
from PIL import Image

from captioner.faces import detector, embedder
from captioner.faces.base import FoundFace
from captioner.faces.detector import Detector
from captioner.faces.embedder import Embedder
from data.errors import RetroflexError
from data.faces.records import Box
from data.pictures import within

DETECTED_AT = 1024
"""Pixels along the longer side at which faces are looked for; they are cut out of the larger picture."""
MODEL_VERSION = f"{detector.VERSION}-{embedder.VERSION}"
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
        pixels = np.ascontiguousarray(pixels)
        small = within(Image.fromarray(pixels), DETECTED_AT)
        detected = sorted(self._detector.find(small), key=lambda one: one.box)
        boxes = [one.box for one in detected]
        rows = zip(detected, self._embedder.embed(pixels, boxes), strict=True)
        return [FoundFace(one.box, one.confidence, vector, _cut(pixels, one.box)) for one, vector in rows]


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
