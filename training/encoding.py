"""Picture files, or what became of them, through an encoder in batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from data.pictures import PictureError, decode, read_bytes, read_square, square
from training.ahead import ahead

BATCH = 32

Encode = Callable[[np.ndarray], np.ndarray]
"""What is wanted of uint8 pictures (n, side, side, 3): float32 (n, d)."""
Change = Callable[[Image.Image, int], Image.Image]
"""What is done to a picture, given also its place in the list, before it is squeezed to a square."""


@dataclass(frozen=True)
class Encoded:
    """`values` float32 (n, d) of the files at the places `rows` int64 (n,); a line in `problems` for each other."""

    values: np.ndarray
    rows: np.ndarray
    problems: list[str]


def encode_files(encode: Encode, side: int, files: Sequence[Path], title: str, change: Change | None = None) -> Encoded:
    """Decode `files` ahead of the encoder, squeeze them to `side` pixels and encode them; `title` heads the bar."""
    rows, problems, values, waiting = [], [], [], []
    jobs = ((path, side, change, row) for row, path in enumerate(files))
    bar = tqdm(ahead(_load, jobs, BATCH), desc=title, total=len(files), unit="pic", disable=None)
    for row, loaded in enumerate(bar):
        if isinstance(loaded, PictureError):
            problems.append(f"{files[row].name} {loaded}")
            continue
        rows.append(row)
        waiting.append(loaded)
        if len(waiting) == BATCH:
            values.append(encode(np.stack(waiting)))
            waiting.clear()
    if waiting:
        values.append(encode(np.stack(waiting)))
    return Encoded(np.concatenate(values) if values else np.zeros((0, 0)), np.asarray(rows, np.int64), problems)


def _load(path: Path, side: int, change: Change | None, row: int) -> np.ndarray | PictureError:
    try:
        if change is None:
            return read_square(path, side)
        return square(change(decode(read_bytes(path)).image, row), side)
    except PictureError as error:
        return error
