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

from captioner.encoder import Encoder
from data.captioned import CaptionedPicture
from data.pictures import PictureError, read_square
from training.state import save_text

BATCH = 32


@dataclass(frozen=True)
class FeatureCache:
    """`grids` float16 (n, views, cells, channels), memory-mapped; view 0 is the picture, view 1 its mirror image.

    `problems` names the pictures that could not be decoded; their rows are zero and `usable` is False.
    """

    grids: np.ndarray
    usable: np.ndarray
    problems: list[str]


def cache_features(
    encoder: Encoder, weights_key: str, pictures: Sequence[CaptionedPicture], folder: Path, mirrored: bool
) -> FeatureCache:
    """Encode `pictures` into `folder`, going on where a stopped run was; another encoder or list starts anew."""
    folder.mkdir(parents=True, exist_ok=True)
    names = "\n".join([weights_key, str(encoder.config), str(mirrored), *(one.name for one in pictures)])
    key = hashlib.sha256(names.encode()).hexdigest()
    progress = _read_progress(folder / "progress.json", key)
    shape = (len(pictures), 1 + mirrored, encoder.config.cells, 512)
    grids = _open(folder / "grids.npy", shape, fresh=progress["done"] == 0)
    bar = tqdm(total=len(pictures), initial=progress["done"], desc=f"features {folder.name}", unit="pic")
    for start, squares in _squares(pictures, encoder.config.side, progress["done"]):
        good = {start + index: one for index, one in enumerate(squares) if isinstance(one, np.ndarray)}
        bad = [start + index for index in range(len(squares)) if start + index not in good]
        progress["problems"] += [f"{pictures[row].name}: {squares[row - start]}" for row in bad]
        progress["bad"] += bad
        if good:
            batch = np.stack(list(good.values()))
            rows = np.asarray(list(good))
            grids[rows, 0] = encoder.encode(batch).grids
            if mirrored:
                grids[rows, 1] = encoder.encode(batch[:, :, ::-1]).grids
        progress["done"] = start + len(squares)
        save_text(json.dumps(progress), folder / "progress.json")
        bar.update(len(squares))
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


def _squares(
    pictures: Sequence[CaptionedPicture], side: int, first: int
) -> Iterator[tuple[int, list[np.ndarray | PictureError]]]:
    def load(picture: CaptionedPicture) -> np.ndarray | PictureError:
        try:
            return read_square(picture.path, side)
        except PictureError as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        for start in range(first, len(pictures), BATCH):
            yield start, list(pool.map(load, pictures[start : start + BATCH]))
