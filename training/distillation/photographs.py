"""Unlabelled photographs, packed once into one memory-mapped array of equal squares."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from tqdm import tqdm

from data.dataset import read_dataset
from data.errors import RetroflexError
from data.flickr8k import SPLIT_FILES
from data.pictures import SUFFIXES, PictureError, decode
from training.state import save_text

SIDE = 160


@dataclass(frozen=True)
class Photographs:
    """Packed photographs: `pixels` is uint8 (count, SIDE, SIDE, 3), RGB; `weights` says how often each is drawn."""

    pixels: np.ndarray
    weights: np.ndarray


def pack_photographs(sources: Iterable[tuple[Path, float]], folder: Path) -> Photographs:
    """Decode every picture under `sources` into `folder/photographs.npy`, or map it when it is already there.

    A source is a folder, a tar file or a data set in Flickr8k layout (its train pictures) with its share: the
    chance that a drawn crop comes from it, relative to the other sources. Pictures that cannot be decoded are
    left out.
    """
    pixels_path, shares_path = folder / "photographs.npy", folder / "photographs.json"
    sources = [(path, share) for path, share in sources]
    description = [[str(path), share] for path, share in sources]
    if not shares_path.exists() or json.loads(shares_path.read_text())["sources"] != description:
        folder.mkdir(parents=True, exist_ok=True)
        counts = _write_squares(sources, pixels_path)
        save_text(json.dumps({"sources": description, "counts": counts}), shares_path)
    counts = json.loads(shares_path.read_text())["counts"]
    weights = np.concatenate([np.full(count, share / count) for (_, share), count in zip(sources, counts, strict=True)])
    return Photographs(np.load(pixels_path, mmap_mode="r"), weights / weights.sum())


def _write_squares(sources: list[tuple[Path, float]], out: Path) -> list[int]:
    squares: list[np.ndarray] = []
    counts = []
    with ThreadPoolExecutor(2) as pool:
        for path, _ in sources:
            before = len(squares)
            decoded = pool.map(_square, _contents(path))
            squares += [one for one in tqdm(decoded, desc=f"decoding {path.name}", unit="pic") if one is not None]
            if len(squares) == before:
                raise RetroflexError(f"no readable photograph in {path}; leave it out or give another source")
            counts.append(len(squares) - before)
    temporary = out.with_suffix(".tmp.npy")
    np.save(temporary, np.stack(squares))
    os.replace(temporary, out)
    return counts


def _contents(source: Path) -> Iterator[bytes]:
    if (source / SPLIT_FILES["train"]).exists():
        yield from (picture.path.read_bytes() for picture in read_dataset(source, "train").pictures)
        return
    if source.is_dir():
        yield from (path.read_bytes() for path in sorted(source.iterdir()) if path.suffix.lower() in SUFFIXES)
        return
    with tarfile.open(source) as archive:
        for member in archive:
            stream = archive.extractfile(member)
            if stream is not None:
                yield stream.read()


def _square(content: bytes) -> np.ndarray | None:
    try:
        image = decode(content, min_side=SIDE).image
    except PictureError:
        return None
    return np.asarray(ImageOps.fit(image, (SIDE, SIDE), Image.Resampling.BICUBIC))
