"""The interface of what finds faces; `captioner.faces.finder` has the one that ships."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from data.faces.records import Box

LONGEST = 2048
"""Pixels along the longer side of a picture in which faces are looked for; larger ones are reduced to it."""
LONGEST_FRAME = 1024
"""The same of the frames of films."""
SMALLEST = 20
"""Pixels: a smaller face, in the reduced picture, is not looked for."""


@dataclass(frozen=True, eq=False)
class FoundFace:
    """A face: its box, the detector's confidence from 0 to 1, and a float32 (d,) vector of length 1.

    `crop` uint8 (h, w, 3) is cut out with a margin, for an encoder of whole pictures.
    """

    box: Box
    confidence: float
    vector: np.ndarray
    crop: np.ndarray


class FaceFinder(Protocol):
    """Finds faces; one thread at a time."""

    @property
    def model_version(self) -> str:
        """The name of networks and settings; vectors of two versions cannot be compared."""

    def find(self, pixels: np.ndarray) -> Sequence[FoundFace]:
        """Return the faces of a picture, uint8 RGB (height, width, 3), from left to right."""
