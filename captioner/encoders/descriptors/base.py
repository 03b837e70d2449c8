"""What descriptors share: their registration, BT.601 colours, and the message for a missing OpenCV."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, ClassVar, Protocol

import numpy as np

from captioner.encoders.base import Encoder
from captioner.encoders.registry import Family, register
from captioner.errors import BundleError

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Shares of red, green and blue in BT.601's luma."""


class Descriptor(Encoder, Protocol):
    """An encoder without weights or settings; the class is its own settings."""

    cells: ClassVar[int]
    channels: ClassVar[int]
    dimension: ClassVar[int]
    summary: ClassVar[str]


def register_descriptor(kind: type[Any], needs_opencv: bool = False) -> None:
    """Register the class of a descriptor under its `name`."""
    missing = what_opencv_needs if needs_opencv else str

    def build(config: object, parts: object) -> Encoder:
        if problem := missing():
            raise BundleError(problem)
        encoder: Encoder = kind()
        return encoder

    register(Family(kind.name, kind, build, missing=missing, summary=kind.summary, dimension=kind.dimension))


def what_opencv_needs() -> str:
    """Return in one line what to install before OpenCV can be used; "" if it can."""
    return "" if find_spec("cv2") else "OpenCV is missing: pip install 'retroflex[descriptors]'"


def luma(pictures: np.ndarray) -> np.ndarray:
    """Return BT.601's luma, float32 (n, side, side) in 0 to 255, of uint8 RGB pictures (n, side, side, 3)."""
    return pictures.astype(np.float32) @ LUMA
