"""Faces and people as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

FACE = "face"
"""The kind of an item that is a face, and of the vector that tells persons apart."""
ON_CROP = "face_"
"""Before the name of the captioner's encoder: the kind of its vector of the cut-out face."""


class Box(NamedTuple):
    """Where a face is, in shares of the width and height of its upright picture, from 0 to 1."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def area(self) -> float:
        """Its share of the picture."""
        return max(self.right - self.left, 0.0) * max(self.bottom - self.top, 0.0)

    def overlap(self, other: Box) -> float:
        """Return the area of the intersection, divided by that of the union."""
        inner = Box(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        ).area
        union = self.area + other.area - inner
        return inner / union if union else 0.0


@dataclass(frozen=True, eq=False)
class FaceRow:
    """A face that was found: float32 vectors by kind, each with the model version that made it.

    `seconds` is the time of the frame of a film that it is in, None in a picture.
    """

    box: Box
    confidence: float
    vectors: Mapping[str, tuple[str, np.ndarray]]
    seconds: float | None = None


@dataclass(frozen=True)
class ScannedPicture:
    """A picture, the content hash of what was looked at, and its faces; there may be none."""

    picture_id: int
    digest: str
    faces: Sequence[FaceRow] = ()


class StoredFace(NamedTuple):
    """A face in the store; `decided` tells that a person said whose it is, `seconds` where in a film it is."""

    id: int
    picture_id: int
    box: Box
    confidence: float
    person_id: int | None
    decided: bool
    seconds: float | None = None


class Person(NamedTuple):
    """A group of faces, with the name that a person gave it; `cover` is its clearest face."""

    id: int
    name: str | None
    hidden: bool
    faces: int
    pictures: int
    cover: int

    @property
    def called(self) -> str:
        """Its name, or its number."""
        return self.name or f"group {self.id}"


class FaceVectors(NamedTuple):
    """n faces by rising id: `ids` and `pictures` int64 (n,), `boxes` float32 (n, 4), `vectors` float16 (n, d).

    `seconds` float64 (n,) are the times of frames of films, NaN in pictures.
    """

    ids: np.ndarray
    pictures: np.ndarray
    boxes: np.ndarray
    vectors: np.ndarray
    seconds: np.ndarray
