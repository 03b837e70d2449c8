"""Learn which directions of a pooled grid tell pictures apart, from a crowd or from train pictures and copies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from captioner.arithmetic import unit
from captioner.encoders.base import Encoder
from captioner.encoders.pooling import Pooling, root_mean_square
from data.progress import progress_bar
from training.evaluation.folders import unlabelled_pictures
from training.evaluation.transformations import TRANSFORMATIONS, transformed
from training.features import Encoded, encode_files
from training.relevance.kinds import learn_kinds, learn_mixing

COPIED = 300
"""So many pictures are copied by each transformation."""
DIMENSIONS = 256
NEIGHBOURS = 5
CROWD_NEIGHBOURS = 20
CROWD = 10_000
"""Pictures of a crowd that are used, at most."""
ENOUGH = 2_000
"""Pictures of a crowd without which the train pictures say more."""
SHRINKAGE = 3.0
"""So many times the mean variance is added to every direction, so that those where copies happen to agree count little
more, and what is of one class stays near (docs/ranking.md)."""
CROWD_SHRINKAGE = 0.3
"""Neighbours of a crowd are many and show many kinds of things, so less is needed."""
COPIES = 0.5
"""How much copies count beside a crowd's neighbours: more finds copies better, less finds what is of one class."""
AT_ONCE = 256
ROWS_AT_ONCE = 1000
"""Rows of cosines in memory at once."""


@dataclass(frozen=True)
class Poolings:
    """How grids become vectors: those that find `copies`, and those that find what is `alike`, if a crowd taught it."""

    copies: Pooling
    alike: Pooling | None = None


def learn_poolings(
    encoder: Encoder, grids: np.ndarray, files: Sequence[Path], seed: int, crowd: Path | None = None
) -> Poolings:
    """Learn from train pictures: `files` (n) and their cached `grids` float16 (n, crops, cells, channels).

    Crop 0 is the picture. The copies are made and encoded here. A `crowd`, a folder or tar file of unlabelled pictures
    of many kinds of things, teaches which pictures are of one kind, unless it is too small. Raise RetroflexError as
    `unlabelled_pictures` does.
    """
    pictures = _pooled(grids[:, 0])
    copies, random = [], np.random.default_rng(seed)
    for name in TRANSFORMATIONS:
        rows = random.permutation(len(files))[:COPIED]
        made = _copies(encoder, name, [files[row] for row in rows], seed)
        copies.append(made.values - pictures[rows[made.rows]])
    strangers = _encode_crowd(encoder, crowd, seed) if crowd else None
    if strangers is None or len(strangers) < ENOUGH:
        return Poolings(whiten(pictures, [neighbour_differences(pictures), *copies]))
    return Poolings(whiten_by_neighbours(strangers, copies), learn_alike(strangers, seed))


def learn_alike(pictures: np.ndarray, seed: int) -> Pooling:
    """Learn kinds of things from a crowd of pooled `pictures` (n, c): mutual neighbours are of one kind.

    The whitening before counts no copies, as other vectors find these.
    """
    pooling = whiten_by_neighbours(pictures, [])
    whitened = pooling.whiten(pictures)
    kinds = learn_kinds(whitened, mutual_neighbours(whitened, CROWD_NEIGHBOURS), seed)
    return replace(pooling, kinds=kinds, mixing=learn_mixing(whitened, kinds, DIMENSIONS))


def whiten_by_neighbours(pictures: np.ndarray, copies: Sequence[np.ndarray]) -> Pooling:
    """Return the pooling that brings mutual neighbours among many pooled `pictures` (n, c) nearer, and `copies` (m, c).

    Neighbours are found by the pictures first, and once more by what these teach ("Mining on manifolds", Iscen et al.
    2018, finds them by a diffusion). All copies together differ COPIES times as much as neighbours.
    """
    first = whiten(pictures, [neighbour_differences(pictures, CROWD_NEIGHBOURS)], CROWD_SHRINKAGE)
    near = neighbour_differences(pictures, CROWD_NEIGHBOURS, first.project(pictures))
    goal = COPIES * _variance(near) / max(1, len(copies))
    scaled = [one * np.sqrt(goal / max(_variance(one), 1e-12)) for one in copies]
    return whiten(pictures, [near, *scaled], CROWD_SHRINKAGE)


def _variance(differences: np.ndarray) -> float:
    return float(np.mean(np.sum(differences**2, axis=1)))


def _encode_crowd(encoder: Encoder, crowd: Path, seed: int) -> np.ndarray:
    with unlabelled_pictures(crowd, CROWD, seed) as (pictures, _):
        files = [picture.path for picture in pictures]
        return encode_files(partial(_encode_pooled, encoder), encoder.side, files, "crowd").values


def neighbour_differences(
    pictures: np.ndarray, count: int = NEIGHBOURS, compared: np.ndarray | None = None
) -> np.ndarray:
    """Return what pictures (n, c) and their mutual neighbours, among `count` each, differ in, (m, c).

    Neighbours are found by the cosine of `compared` (n, d), by default of the centred pictures.

    Mutual neighbours mostly show the same kind of thing, so what they differ in should count little.
    """
    pairs = mutual_neighbours(pictures - pictures.mean(axis=0) if compared is None else compared, count)
    return np.asarray(pictures[pairs[:, 0]] - pictures[pairs[:, 1]])


def mutual_neighbours(vectors: np.ndarray, count: int) -> np.ndarray:
    """Return the rows of each two of `vectors` (n, d) that are among each other's `count` nearest by cosine.

    Int64 (m, 2), rising, the smaller row first.
    """
    vectors, pictures = unit(vectors), len(vectors)
    count = min(count, pictures - 1)
    nearest = np.empty((pictures, count), np.int64)
    for start in progress_bar(range(0, pictures, ROWS_AT_ONCE), desc="neighbours", unit="batch"):
        cosines = vectors[start : start + ROWS_AT_ONCE] @ vectors.T
        rows = np.arange(len(cosines))
        cosines[rows, start + rows] = -np.inf
        nearest[start + rows] = np.argpartition(-cosines, max(0, count - 1), axis=1)[:, :count]
    rows = np.repeat(np.arange(pictures), count)
    keys = rows * pictures + nearest.ravel()
    found = keys[(rows < nearest.ravel()) & np.isin(nearest.ravel() * pictures + rows, keys)]
    return np.stack(np.divmod(np.sort(found), pictures), axis=1)


def whiten(pictures: np.ndarray, differences: Sequence[np.ndarray], shrinkage: float = SHRINKAGE) -> Pooling:
    """Return the pooling for pooled `pictures` (n, c), given `differences` (m, c) to copies, an array each kind.

    The space is stretched until copies differ equally in every direction, and of that the directions along which
    the pictures vary most are kept: the learnt whitening of Mikolajczyk and Matas, "Improving descriptors for fast
    tree matching by optimal linear projection" (2007). Every kind of copy counts the same.
    """
    within = sum(one.T @ one / len(one) for one in differences) / len(differences)
    within += shrinkage * np.trace(within) / len(within) * np.eye(len(within))
    variances, axes = np.linalg.eigh(within)
    stretch = axes / np.sqrt(variances)
    centre = pictures.mean(axis=0)
    _, directions = np.linalg.eigh(np.cov((pictures - centre) @ stretch, rowvar=False))
    projection = stretch @ directions[:, ::-1][:, :DIMENSIONS]
    return Pooling(centre.astype(np.float32), np.ascontiguousarray(projection, np.float32))


def _pooled(grids: np.ndarray) -> np.ndarray:
    starts = progress_bar(range(0, len(grids), AT_ONCE), desc="pooling", unit="batch")
    return np.concatenate([root_mean_square(grids[start : start + AT_ONCE].astype(np.float32)) for start in starts])


def _copies(encoder: Encoder, name: str, files: Sequence[Path], seed: int) -> Encoded:
    change = partial(transformed, name=name, seed=seed)
    return encode_files(partial(_encode_pooled, encoder), encoder.side, files, f"copies: {name}", change)


def _encode_pooled(encoder: Encoder, pictures: np.ndarray) -> np.ndarray:
    grids = encoder.encode(pictures).grids
    assert grids is not None
    return root_mean_square(grids)
