"""Encode pictures: files in batches, and whole data sets once, with the grids cached on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from captioner.encoders.base import Encoder, EncoderConfig, Features
from captioner.pipeline import ThreadExecutor, in_groups
from captioner.reading import Reading
from data.captioned import CaptionedPicture
from data.decoding.pool import read_square
from data.errors import PictureError
from data.pictures import decode, read_bytes, square
from data.progress import progress_bar
from training.checkpoints import save_text

Encode = Callable[[np.ndarray], np.ndarray]
"""Maps uint8 pictures (n, side, side, 3) to float32 (n, d)."""
Transform = Callable[[Image.Image, int], Image.Image]
"""Changes a picture, given also its index in the list, before it is resized to a square."""


@dataclass(frozen=True)
class Encoded:
    """`values` float32 (n, d) of the files at the indices `rows` int64 (n,); `problems` has a line for each other."""

    values: np.ndarray
    rows: np.ndarray
    problems: list[str]


def encode_files(
    encode: Encode, side: int, files: Sequence[Path], title: str, transform: Transform | None = None
) -> Encoded:
    """Decode `files` in threads, resize them to `side` pixels and encode them; `title` labels the progress bar."""

    def read(rows: Sequence[int]) -> list[Reading[tuple[int, str]]]:
        return [_load(files[row], side, transform, row) for row in rows]

    rows, problems, values = list[int](), list[str](), list[np.ndarray]()
    with progress_bar(desc=title, total=len(files), unit="pic") as bar:
        for chunk in ThreadExecutor().encode(in_groups(range(len(files))), read, _Vectors(encode)):
            rows += [one.source[0] for one in chunk.readings if one.square is not None]
            problems += [one.source[1] for one in chunk.readings if one.square is None]
            values += [one.vectors for one in chunk.features]
            bar.update(len(chunk.readings))
    return Encoded(np.concatenate(values) if values else np.zeros((0, 0)), np.asarray(rows, np.int64), problems)


class _Vectors:
    """An encoder of nothing but vectors, by a function."""

    def __init__(self, encode: Encode) -> None:
        self._encode = encode

    def encode(self, pictures: np.ndarray) -> Features:
        return Features(self._encode(pictures))


def _load(path: Path, side: int, transform: Transform | None, row: int) -> Reading[tuple[int, str]]:
    try:
        if transform is None:
            return Reading((row, ""), read_square(path, side))
        return Reading((row, ""), square(transform(decode(read_bytes(path)).image, row), side))
    except PictureError as error:
        return Reading((row, f"{path.name} {error}"))


ASPECT = (3 / 4, 4 / 3)


def draw_box(random: np.random.Generator, side: int, share: tuple[float, float]) -> tuple[float, float, float, float]:
    """Draw left, top, right, bottom of a random box that covers a `share` of a square of `side` pixels."""
    area = random.uniform(*share) * side * side
    aspect = np.exp(random.uniform(*np.log(ASPECT)))
    width, height = min(np.sqrt(area * aspect), side), min(np.sqrt(area / aspect), side)
    left, top = random.uniform(0, side - width), random.uniform(0, side - height)
    return float(left), float(top), float(left + width), float(top + height)


def cut(pixels: np.ndarray, box: tuple[float, float, float, float], side: int) -> np.ndarray:
    """Return the crop `box` of uint8 (h, w, 3), resized to uint8 (side, side, 3)."""
    image = Image.fromarray(pixels)
    return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC, box=box))


MARGIN = 1.15
"""Crops are cut from pictures larger than the encoder's input by this factor, so that they stay sharp."""
AREA = (0.6, 1.0)
"""The share of a picture that a crop shows."""


@dataclass(frozen=True)
class FeatureCache:
    """`grids` float16 (n, crops, cells, channels), memory-mapped; the order of crops is that of `_crops_of`.

    `problems` names the pictures that cannot be decoded; their rows are zero and `usable` is False.
    """

    grids: np.ndarray
    usable: np.ndarray
    problems: list[str]


def cache_features(
    encoder: Encoder,
    config: EncoderConfig,
    weights_key: str,
    pictures: Sequence[CaptionedPicture],
    folder: Path,
    crops: int,
) -> FeatureCache:
    """Encode `crops` of each of the `pictures` into `folder`, resuming a stopped run.

    Start again if the encoder or the list of pictures has changed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = "\n".join([weights_key, str(config), str(crops), *(picture.name for picture in pictures)])
    key = hashlib.sha256(names.encode()).hexdigest()
    progress = _read_progress(folder / "progress.json", key)
    shape = (len(pictures), crops, config.cells, config.channels)
    grids = _open(folder / "grids.npy", shape, fresh=progress["done"] == 0)
    bar = progress_bar(total=len(pictures), initial=progress["done"], desc=f"features {folder.name}", unit="pic")
    read = partial(_read_crops, pictures, config.side, crops)
    for chunk in ThreadExecutor().encode(in_groups(range(progress["done"], len(pictures))), read, encoder):
        good = [one.source for one in chunk.readings if one.square is not None]
        bad = [one.source for one in chunk.readings if one.square is None]
        if good:
            rows, numbers, _ = zip(*good, strict=True)
            grids[list(rows), list(numbers)] = Features.joined(chunk.features).grids
        progress["problems"] += [f"{pictures[row].name}: {problem}" for row, _, problem in bad]
        progress["bad"] += [row for row, _, _ in bad]
        done = 1 + max(row for row, _, _ in (*good, *bad))
        bar.update(done - progress["done"])
        progress["done"] = done
        save_text(json.dumps(progress), folder / "progress.json")
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


def _read_crops(
    pictures: Sequence[CaptionedPicture], side: int, crops: int, rows: Sequence[int]
) -> list[Reading[tuple[int, int, str]]]:
    """Read each crop of the pictures `rows`: its row, its number and its pixels, or what is wrong with the picture."""
    readings = []
    for row in rows:
        try:
            cut = _crops_of(pictures[row].path, side, crops, row)
            readings += [Reading((row, number, ""), one) for number, one in enumerate(cut)]
        except PictureError as error:
            readings.append(Reading((row, 0, str(error))))
    return readings


def _crops_of(path: Path, side: int, crops: int, seed: int) -> np.ndarray:
    """Return the picture, its mirror image, then random crops, half of them mirrored: uint8 (crops, side, side, 3)."""
    whole = read_square(path, side)
    squares = [whole, whole[:, ::-1]][:crops]
    if crops > len(squares):
        random, large = np.random.default_rng(seed), read_square(path, round(MARGIN * side))
        for _ in range(crops - len(squares)):
            crop = cut(large, draw_box(random, len(large), AREA), side)
            squares.append(crop[:, ::-1] if random.random() < 0.5 else crop)
    return np.stack(squares)
