"""Which frames of a film stand for it.

Frames are looked at on a grid of times, key frames where there are any near; those are kept that differ enough from
the one kept before, or that come long after it. Of more than the cap, those stay that differ most.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

CAP = 60
"""The most frames that stand for a film, unless it is sampled at a fixed distance."""
MOST = 1000
"""The most frames of a film that is sampled at a fixed distance."""
LEAST_GAP = 1.0
"""Seconds between two times of the grid, at least."""
LOOKS = 3 * CAP
"""The most times of the grid: frames that are decoded and compared."""
SCENE = 0.10
"""The difference of two frames, see `difference`, from which on they show different scenes."""
LONG, CHANGED = 10.0, 0.03
"""After so many seconds a smaller difference is enough."""
CELLS = 16
"""Frames are compared by the mean colours of CELLS x CELLS cells."""
BY_SCENES = "scenes-1"
"""The name of this way of sampling; another number for another choice of frames."""


def sampling_name(every: float | None) -> str:
    """Return the name of a way of sampling, which the store keeps with a film."""
    return BY_SCENES if every is None else f"every {every:g} s"


def grid(duration: float, every: float | None = None) -> list[float]:
    """Return the times, in seconds, at which a film of `duration` seconds is looked at; the first is 0."""
    if every is not None:
        return [number * every for number in range(min(MOST, max(1, math.ceil(duration / every))))]
    looks = min(LOOKS, max(1, int(duration / LEAST_GAP)))
    return [number * duration / looks for number in range(looks)]


def spread(frames: int, count: int) -> list[int]:
    """Return the positions of at most `count` of so many frames, evenly spread from the first to the last."""
    return sorted({round(place) for place in np.linspace(0, frames - 1, min(frames, count))}) if frames else []


def summary(square: np.ndarray) -> np.ndarray:
    """Return what frames are compared by: float32 (CELLS, CELLS, 3), of uint8 (side, side, 3)."""
    side = square.shape[0] // CELLS * CELLS
    cells = square[:side, :side].reshape(CELLS, side // CELLS, CELLS, side // CELLS, 3)
    return cells.mean(axis=(1, 3), dtype=np.float32) / 255


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Return the mean absolute difference of two summaries, from 0 to 1."""
    return float(np.abs(one - other).mean())


def choose(times: Sequence[float], squares: Sequence[np.ndarray], cap: int = CAP) -> list[int]:
    """Return which of the frames at rising `times`, uint8 (side, side, 3), stand for the film: rising positions."""
    if not squares:
        return []
    summaries = [summary(square) for square in squares]
    kept, strengths = [0], [np.inf]
    for row in range(1, len(squares)):
        changed = difference(summaries[row], summaries[kept[-1]])
        if changed >= SCENE or (times[row] - times[kept[-1]] >= LONG and changed >= CHANGED):
            kept.append(row)
            strengths.append(changed)
    strongest = np.argsort(-np.array(strengths), kind="stable")[:cap]
    return [kept[place] for place in sorted(strongest.tolist())]
