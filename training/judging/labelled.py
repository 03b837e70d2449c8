"""Pictures in a folder a class, and how often what is near a picture is of its class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from data.errors import RetroflexError
from data.paths import display
from data.pictures import SUFFIXES

NEAREST = 10
Drawn = TypeVar("Drawn", Path, str)


@dataclass(frozen=True)
class Labelled:
    """`files` (n), each with the name of its class in `labels` (n)."""

    files: Sequence[Path]
    labels: Sequence[str]

    @property
    def classes(self) -> list[str]:
        """The names, sorted."""
        return sorted(set(self.labels))


def read_labelled(folder: Path, per_class: int | None, seed: int) -> Labelled:
    """Read `folder`, where each sub-folder is a class; with `per_class`, so many drawn of each by `seed`.

    Pictures may lie deeper in a class's folder; folders without any are no classes. Raises RetroflexError when
    there are no two classes or a class has one picture only.
    """
    if not folder.is_dir():
        raise RetroflexError(
            f"{display(folder)}: no such folder; give one that holds a folder of pictures for each class"
        )
    classes = {one.name: pictures_below(one) for one in sorted(folder.iterdir()) if one.is_dir()}
    classes = {name: files for name, files in classes.items() if files}
    if len(classes) < 2:
        raise RetroflexError(
            f"{display(folder)} has pictures in {len(classes)} of its folders; each class needs a folder, two at least"
        )
    for name, files in classes.items():
        if len(files) == 1:
            raise RetroflexError(f"class {name} of {display(folder)} has one picture; two or more are needed")
    random = np.random.default_rng(seed)
    drawn = {name: draw(files, per_class, random) for name, files in classes.items()}
    pairs = [(path, name) for name, files in drawn.items() for path in files]
    return Labelled([path for path, _ in pairs], [name for _, name in pairs])


def precision_at_nearest(vectors: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return for each of L2-normalised `vectors` (n, d) the share of its ten nearest others that has its label, (n,).

    Where there are fewer than ten others, all of them count.
    """
    shares = np.empty(len(vectors))
    for row, vector in enumerate(vectors):
        cosine = vectors @ vector
        cosine[row] = -np.inf
        nearest = np.argsort(-cosine, kind="stable")[: min(NEAREST, len(vectors) - 1)]
        shares[row] = np.mean(labels[nearest] == labels[row])
    return shares


def pictures_below(folder: Path) -> list[Path]:
    """Return the files at any depth of `folder` that are named like pictures, sorted."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())


def draw(files: list[Drawn], count: int | None, random: np.random.Generator) -> list[Drawn]:
    """Return `count` of `files` in their order, all where it is None or there are no more."""
    if count is None or count >= len(files):
        return files
    return [files[place] for place in sorted(random.permutation(len(files))[:count])]
