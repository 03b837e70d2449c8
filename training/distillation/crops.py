"""A fixed, seeded plan of crops, so that teacher outputs computed once stay right for ever."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

AREA = (0.35, 1.0)
ASPECT = (3 / 4, 4 / 3)


@dataclass(frozen=True)
class CropPlan:
    """`photograph` (count,) indexes the packed photographs; `box` (count, 4) is left, top, right, bottom in pixels."""

    photograph: np.ndarray
    box: np.ndarray

    def __len__(self) -> int:
        return len(self.photograph)

    def take(self, rows: np.ndarray) -> CropPlan:
        """The crops of these rows."""
        return CropPlan(self.photograph[rows], self.box[rows])


def plan_crops(weights: np.ndarray, side: int, count: int, seed: int | tuple[int, ...]) -> CropPlan:
    """Draw `count` crops of 35-100 % area: `weights` gives each photograph's chance, `side` its pixels."""
    random = np.random.default_rng(seed)
    photograph = random.choice(len(weights), size=count, p=weights)
    return CropPlan(photograph, draw_boxes(random, count, side, AREA))


def draw_boxes(random: np.random.Generator, count: int, side: int, share: tuple[float, float]) -> np.ndarray:
    """Draw float32 (count, 4) left, top, right, bottom: each box covers a `share` of a square of `side` pixels."""
    area = random.uniform(*share, size=count) * side * side
    aspect = np.exp(random.uniform(np.log(ASPECT[0]), np.log(ASPECT[1]), size=count))
    width = np.minimum(np.sqrt(area * aspect), side)
    height = np.minimum(np.sqrt(area / aspect), side)
    left = random.uniform(0, 1, count) * (side - width)
    top = random.uniform(0, 1, count) * (side - height)
    return np.stack([left, top, left + width, top + height], axis=1).astype(np.float32)


def cut(pixels: np.ndarray, box: np.ndarray, side: int) -> np.ndarray:
    """Return the crop `box` of one photograph resized to uint8 (side, side, 3)."""
    left, top, right, bottom = (float(edge) for edge in box)
    image = Image.fromarray(pixels)
    return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC, box=(left, top, right, bottom)))


def cut_crops(pixels: np.ndarray, plan: CropPlan, side: int) -> np.ndarray:
    """Return every crop of `plan` out of the packed photographs, uint8 (n, side, side, 3)."""
    return np.stack([cut(pixels[one], box, side) for one, box in zip(plan.photograph, plan.box, strict=True)])
