"""The pictures of a comparison: a labelled folder, a labelled table, or a library; and copies of some of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from data.errors import PictureError, RetroflexError
from data.films.reads import films_by_id
from data.paths import from_bytes
from data.pictures import decode, read_bytes
from data.progress import progress_bar
from data.records import content_hash
from data.store import Store
from training.evaluation.folders import Labelled
from training.evaluation.transformations import TRANSFORMATIONS, transformed

COPY_SIDE = 640
"""Copies are made of a picture scaled to this many pixels at most, more than any encoder looks at."""


@dataclass(frozen=True)
class Gallery:
    """`files` (n) with their classes `labels` (n,), None for a library, whose pictures have none.

    The pictures of a library are described there: `store` has them, under the ids `items` int64 (n,).
    """

    files: Sequence[Path]
    labels: np.ndarray | None = None
    store: Store | None = None
    items: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.files)

    def sample(self, count: int | None, seed: int) -> Gallery:
        """Return `count` pictures drawn by `seed`, all for None. Raise RetroflexError if too little is left."""
        if count is not None and count < len(self):
            rows = np.sort(np.random.default_rng(seed).permutation(len(self))[:count])
            picked = [None if one is None else one[rows] for one in (self.labels, self.items)]
            return replace(self, files=[self.files[row] for row in rows], labels=picked[0], items=picked[1]).checked()
        return self.checked()

    def checked(self) -> Gallery:
        """Return the same. Raise RetroflexError for fewer than two pictures, or no two of the same class."""
        if len(self) < 2:
            raise RetroflexError(f"there is nothing to compare: {len(self)} picture; give two or more")
        if self.labels is not None:
            sizes = np.unique(self.labels, return_counts=True)[1]
            if len(sizes) < 2 or sizes.max() < 2:
                raise RetroflexError("two classes are needed, one of them with two pictures; give more pictures")
        return self


def labelled_gallery(labelled: Labelled) -> Gallery:
    """Return the pictures of a labelled folder or table."""
    return Gallery(labelled.files, np.array(labelled.labels))


def library_gallery(store: Store) -> Gallery:
    """Return the pictures of a library that have a file, but no films. Raise RetroflexError for fewer than two."""
    _, ids = store.searched_ids()
    pictures = store.pictures(ids.tolist())
    films = films_by_id(store)
    shown = [one for one in ids.tolist() if one in pictures and one not in films and pictures[one].paths]
    return Gallery([from_bytes(pictures[one].paths[0]) for one in shown], None, store, np.array(shown, np.int64))


@dataclass(frozen=True)
class Copies:
    """`files` (m) of changed pictures, each with the row of its original in the gallery, `rows` int64 (m,)."""

    files: Sequence[Path]
    rows: np.ndarray


def make_copies(gallery: Gallery, count: int, seed: int, folder: Path) -> Copies:
    """Write copies of `count` pictures drawn by `seed`, one by each transformation, to `folder`, as PNG.

    Those that were written before are used again; pictures that cannot be read are left out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = np.sort(np.random.default_rng(seed).permutation(len(gallery))[:count])
    files, rows = list[Path](), list[int]()
    for row in progress_bar(drawn.tolist(), desc="copies", unit="pic", delay=1):
        try:
            made = _copies_of(gallery.files[row], row, seed, folder)
        except PictureError:
            continue
        files += made
        rows += [row] * len(made)
    return Copies(files, np.array(rows, np.int64))


def _copies_of(file: Path, number: int, seed: int, folder: Path) -> list[Path]:
    content = read_bytes(file)
    start = f"{content_hash(content)[:32]}-{number}-{seed}"
    made = {name: folder / f"{start}-{name}.png" for name in TRANSFORMATIONS}
    if not all(path.exists() for path in made.values()):
        image = decode(content).image
        image.thumbnail((COPY_SIDE, COPY_SIDE), Image.Resampling.BICUBIC)
        for name, path in made.items():
            temporary = path.with_suffix(f".{os.getpid()}.tmp")
            transformed(image, number, name, seed).save(temporary, "PNG")
            os.replace(temporary, path)
    return list(made.values())
