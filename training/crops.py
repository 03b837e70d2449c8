"""Random crops of photographs."""

from __future__ import annotations

import numpy as np
from PIL import Image

ASPECT = (3 / 4, 4 / 3)


def draw_box(random: np.random.Generator, side: int, share: tuple[float, float]) -> tuple[float, float, float, float]:
    """Draw left, top, right, bottom of a box that covers a `share` of a square of `side` pixels."""
    area = random.uniform(*share) * side * side
    aspect = np.exp(random.uniform(*np.log(ASPECT)))
    width, height = min(np.sqrt(area * aspect), side), min(np.sqrt(area / aspect), side)
    left, top = random.uniform(0, side - width), random.uniform(0, side - height)
    return float(left), float(top), float(left + width), float(top + height)


def cut(pixels: np.ndarray, box: tuple[float, float, float, float], side: int) -> np.ndarray:
    """Return the crop `box` of uint8 (h, w, 3), resized to uint8 (side, side, 3)."""
    image = Image.fromarray(pixels)
    return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC, box=box))
