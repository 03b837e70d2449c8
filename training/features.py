"""Encode a data set once and keep the grids on disk, so that epochs cost the decoder alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from captioner.encoders.vgg16 import KerasVGG16
from data.captioned import CaptionedPicture
from data.pictures import PictureError, read_square
from training.crops import cut, draw_box
from training.state import save_text

BATCH = 32
MARGIN = 1.15
"""Pictures are cut out of ones so much larger than the encoder's input, that crops lose little sharpness."""
AREA = (0.6, 1.0)
"""The share of a picture that a crop shows."""


@dataclass(frozen=True)
class FeatureCache:
    """`grids` float16 (n, views, cells, channels), memory-mapped; their order is that of `_see`.

    `problems` names the pictures that could not be decoded; their rows are zero and `usable` is False.
    """

    grids: np.ndarray
    usable: np.ndarray
    problems: list[str]


def cache_features(
    encoder: KerasVGG16, weights_key: str, pictures: Sequence[CaptionedPicture], folder: Path, views: int
) -> FeatureCache:
    """Encode `views` of each of the `pictures` into `folder`, going on where a stopped run was.

    Another encoder or list starts anew.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = "\n".join([weights_key, str(encoder.config), str(views), *(one.name for one in pictures)])
    key = hashlib.sha256(names.encode()).hexdigest()
    progress = _read_progress(folder / "progress.json", key)
    shape = (len(pictures), views, encoder.config.cells, encoder.config.channels)
    grids = _open(folder / "grids.npy", shape, fresh=progress["done"] == 0)
    bar = tqdm(total=len(pictures), initial=progress["done"], desc=f"features {folder.name}", unit="pic", disable=None)
    for start, seen in _seen(pictures, encoder.config.side, views, progress["done"]):
        good = {start + index: one for index, one in enumerate(seen) if isinstance(one, np.ndarray)}
        bad = [start + index for index in range(len(seen)) if start + index not in good]
        progress["problems"] += [f"{pictures[row].name}: {seen[row - start]}" for row in bad]
        progress["bad"] += bad
        for view, squares in enumerate(np.stack(list(good.values()), axis=1) if good else ()):
            grids[list(good), view] = encoder.encode(squares).grids
        progress["done"] = start + len(seen)
        save_text(json.dumps(progress), folder / "progress.json")
        bar.update(len(seen))
    bar.close()
    usable = ~np.isin(np.arange(len(pictures)), progress["bad"])
    return FeatureCache(grids, usable, progress["problems"])


def _read_progress(path: Path, key: str) -> dict:
    if path.exists():
        progress: dict = json.loads(path.read_text())
        if progress.get("key") == key:
            return progress
    return {"key": key, "done": 0, "bad": [], "problems": []}


def _open(path: Path, shape: tuple[int, ...], fresh: bool) -> np.ndarray:
    if fresh:
        return np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=shape)
    return np.lib.format.open_memmap(path, mode="r+")


def _seen(
    pictures: Sequence[CaptionedPicture], side: int, views: int, first: int
) -> Iterator[tuple[int, list[np.ndarray | PictureError]]]:
    def load(row: int) -> np.ndarray | PictureError:
        try:
            return _see(pictures[row].path, side, views, row)
        except PictureError as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        for start in range(first, len(pictures), BATCH):
            yield start, list(pool.map(load, range(start, min(start + BATCH, len(pictures)))))


def _see(path: Path, side: int, views: int, seed: int) -> np.ndarray:
    """The picture, its mirror image and then random crops, half of them mirrored: uint8 (views, side, side, 3)."""
    whole = read_square(path, side)
    seen = [whole, whole[:, ::-1]][:views]
    if views > len(seen):
        random, large = np.random.default_rng(seed), read_square(path, round(MARGIN * side))
        for _ in range(views - len(seen)):
            crop = cut(large, draw_box(random, len(large), AREA), side)
            seen.append(crop[:, ::-1] if random.random() < 0.5 else crop)
    return np.stack(seen)
