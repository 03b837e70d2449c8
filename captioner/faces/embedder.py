"""dlib's recognition network (King 2017), which places faces of one person near each other.

A face is aligned by the corners of its eyes and its nose (Kazemi and Sullivan 2014), cut out as 150 x 150 pixels and
turned into 128 numbers. The files of both models come with the package face-recognition-models, which is not imported,
as it needs a module that setuptools has dropped.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import RetroflexError
from data.faces.records import Box

LANDMARKS, NETWORK = "shape_predictor_5_face_landmarks.dat", "dlib_face_recognition_resnet_model_v1.dat"
VERSION = "dlib-resnet-v1-mirrored"
SIDE, PADDING = 150, 0.25
"""Pixels of an aligned face, and the margin around it that the network was trained with."""


class Embedder:
    """Turns faces into vectors."""

    def __init__(self) -> None:
        """Load the networks. Raises RetroflexError where a file is missing."""
        import dlib

        self._dlib: Any = dlib
        self._landmarks = dlib.shape_predictor(_file(LANDMARKS))
        self._network = dlib.face_recognition_model_v1(_file(NETWORK))

    def embed(self, pixels: np.ndarray, boxes: list[Box]) -> np.ndarray:
        """Return a float32 vector (n, 128) of length 1 for each of n boxes in a picture, uint8 (height, width, 3).

        It is the direction of the sum of the vectors of the face and of its mirror image.
        """
        chips = self.align(pixels, boxes)
        both = [np.ascontiguousarray(turned) for chip in chips for turned in (chip, chip[:, ::-1])]
        if not both:
            return np.zeros((0, 128), np.float32)
        vectors = np.array([self._network.compute_face_descriptor(chip) for chip in both], np.float32)
        sums = vectors.reshape(len(chips), 2, -1).sum(axis=1)
        return np.asarray(sums / np.linalg.norm(sums, axis=1, keepdims=True))

    def align(self, pixels: np.ndarray, boxes: list[Box]) -> list[np.ndarray]:
        """Return the faces in the boxes, upright and of one size, uint8 (SIDE, SIDE, 3) each."""
        chips = []
        for box in boxes:
            chips.append(self._dlib.get_face_chip(pixels, self._shape(pixels, box), SIDE, PADDING))
        return chips

    def landmarks(self, pixels: np.ndarray, box: Box) -> np.ndarray:
        """Return the pixels (5, 2), across and down, of two corners of an eye, two of the other, and below the nose."""
        shape = self._shape(pixels, box)
        return np.array([(shape.part(number).x, shape.part(number).y) for number in range(5)], np.float64)

    def _shape(self, pixels: np.ndarray, box: Box) -> Any:
        return self._landmarks(pixels, self._square(box, pixels.shape))

    def _square(self, box: Box, shape: tuple[int, ...]) -> Any:
        """Return the square about a box that the landmarks were learnt in: as wide as the box is on average."""
        height, width = shape[:2]
        left, right, top, bottom = box.left * width, box.right * width, box.top * height, box.bottom * height
        half = (right - left + bottom - top) / 4
        across, down = (left + right) / 2, (top + bottom) / 2
        return self._dlib.rectangle(*(int(edge) for edge in (across - half, down - half, across + half, down + half)))


def _file(name: str) -> str:
    spec = find_spec("face_recognition_models")
    folders = list(spec.submodule_search_locations or []) if spec else []
    path = Path(folders[0] if folders else "") / "models" / name
    if not path.is_file():
        raise RetroflexError(f"face-recognition-models has no {name}: install the package again")
    return str(path)
