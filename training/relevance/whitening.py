"""Learn from train pictures and copies of them which directions of a pooled grid tell pictures apart."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from captioner.encoder import Encoder
from captioner.pooling import Pooling, generalised_mean
from training.encoding import Encoded, encode_files
from training.judging.transformations import TRANSFORMATIONS, transformed

COPIED = 500
"""So many pictures are copied by each transformation."""
DIMENSIONS = 256
SHRINKAGE = 0.1
"""This share of the mean variance is added to every direction, so that one where copies agree by luck counts little."""
AT_ONCE = 256


def learn_pooling(encoder: Encoder, grids: np.ndarray, files: Sequence[Path], seed: int) -> Pooling:
    """Learn from train pictures: `files` (n) and their cached `grids` float16 (n, views, cells, channels).

    View 0 is the picture and view 1 its mirror image. The other copies are made and encoded here.
    """
    pictures, mirrored = _pooled(grids[:, 0]), _pooled(grids[:, 1])
    differences = [mirrored - pictures]
    random = np.random.default_rng(seed)
    for name in (one for one in TRANSFORMATIONS if one != "flip"):
        rows = random.permutation(len(files))[:COPIED]
        copies = _copies(encoder, name, [files[row] for row in rows], seed)
        differences.append(copies.values - pictures[rows[copies.rows]])
    return whiten(pictures, differences)


def whiten(pictures: np.ndarray, differences: Sequence[np.ndarray]) -> Pooling:
    """Return the pooling for pooled `pictures` (n, c), given `differences` (m, c) to copies, an array each kind.

    The space is stretched until copies differ equally in every direction, and of that the directions along which
    the pictures vary most are kept: the learnt whitening of Mikolajczyk and Matas, "Improving descriptors for fast
    tree matching by optimal linear projection" (2007). Every kind of copy counts the same.
    """
    within = sum(one.T @ one / len(one) for one in differences) / len(differences)
    within += SHRINKAGE * np.trace(within) / len(within) * np.eye(len(within))
    variances, axes = np.linalg.eigh(within)
    stretch = axes / np.sqrt(variances)
    centre = pictures.mean(axis=0)
    _, directions = np.linalg.eigh(np.cov((pictures - centre) @ stretch, rowvar=False))
    projection = stretch @ directions[:, ::-1][:, :DIMENSIONS]
    return Pooling(centre.astype(np.float32), np.ascontiguousarray(projection, np.float32))


def _pooled(grids: np.ndarray) -> np.ndarray:
    pieces = [grids[start : start + AT_ONCE].astype(np.float32) for start in range(0, len(grids), AT_ONCE)]
    return np.concatenate([generalised_mean(piece) for piece in pieces])


def _copies(encoder: Encoder, name: str, files: Sequence[Path], seed: int) -> Encoded:
    def encode(pictures: np.ndarray) -> np.ndarray:
        return generalised_mean(encoder.encode(pictures).grids)

    change = partial(transformed, name=name, seed=seed)
    return encode_files(encode, encoder.config.side, files, f"copies: {name}", change)
