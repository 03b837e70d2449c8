"""MTCNN (Zhang et al. 2016): a cascade of three small networks that finds faces, with TensorFlow."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
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


MOST_TILTED = 35
"""Degrees."""


class Detection(NamedTuple):
    """A face: its box, the detector's confidence from 0 to 1, and by how many degrees it is tilted to either side.

    The network takes a face that is upside down for an upright one, with less confidence.
    """

    box: Box
    confidence: float
    tilt: float = 0.0

    @property
    def is_upright(self) -> bool:
        """Whether it is upright enough to be aligned."""
        return self.tilt <= MOST_TILTED


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

    def find_sure(self, pictures: Sequence[np.ndarray]) -> list[list[Detection]]:
        """Return the faces of each picture, as `find` does, that are SURE or that both detectors find.

        Several pictures take much less time at once than one after the other.
        """
        if any(min(pixels.shape[:2]) < SMALLEST for pixels in pictures):
            return [[] for _ in pictures]
        each = self._found_in_each(pictures)
        return [self._confirmed(pixels, found) for pixels, found in zip(pictures, each, strict=True)]

    def _found(self, pixels: np.ndarray) -> list[Detection]:
        return self._found_in_each([pixels])[0]

    def _found_in_each(self, pictures: Sequence[np.ndarray]) -> list[list[Detection]]:
        found = np.asarray(
            self._network.detect_faces(list(pictures), min_face_size=SMALLEST, box_format="xyxy", output_type="numpy")
        )
        each = []
        for number, pixels in enumerate(pictures):
            own = found[found[:, 0] == number].astype(np.float64)
            boxes = np.clip(own[:, 1:5] / np.array(pixels.shape[1::-1] * 2), 0, 1)
            rows = zip(boxes.tolist(), own[:, 5].tolist(), _tilts(own[:, 6:16]), strict=True)
            each.append(_distinct([Detection(Box(*box), sure, tilt) for box, sure, tilt in rows]))
        return each

    def _close_up(self, pixels: np.ndarray) -> list[Detection]:
        small = within(Image.fromarray(pixels), CLOSE_UP)
        height, width = small.shape[:2]
        margin = round(MARGIN * max(height, width))
        padded = np.pad(small, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
        whole, size = np.array(padded.shape[1::-1] * 2), np.array([width, height] * 2)
        found = []
        for one in self._confirmed(padded, self._found(padded)):
            inner = np.clip((np.array(one.box) * whole - margin) / size, 0, 1)
            found.append(one._replace(box=Box(*inner.tolist())))
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


def _tilts(landmarks: np.ndarray) -> list[float]:
    """Return by how many degrees the line from the eyes to the mouth is tilted, of landmarks (n, 10).

    They are the x of both eyes, the nose and both corners of the mouth, then their y.
    """
    if not len(landmarks):
        return []
    x, y = landmarks[:, :5], landmarks[:, 5:]
    across, down = (axis[:, 3:].mean(axis=1) - axis[:, :2].mean(axis=1) for axis in (x, y))
    return np.degrees(np.abs(np.arctan2(across, down))).tolist()


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
