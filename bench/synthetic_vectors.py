"""Made-up vectors by the million that spread and crowd like real ones, seeded.

The model is a mixture of Gaussians in two steps: themes, subjects around them, pictures around those. Its figures were
measured on the 7,091 pictures of Flickr8k as the shipped captioner encodes them: the spectrum, which is the variance
along the main directions in multiples of its mean, and the cosine to the nearest and to farther neighbours among
4,000 of the pictures (5 % quantile, median, 95 % quantile):

    vectors, 256 dimensions       1st             10th            50th            200th neighbour
    real                          0.34 0.45 0.62  0.26 0.35 0.46  0.20 0.26 0.35  0.14 0.18 0.25
    made up                       0.33 0.46 0.61  0.25 0.32 0.42  0.19 0.23 0.30  0.14 0.17 0.22

    embeddings, 576 dimensions
    real                          0.72 0.81 0.90  0.64 0.73 0.82  0.56 0.64 0.73  0.46 0.52 0.59
    made up                       0.72 0.82 0.90  0.63 0.73 0.82  0.55 0.63 0.73  0.45 0.51 0.60
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from captioner.arithmetic import unit
from captioner.captioner import Captioner
from captioner.types import JOINT
from data.dataset import read_dataset
from data.pictures import read_square

AT_ONCE = 16_384
BATCH = 32


@dataclass(frozen=True)
class Space:
    """`spectrum` gives some main directions (from 1) and the variance along each; those between lie on straight lines
    in logarithms. `mean` is the length of the vectors' mean. Themes and subjects have their shares of the variance,
    and the size of a subject varies by the logarithm's standard deviation `unevenness`; the copies of `noisy` have the
    cosine `closeness` to their originals. Real `vectors` come with main directions as axes, embeddings are `turned`.
    """

    spectrum: Mapping[int, float]
    mean: float
    themes: int
    theme_share: float
    subjects: int
    subject_share: float
    unevenness: float
    closeness: float
    turned: bool


SPACES = {
    256: Space(
        {1: 14.23, 2: 8.22, 4: 5.66, 8: 4.08, 16: 2.58, 32: 1.61, 64: 1.02, 128: 0.646, 192: 0.441, 256: 0.25},
        mean=0.012,
        themes=50,
        theme_share=0.15,
        subjects=500,
        subject_share=0.2,
        unevenness=0.2,
        closeness=0.78,
        turned=False,
    ),
    576: Space(
        {1: 74.7, 2: 54.3, 4: 38.6, 8: 25.6, 16: 9.74, 32: 1.27, 64: 0.403, 128: 0.178, 256: 0.069, 512: 0.0143},
        mean=0.414,
        themes=30,
        theme_share=0.4,
        subjects=300,
        subject_share=0.2,
        unevenness=0.15,
        closeness=0.955,
        turned=True,
    ),
}
"""By dimensions: how pictures look, and their places among sentences."""


def vectors(count: int, dimensions: int, seed: int) -> np.ndarray:
    """Return unit vectors, float16 (count, dimensions). Raises KeyError for dimensions that were not measured."""
    space, random = SPACES[dimensions], np.random.default_rng(seed)
    deviations, turn = _deviations(space, dimensions), _turn(space, dimensions)
    mean = np.zeros(dimensions, np.float32)
    mean[dimensions // 2 :] = space.mean / np.sqrt(dimensions - dimensions // 2)  # Where the variance is small.
    centres, sizes = _subjects(space, dimensions)
    made = np.empty((count, dimensions), np.float16)
    for start in range(0, count, AT_ONCE):
        chosen = random.integers(0, space.subjects, min(AT_ONCE, count - start))
        own = sizes[chosen] * random.standard_normal((len(chosen), dimensions), dtype=np.float32)
        made[start : start + AT_ONCE] = unit((mean + deviations * (centres[chosen] + own)) @ turn)
    return made


def noisy(real: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return `count` copies, float16 (count, d), of unit vectors `real` (n, d), each changed along their spread.

    The noise is so strong that copies of one picture are as near to each other as the nearest of a million would be.
    """
    random, closeness = np.random.default_rng(seed), SPACES[real.shape[1]].closeness
    variances, directions = np.linalg.eigh(np.cov(real.T))
    variances = np.maximum(variances, 0) * (1 / closeness**2 - 1) / variances.sum()
    spread = (directions * np.sqrt(variances)).T.astype(np.float32)
    made = np.empty((count, real.shape[1]), np.float16)
    for start in range(0, count, AT_ONCE):
        chosen = random.integers(0, len(real), min(AT_ONCE, count - start))
        noise = random.standard_normal((len(chosen), real.shape[1]), dtype=np.float32) @ spread
        made[start : start + AT_ONCE] = unit(real[chosen] + noise)
    return made


def real_vectors(dataset: Path, most: int) -> dict[int, np.ndarray]:
    """Return both kinds of vectors, float32 (n, d) by d, of at most `most` pictures of a data set.

    Raises RetroflexError.
    """
    captioner = Captioner.load()
    pictures = read_dataset(dataset, None).pictures[:most]
    described = [
        one
        for start in range(0, len(pictures), BATCH)
        for one in captioner.describe(
            np.stack([read_square(picture.path, captioner.input_side) for picture in pictures[start : start + BATCH]])
        )
    ]
    both = (np.stack([one.vectors[kind] for one in described]) for kind in ("vgg16", JOINT))
    return {one.shape[1]: one.astype(np.float32) for one in both}


def _deviations(space: Space, dimensions: int) -> np.ndarray:
    """Standard deviations, float32 (dimensions,), of vectors of about length 1 along the main directions."""
    places, values = np.log(list(space.spectrum)), np.log(list(space.spectrum.values()))
    variances = np.exp(np.interp(np.log(np.arange(1, dimensions + 1)), places, values))
    return np.sqrt(variances / variances.sum() * (1 - space.mean**2)).astype(np.float32)


def _turn(space: Space, dimensions: int) -> np.ndarray:
    """A rotation, float32 (dimensions, dimensions), alike for all seeds."""
    square = np.random.default_rng(0).standard_normal((dimensions, dimensions))
    return (np.linalg.qr(square)[0] if space.turned else np.eye(dimensions)).astype(np.float32)


def _subjects(space: Space, dimensions: int) -> tuple[np.ndarray, np.ndarray]:
    """Centres (subjects, dimensions) and sizes (subjects, 1), float32, in standard deviations; alike for all seeds."""
    random = np.random.default_rng(0)
    themes = random.standard_normal((space.themes, dimensions))[random.integers(0, space.themes, space.subjects)]
    own = random.standard_normal((space.subjects, dimensions))
    centres = np.sqrt(space.theme_share) * themes + np.sqrt(space.subject_share) * own
    sizes = np.exp(space.unevenness * random.standard_normal((space.subjects, 1)))
    sizes *= np.sqrt((1 - space.theme_share - space.subject_share) / np.mean(sizes**2))
    return centres.astype(np.float32), sizes.astype(np.float32)
