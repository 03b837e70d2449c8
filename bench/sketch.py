"""How often a sketch finds its picture among others, with sketches computed from the pictures.

    python -m bench.sketch --dataset DIR --split dev
    python -m bench.sketch --pictures DIR --features sketch,hog

A sketch is the edges of a picture by Canny, thinned to one pixel, without small pieces, drawn with a pen of two, and
bent: turned, scaled and moved a little, and pulled by a smooth random field. The descriptor finds edges in another way.
A person draws fewer lines at worse places, so these figures are an upper bound of what a hand finds.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import cv2
import numpy as np
from skimage.morphology import thin

from captioner.bundle import BUNDLED
from captioner.captioner import Captioner
from captioner.encoders.registry import build_further
from data.dataset import read_dataset
from data.decoding.pool import read_square
from data.progress import progress_bar
from training.evaluation.folders import draw, pictures_below

SIDE = 256
SMALLEST = 12
"""Pixels of the shortest line that is drawn."""
TURN, SCALE, SHIFT, BEND = 5.0, 0.1, 0.05, 0.025
"""The largest turn in degrees, change of scale and shift in shares of the side, and the deviation of the bending."""
STRONG, WEAK = 92, 0.4
"""The percentile of gradients at which Canny begins a line, and the share of that at which it ends one."""


def sketch_of(picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return a sketch, black on white, of uint8 RGB (SIDE, SIDE, 3), in the same form."""
    grey = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (0, 0), 2)
    gradient = np.hypot(*(cv2.Sobel(grey, cv2.CV_32F, *order) for order in ((1, 0), (0, 1))))
    strong = float(np.percentile(gradient, STRONG))
    lines = thin(cv2.Canny(grey, WEAK * strong, strong) > 0).astype(np.uint8)
    _, pieces, facts, _ = cv2.connectedComponentsWithStats(lines, connectivity=8)
    kept = facts[:, cv2.CC_STAT_AREA] >= SMALLEST
    kept[0] = False
    drawn = cv2.dilate(kept[pieces].astype(np.uint8), np.ones((2, 2), np.uint8)).astype(np.float32)
    ink = np.clip(1.3 * cv2.remap(drawn, *_bent(random), cv2.INTER_LINEAR), 0, 1)
    return np.repeat((255 * (1 - ink)).astype(np.uint8)[..., None], 3, axis=2)


def _bent(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return from which column and row each pixel of a bent picture comes, float32 (SIDE, SIDE) each."""
    angle, scale = np.radians(random.uniform(-TURN, TURN)), random.uniform(1 - SCALE, 1 + SCALE)
    right, down = random.uniform(-SHIFT, SHIFT, 2) * SIDE
    fields = [random.normal(0, BEND * SIDE, (5, 5)).astype(np.float32) for _ in range(2)]
    pull = [cv2.resize(field, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for field in fields]
    row, column = np.indices((SIDE, SIDE)) - SIDE / 2
    across = (np.cos(angle) * column + np.sin(angle) * row) / scale + SIDE / 2 + right + pull[0]
    along = (np.cos(angle) * row - np.sin(angle) * column) / scale + SIDE / 2 + down + pull[1]
    return across.astype(np.float32), along.astype(np.float32)


def ranks(kind: str, pictures: Sequence[Path], sketches: Sequence[np.ndarray]) -> np.ndarray:
    """Return for each sketch how many pictures are nearer to it than its own, by vectors of this kind."""
    own = Captioner.load(BUNDLED) if kind == "vgg16" else None
    encoder, side = (own, own.input_side) if own else (one := build_further(kind), one.side)
    found, asked = [], []
    for path, sketch in zip(progress_bar(pictures, desc=kind, unit="pic"), sketches, strict=True):
        small = cv2.resize(sketch, (side, side), interpolation=cv2.INTER_AREA)
        both = encoder.encode(np.stack([read_square(path, side), small])).vectors
        found.append(both[0])
        asked.append(both[1])
    cosines = np.array(asked) @ np.array(found).T
    return (cosines > np.diag(cosines)[:, None]).sum(axis=1)


@click.command()
@click.option("--dataset", type=click.Path(path_type=Path), help="A data set with --split.")
@click.option("--split", default="dev", show_default=True)
@click.option("--pictures", type=click.Path(path_type=Path), help="Or a folder of pictures.")
@click.option("--features", default="sketch", show_default=True, help="Kinds of vectors, with commas.")
@click.option("--count", default=300, show_default=True, help="Pictures, drawn by the seed.")
@click.option("--seed", default=0, show_default=True)
def main(dataset: Path | None, split: str, pictures: Path | None, features: str, count: int, seed: int) -> None:
    """Print R@1 and R@10 of sketches, percent, by each kind of vectors."""
    if (dataset is None) == (pictures is None):
        raise click.UsageError("give either --dataset or --pictures")
    files = (
        [one.path for one in read_dataset(dataset, split).pictures] if dataset else pictures_below(pictures or Path())
    )
    chosen = draw(files, count, np.random.default_rng(seed))
    random = np.random.default_rng(seed)
    sketches = [sketch_of(read_square(path, SIDE), random) for path in chosen]
    click.echo(f"{len(chosen)} pictures, seed {seed}\n\n| | R@1 | R@10 |\n|---|---|---|")
    for kind in features.split(","):
        rank = ranks(kind, chosen, sketches)
        click.echo(f"| {kind} | {100 * np.mean(rank < 1):.1f} | {100 * np.mean(rank < 10):.1f} |")


if __name__ == "__main__":
    main()
