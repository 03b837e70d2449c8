"""The folders of a library as a tree: the indexed ones, and below them those that hold pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from data.facts import Facts, folder_of
from data.roots import folder_id, lies_in


@dataclass(frozen=True)
class FolderTree:
    """The f folders `paths`, sorted, with the place of the folder above each in `above` (-1: none).

    `rows` and `places`, both int64 (p,), say of each picture, by row of the facts, in which folders it lies at any
    depth; each pair stands there once.
    """

    paths: list[bytes]
    above: list[int]
    rows: np.ndarray
    places: np.ndarray

    @cached_property
    def ids(self) -> list[str]:
        """The id of each folder."""
        return [folder_id(path) for path in self.paths]

    def holding(self, place: int, pictures: int) -> np.ndarray:
        """Tell of each of `pictures` rows whether it lies in the folder at `place`, bool (pictures,)."""
        held = np.zeros(pictures, bool)
        held[self.rows[self.places == place]] = True
        return held

    def counts(self, kept: np.ndarray) -> np.ndarray:
        """Return how many of the pictures that are `kept` (bool, by row) lie in each folder at any depth, (f,)."""
        return np.bincount(self.places[kept[self.rows]], minlength=len(self.paths))


def folder_tree(facts: Facts, roots: Sequence[bytes]) -> FolderTree:
    """Return the tree of `roots` and of the folders of all files; one outside all roots has nothing above it."""
    lineages = [_lineage(folder, roots) for folder in facts.folders]
    paths = sorted({*roots, *(one for lineage in lineages for one in lineage)})
    place_of = {path: place for place, path in enumerate(paths)}
    above = [place_of.get(folder_of(path), -1) if len(path) > 1 else -1 for path in paths]
    depths = np.array([len(lineage) for lineage in lineages], np.int64)
    together = np.array([place_of[one] for lineage in lineages for one in lineage], np.int64)
    rows, places = _spread(facts, depths, together)
    pairs = np.unique(rows * max(1, len(paths)) + places)
    return FolderTree(paths, above, *np.divmod(pairs, max(1, len(paths))))


def _lineage(folder: bytes, roots: Sequence[bytes]) -> list[bytes]:
    """The folder and those above it up to the uppermost root that holds it."""
    tops = [root for root in roots if lies_in(folder, root)]
    lineage = [folder]
    while tops and lineage[-1] != min(tops, key=len):
        lineage.append(folder_of(lineage[-1]))
    return lineage


def _spread(facts: Facts, depths: np.ndarray, together: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pair each file's picture with each folder of its lineage; lineages stand end to end in `together`."""
    own = depths[facts.file_folders]
    starts = (np.cumsum(depths) - depths)[facts.file_folders]
    step = np.arange(own.sum()) - np.repeat(np.cumsum(own) - own, own)
    return np.repeat(facts.file_rows, own), together[np.repeat(starts, own) + step]
