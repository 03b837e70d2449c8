"""MTCNN (Zhang et al. 2016): a cascade of three small networks that finds faces, with TensorFlow."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from captioner.faces.base import SMALLEST
from captioner.frameworks import load_tensorflow
from data.errors import RetroflexError
from data.faces.records import Box
from data.pictures import within

VERSION = "mtcnn-1.0.0-hog"
WEIGHTS = {
    "pnet.lz4": "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5",
    "rnet.lz4": "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee",
    "onet.lz4": "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3",
}
"""SHA-256 of the weights, which the package reads by pickle: nothing but these very bytes is given to it."""
ONE_FACE = 0.4
"""Two boxes that overlap more than this are one face."""

CLOSE_UP, MARGIN = 150, 0.25
"""Pixels along the longer side of a picture that a face may fill, and the share of it that is added on each side."""
SURE = 0.97
"""The least confidence in such a face: small and with less around it, other things look like faces more often.

Less is enough where dlib's detector by gradients (Dalal and Triggs 2005), which errs otherwise, finds a face there too.
"""


class Detection(NamedTuple):
    """A face: its box, and the detector's confidence from 0 to 1."""

    box: Box
    confidence: float


class Detector:
    """Finds faces from 20 pixels on."""

    def __init__(self) -> None:
        """Load the networks. Raises RetroflexError where the weights are others than those that were tested."""
        _check_weights()
        load_tensorflow()
        import dlib
        from mtcnn import MTCNN

        self._network: Any = MTCNN()
        self._by_gradients: Any = dlib.get_frontal_face_detector()

    def find(self, pixels: np.ndarray) -> list[Detection]:
        """Return the faces of a picture, uint8 RGB (height, width, 3), the surest first.

        Where there is none, a face that fills the picture is looked for: smaller, with the picture's edge around it.
        """
        if min(pixels.shape[:2]) < SMALLEST:
            return []
        return self._found(pixels) or self._close_up(pixels)

    def _found(self, pixels: np.ndarray) -> list[Detection]:
        height, width = pixels.shape[:2]
        found = self._network.detect_faces(pixels, min_face_size=SMALLEST, box_format="xyxy", output_type="numpy")
        size = np.array([width, height, width, height], np.float64)
        boxes = np.clip(np.asarray(found)[:, 1:5].astype(np.float64) / size, 0, 1)
        rows = zip(boxes.tolist(), np.asarray(found)[:, 5].tolist(), strict=True)
        return _distinct([Detection(Box(*box), float(sure)) for box, sure in rows])

    def _close_up(self, pixels: np.ndarray) -> list[Detection]:
        small = within(Image.fromarray(pixels), CLOSE_UP)
        height, width = small.shape[:2]
        margin = round(MARGIN * max(height, width))
        padded = np.pad(small, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
        whole, size = np.array(padded.shape[1::-1] * 2), np.array([width, height] * 2)
        found = []
        for box, sure in self._confirmed(padded, self._found(padded)):
            inner = np.clip((np.array(box) * whole - margin) / size, 0, 1)
            found.append(Detection(Box(*inner.tolist()), sure))
        return _distinct(found)

    def _confirmed(self, pixels: np.ndarray, found: list[Detection]) -> list[Detection]:
        """Return the faces that are SURE, and those that the detector by gradients finds, too."""
        if all(one.confidence >= SURE for one in found):
            return found
        height, width = pixels.shape[:2]
        edges = [(one.left(), one.top(), one.right(), one.bottom()) for one in self._by_gradients(pixels, 0)]
        others = [Box(*edge) for edge in (np.array(edges).reshape(-1, 4) / (width, height, width, height)).tolist()]
        return [
            one for one in found if one.confidence >= SURE or any(one.box.overlap(other) > ONE_FACE for other in others)
        ]


def _distinct(detections: list[Detection]) -> list[Detection]:
    """Leave out boxes without an area, and those of a face that a surer box has."""
    kept: list[Detection] = []
    for one in sorted(detections, key=lambda one: -one.confidence):
        if one.box.area > 0 and all(one.box.overlap(other.box) <= ONE_FACE for other in kept):
            kept.append(one)
    return kept


def _check_weights() -> None:
    spec = find_spec("mtcnn")
    folder = Path(str(spec.origin)).parent / "assets" / "weights" if spec else Path()
    for name, digest in WEIGHTS.items():
        try:
            content = (folder / name).read_bytes()
        except OSError as error:
            raise RetroflexError(f"the face detector's {name} cannot be read: {error.strerror or error}") from error
        if hashlib.sha256(content).hexdigest() != digest:
            raise RetroflexError(f"the face detector's {name} is not that of mtcnn 1.0.0: pip install mtcnn==1.0.0")
