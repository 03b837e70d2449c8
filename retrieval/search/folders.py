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
    """The f folders `paths`, sorted, with the index of the parent folder of each in `above` (-1: none).

    `rows` and `folders`, both int64 (p,), pair each picture, by its row in the facts, once with each folder that holds
    it at any depth.
    """

    paths: list[bytes]
    above: list[int]
    rows: np.ndarray
    folders: np.ndarray

    @cached_property
    def ids(self) -> list[str]:
        """The id of each folder."""
        return [folder_id(path) for path in self.paths]

    def holding(self, folder: int, pictures: int) -> np.ndarray:
        """Return for each of `pictures` rows whether the folder of this index holds it, bool (pictures,)."""
        held = np.zeros(pictures, bool)
        held[self.rows[self.folders == folder]] = True
        return held

    def counts(self, kept: np.ndarray) -> np.ndarray:
        """Count the pictures that are `kept` (bool, by row) and that each folder holds at any depth, (f,)."""
        return np.bincount(self.folders[kept[self.rows]], minlength=len(self.paths))


def folder_tree(facts: Facts, roots: Sequence[bytes]) -> FolderTree:
    """Return the tree of `roots` and of the folders of all files; a folder outside all roots has no parent."""
    ancestries = [_ancestry(folder, roots) for folder in facts.folders]
    paths = sorted({*roots, *(path for ancestry in ancestries for path in ancestry)})
    index_of = {path: index for index, path in enumerate(paths)}
    above = [index_of.get(folder_of(path), -1) if len(path) > 1 else -1 for path in paths]
    depths = np.array([len(ancestry) for ancestry in ancestries], np.int64)
    joined = np.array([index_of[path] for ancestry in ancestries for path in ancestry], np.int64)
    rows, folders = _pairs(facts, depths, joined)
    pairs = np.unique(rows * max(1, len(paths)) + folders)
    return FolderTree(paths, above, *np.divmod(pairs, max(1, len(paths))))


def _ancestry(folder: bytes, roots: Sequence[bytes]) -> list[bytes]:
    """Return the folder and its parents up to the uppermost root that holds it."""
    tops = [root for root in roots if lies_in(folder, root)]
    ancestry = [folder]
    while tops and ancestry[-1] != min(tops, key=len):
        ancestry.append(folder_of(ancestry[-1]))
    return ancestry


def _pairs(facts: Facts, depths: np.ndarray, joined: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pair each file's picture with each folder of its ancestry; `joined` holds the ancestries end to end."""
    own = depths[facts.file_folders]
    starts = (np.cumsum(depths) - depths)[facts.file_folders]
    step = np.arange(own.sum()) - np.repeat(np.cumsum(own) - own, own)
    return np.repeat(facts.file_rows, own), joined[np.repeat(starts, own) + step]
