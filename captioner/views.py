"""What the decoder sees of a picture, small enough to be kept: coarse cells in one byte each, compressed.

The cells that `captioner.decoder` attends to are rectified and nine in ten of their numbers are nought. Averaged over
squares of 2 x 2 and rounded to 255 steps, 100 cells of 384 numbers come to about 1.9 kB, and a sentence's probability
hardly changes (docs/ranking.md).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

POOL = 2
STEPS = 255
HEAD = struct.Struct("<BHf")  # cells averaged into one, cells, the value of one step


class CoarseViews(NamedTuple):
    """Cells (n, k, attention) float32 of n pictures, each standing for `weight` cells of the grid."""

    cells: np.ndarray
    weight: int


def pack_views(cells: np.ndarray) -> list[bytes]:
    """Pack the views (n, cells, attention) of n pictures, values of 0 or more; a grid of odd edge is not coarsened."""
    coarse, weight = _coarsen(cells)
    packed = []
    for one in coarse:
        step = float(one.max()) / STEPS or 1.0
        # Laid out by channel, the many noughts stand together.
        levels = np.round(one.T / step).astype(np.uint8)
        packed.append(HEAD.pack(weight, len(one), step) + zlib.compress(levels.tobytes(), level=1))
    return packed


def unpack_views(packed: Sequence[bytes]) -> CoarseViews:
    """Undo `pack_views` for pictures of one model, at least one. Raises ValueError on damage."""
    levels, steps, weights = [], [], set()
    for one in packed:
        try:
            weight, count, step = HEAD.unpack_from(one)
            levels.append(np.frombuffer(zlib.decompress(one[HEAD.size :]), np.uint8).reshape(-1, count))
        except (struct.error, zlib.error) as error:
            raise ValueError(f"the views of a picture are damaged ({error})") from error
        steps.append(step)
        weights.add(weight)
    if len(weights) != 1:
        raise ValueError("the views of pictures differ in coarseness")
    cells = np.stack(levels) * np.array(steps, np.float32)[:, None, None]
    return CoarseViews(cells.swapaxes(1, 2), weights.pop())


def _coarsen(cells: np.ndarray) -> CoarseViews:
    pictures, count, depth = cells.shape
    edge = int(count**0.5)
    if edge * edge != count or edge % POOL:
        return CoarseViews(cells, 1)
    squares = cells.reshape(pictures, edge // POOL, POOL, edge // POOL, POOL, depth)
    return CoarseViews(squares.mean(axis=(2, 4)).reshape(pictures, -1, depth), POOL**2)
