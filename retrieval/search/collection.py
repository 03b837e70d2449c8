"""A library without a query: browsed, counted and restricted by filters."""

from __future__ import annotations

from threading import Lock
from typing import NamedTuple

import numpy as np

from data.facts import Facts, read_facts
from data.paths import clean_text
from data.roots import read_roots
from data.store import Store
from retrieval.search.filters import ORIENTATIONS, SOURCES, Filters, orientations
from retrieval.search.folders import FolderTree, folder_tree
from retrieval.search.query import QueryError
from retrieval.search.selection import Selection

BROWSED = ("newest", "oldest", "added")
_OWN = {"year": ("from", "to")}
"""The masks that a facet leaves out where they are not called as it is."""


class Count(NamedTuple):
    """How many pictures have a value."""

    value: str
    pictures: int


class FolderCount(NamedTuple):
    """How many pictures lie in a folder at any depth; `above` is the id of the folder above, None for none."""

    id: str
    path: bytes
    above: str | None
    pictures: int


class Facets(NamedTuple):
    """Counts over the pictures that all other filters keep, so that each value says what choosing it would give."""

    total: int
    format: list[Count]
    orientation: list[Count]
    source: list[Count]
    year: list[Count]
    folder: list[FolderCount]


class Collection:
    """The facts of a store's present state; may be used by several threads at once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._state: tuple[Facts, FolderTree] | None = None
        self._reading = Lock()

    def state(self) -> tuple[Facts, FolderTree]:
        """Return the facts and folders of the store's present state, read anew when it has changed."""
        with self._reading:
            if self._state is None or self._state[0].generation != self._store.generation():
                facts = read_facts(self._store)
                self._state = facts, folder_tree(facts, [root.path for root in read_roots(self._store)])
            return self._state

    def folder(self, folder_id: str) -> bytes:
        """Return the path of the folder with this id. Raises QueryError."""
        _, tree = self.state()
        if folder_id not in tree.ids:
            raise QueryError("there is no such folder in the library; take an id from its folders")
        return tree.paths[tree.ids.index(folder_id)]

    def folder_at(self, path: bytes) -> bytes:
        """Return the path of a folder of the library. Raises QueryError where no picture of it lies there."""
        _, tree = self.state()
        if path not in tree.paths:
            raise QueryError(f"no picture of the library lies in {clean_text(path)}; index it first")
        return path

    def select(self, filters: Filters, order: str = "relevance") -> Selection | None:
        """Return the pictures that the filters keep, None where that is all of them and order does not matter."""
        if filters == Filters() and order == "relevance":
            return None
        facts, tree = self.state()
        kept = _kept(filters.masks(facts, tree), len(facts.ids))
        return Selection(facts.ids[kept], facts.dates[kept], order)

    def browse(self, filters: Filters, order: str) -> np.ndarray:
        """Return the ids of the pictures that the filters keep, in an order of BROWSED; the same date, by id."""
        facts, tree = self.state()
        rows = np.flatnonzero(_kept(filters.masks(facts, tree), len(facts.ids)))
        if order == "added":
            return facts.ids[rows[::-1]]
        dates = facts.dates[rows].astype(np.int64)
        return facts.ids[rows[np.argsort(-dates if order == "newest" else dates, kind="stable")]]

    def facets(self, filters: Filters) -> Facets:
        """Count the pictures by the values of each facet, all filters but its own holding."""
        facts, tree = self.state()
        masks = filters.masks(facts, tree)

        def left(facet: str) -> np.ndarray:
            own = _OWN.get(facet, (facet,))
            return _kept({name: mask for name, mask in masks.items() if name not in own}, len(facts.ids))

        years = facts.dates.astype("datetime64[Y]").astype(np.int64) + 1970
        found, counts = np.unique(years[left("year")], return_counts=True)
        return Facets(
            int(np.count_nonzero(_kept(masks, len(facts.ids)))),
            _counts(facts.format_names, facts.formats[left("format")]),
            _counts(ORIENTATIONS, orientations(facts)[left("orientation")]),
            _counts(SOURCES, np.where(facts.by_user, 0, 1)[left("source")]),
            [Count(str(year), int(count)) for year, count in zip(found[::-1], counts[::-1], strict=True)],
            _folder_counts(tree, left("folder")),
        )


def _kept(masks: dict[str, np.ndarray], pictures: int) -> np.ndarray:
    kept = np.ones(pictures, bool)
    for mask in masks.values():
        kept &= mask
    return kept


def _counts(values: tuple[str, ...] | list[str], places: np.ndarray) -> list[Count]:
    counts = np.bincount(places, minlength=len(values)).tolist()
    return [Count(value, count) for value, count in zip(values, counts, strict=True) if count]


def _folder_counts(tree: FolderTree, kept: np.ndarray) -> list[FolderCount]:
    rows = zip(tree.ids, tree.paths, tree.above, tree.counts(kept).tolist(), strict=True)
    return [
        FolderCount(one, path, tree.ids[above] if above >= 0 else None, count)
        for one, path, above, count in rows
        if count
    ]
