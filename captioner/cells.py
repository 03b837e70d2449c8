"""The cells that the decoder attends to, small enough to store: coarse, one byte a number, compressed.

`captioner.decoder` rectifies its cells. Averaged over squares of 2 x 2 and rounded to 255 steps, the 196 cells of a
picture, 384 numbers each, take about 10 kB, and a sentence's probability hardly changes (docs/ranking.md).
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


class CoarseCells(NamedTuple):
    """Cells of n pictures, `values` float32 (n, k, attention), each standing for `weight` cells of the grid."""

    values: np.ndarray
    weight: int


def pack_cells(cells: np.ndarray) -> list[bytes]:
    """Pack the cells (n, cells, attention) of n pictures, values of 0 or more; a grid of odd edge stays as it is."""
    coarse, weight = _coarsen(cells)
    packed = []
    for picture in coarse:
        step = float(picture.max()) / STEPS or 1.0
        # By channel, the many zeros are next to each other.
        levels = np.round(picture.T / step).astype(np.uint8)
        packed.append(HEAD.pack(weight, len(picture), step) + zlib.compress(levels.tobytes(), level=1))
    return packed


def unpack_cells(packed: Sequence[bytes]) -> CoarseCells:
    """Undo `pack_cells` for pictures of one model, at least one. Raises ValueError on damage."""
    levels, steps, weights = [], [], set()
    for blob in packed:
        try:
            weight, count, step = HEAD.unpack_from(blob)
            levels.append(np.frombuffer(zlib.decompress(blob[HEAD.size :]), np.uint8).reshape(-1, count))
        except (struct.error, zlib.error) as error:
            raise ValueError(f"the attention cells of a picture are damaged ({error})") from error
        steps.append(step)
        weights.add(weight)
    if len(weights) != 1:
        raise ValueError("the attention cells of pictures differ in coarseness")
    cells = np.stack(levels) * np.array(steps, np.float32)[:, None, None]
    return CoarseCells(cells.swapaxes(1, 2), weights.pop())


def are_sound(packed: bytes) -> bool:
    """Return whether `unpack_cells` can read the cells of a picture."""
    try:
        unpack_cells([packed])
    except ValueError:
        return False
    return True


def _coarsen(cells: np.ndarray) -> CoarseCells:
    pictures, count, depth = cells.shape
    edge = int(count**0.5)
    if edge * edge != count or edge % POOL:
        return CoarseCells(cells, 1)
    squares = cells.reshape(pictures, edge // POOL, POOL, edge // POOL, POOL, depth)
    return CoarseCells(squares.mean(axis=(2, 4)).reshape(pictures, -1, depth), POOL**2)
