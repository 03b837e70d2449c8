"""Pairs of vectors that are close, and what hangs together by them, without ever holding n x n numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

BLOCK = 1024
CHUNK = 8192
"""Cosines are worked out in pieces of BLOCK x CHUNK: 32 MiB."""
PER_ROW = 16
"""Pairs that a row keeps within one piece; hundreds of pictures of one colour still hang together by so few."""


class Pairs(NamedTuple):
    """Rows `first` < `second`, int64 (m,), and their cosine, float32 (m,)."""

    first: np.ndarray
    second: np.ndarray
    cosine: np.ndarray


def near_pairs(
    vectors: np.ndarray,
    threshold: float,
    new_from: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Pairs:
    """Return the pairs of `vectors` (n, d) whose cosine is at least `threshold` and whose second row is new.

    Rows from `new_from` on are new; a row of zeros is close to nothing. Of a row's pairs within a piece the first
    PER_ROW are kept. `progress` gets (rows done, rows in all). O(n d) memory, O(n (n - new_from) d) time.
    """
    found = [Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))]
    for start in range(new_from, len(vectors), BLOCK):
        block = _unit(vectors[start : start + BLOCK])
        stop = start + len(block)
        for place in range(0, stop, CHUNK):
            cosines = block @ _unit(vectors[place : min(place + CHUNK, stop)]).T
            found.append(_close(cosines, threshold, start, place))
        progress(stop - new_from, len(vectors) - new_from)
    return Pairs(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def connected(count: int, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return for each of `count` rows the lowest row that it hangs together with by the pairs, int64 (count,)."""
    labels = np.arange(count)
    while True:
        lowest = np.minimum(labels[first], labels[second])
        before = labels.copy()
        for rows in (first, second):
            np.minimum.at(labels, labels[rows], lowest)
            np.minimum.at(labels, rows, lowest)
        labels = labels[labels]
        if np.array_equal(labels, before):
            return labels


def _unit(vectors: np.ndarray) -> np.ndarray:
    wide = vectors.astype(np.float32)
    norms = np.linalg.norm(wide, axis=1, keepdims=True)
    return np.divide(wide, norms, out=np.zeros_like(wide), where=norms > 0)


def _close(cosines: np.ndarray, threshold: float, start: int, place: int) -> Pairs:
    """The pairs of one piece, whose rows begin at `start` and whose columns at `place`."""
    near = cosines >= threshold
    if place + cosines.shape[1] > start:
        near &= np.arange(place, place + cosines.shape[1]) < np.arange(start, start + len(cosines))[:, None]
    if np.count_nonzero(near, axis=1).max() > PER_ROW:
        near &= np.cumsum(near, axis=1, dtype=np.int32) <= PER_ROW
    rows, columns = np.nonzero(near)
    return Pairs(columns + place, rows + start, cosines[rows, columns])
