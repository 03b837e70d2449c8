"""Filters restrict the gallery: which pictures may be found, counted or shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from data.facts import Facts
from retrieval.search.folders import FolderTree
from retrieval.search.query import QueryError

ORIENTATIONS = ("landscape", "portrait", "square")
SOURCES = ("user", "model")
ORDERS = ("relevance", "newest", "oldest")


@dataclass(frozen=True)
class Filters:
    """Conditions that all have to hold; None and () leave everything in.

    `folder` is the path of a folder in the tree, whose pictures may lie at any depth; the days of `taken_from` to
    `taken_to`, both inclusive, are held against the date taken, or the file's time where that is unknown;
    `min_side` to `max_side` is the longer side in pixels; `formats` are alternatives; `source` "user" keeps the
    pictures that a person captioned, "model" the others.
    """

    folder: bytes | None = None
    taken_from: date | None = None
    taken_to: date | None = None
    orientation: str | None = None
    min_side: int | None = None
    max_side: int | None = None
    formats: tuple[str, ...] = ()
    source: str | None = None

    def __post_init__(self) -> None:
        if self.taken_from and self.taken_to and self.taken_from > self.taken_to:
            raise QueryError(f"nothing was taken from {self.taken_from} to {self.taken_to}; give the earlier day first")
        if self.min_side and self.max_side and self.min_side > self.max_side:
            raise QueryError(f"no side is from {self.min_side} to {self.max_side} pixels; give the smaller one first")

    def masks(self, facts: Facts, tree: FolderTree) -> dict[str, np.ndarray]:
        """Return, for each filter that is set, by its name in facets, which pictures it keeps, bool (n,)."""
        masks: dict[str, np.ndarray] = {}
        if self.folder is not None:
            masks["folder"] = tree.holding(tree.paths.index(self.folder), len(facts.ids))
        if self.taken_from is not None:
            masks["from"] = facts.dates >= np.datetime64(self.taken_from)
        if self.taken_to is not None:
            masks["to"] = facts.dates < np.datetime64(self.taken_to) + np.timedelta64(1, "D")
        if self.orientation is not None:
            masks["orientation"] = orientations(facts) == ORIENTATIONS.index(self.orientation)
        longer = np.maximum(facts.widths, facts.heights)
        if self.min_side is not None:
            masks["min_side"] = longer >= self.min_side
        if self.max_side is not None:
            masks["max_side"] = longer <= self.max_side
        if self.formats:
            masks["format"] = np.isin(facts.formats, [facts.format_names.index(one) for one in self._there(facts)])
        if self.source is not None:
            masks["source"] = facts.by_user == (self.source == "user")
        return masks

    def _there(self, facts: Facts) -> list[str]:
        return [one for one in self.formats if one in facts.format_names]


def orientations(facts: Facts) -> np.ndarray:
    """Return the place of each picture's orientation in ORIENTATIONS, (n,)."""
    return np.where(facts.widths > facts.heights, 0, np.where(facts.widths < facts.heights, 1, 2))
