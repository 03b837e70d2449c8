"""A library without a query: browsed, counted and restricted by filters."""

from __future__ import annotations

from dataclasses import replace
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from data.albums.albums import UnknownAlbum, find_album
from data.albums.membership import Membership, number_of_changes, read_membership
from data.catalogue.columns import ColumnCache
from data.catalogue.fields import field_named, read_fields
from data.facts import Facts, read_facts
from data.paths import clean_text
from data.roots import read_roots
from data.store import Store
from retrieval.search import fields
from retrieval.search.catalogue import StoredField, fields_of
from retrieval.search.fields import ADDED, CONFIDENCE, RELEVANCE, Field, Masks
from retrieval.search.filters import Filters, Selection
from retrieval.search.folders import FolderTree, folder_tree
from retrieval.search.grouping import Grouping, grouping_of
from retrieval.search.query import QueryError


class Facets(NamedTuple):
    """Counts by facet and value, each over the pictures that the filters of all other fields keep.

    So a count says how many pictures choosing that value would give. `counts` maps a facet to a list of Count, of
    FolderCount for folders, or of AlbumCount for albums. `total` counts the pictures that all filters keep.
    """

    total: int
    counts: dict[str, Any]


class Collection:
    """The facts of a store's present state; may be used by several threads at once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._state: tuple[Facts, FolderTree] | None = None
        self._reading = Lock()
        self.columns = ColumnCache(store)
        """The fields of the catalogue as arrays, kept from one state to the next."""
        self._catalogue: tuple[int, tuple[StoredField, ...]] = (-1, ())

    def catalogue(self) -> tuple[StoredField, ...]:
        """Return the fields of the library's catalogue. Raises StoreError."""
        generation = self._store.generation()
        if self._catalogue[0] != generation:
            self._catalogue = generation, fields_of(read_fields(self._store))
        return self._catalogue[1]

    def fields(self) -> tuple[Field, ...]:
        """Return all fields: those of every library, then those of the catalogue. Raises StoreError."""
        return (*fields.FIELDS, *self.catalogue())

    def state(self) -> tuple[Facts, FolderTree]:
        """Return the facts and folders of the store's present state, read again when it has changed."""
        with self._reading:
            if self._state is None or self._state[0].generation != self._store.generation():
                stored = [name for field in fields.FIELDS for name in field.stored]
                facts = read_facts(self._store, stored, self.columns)
                self._state = facts, folder_tree(facts, [root.path for root in read_roots(self._store)])
            elif (membership := self._other_membership(self._state[0])) is not None:
                self._state = self._state[0].with_membership(membership), self._state[1]
            return self._state

    def _other_membership(self, facts: Facts) -> Membership | None:
        """Return favourites and albums where they have changed."""
        with self._store.glancing() as connection:
            if number_of_changes(connection) == facts.membership.changed:
                return None
        with self._store.reading() as connection:
            return read_membership(connection)

    def album(self, album_id: int) -> int:
        """Return the id of a hand-picked album. Raise QueryError where there is none, or it is a saved search."""
        if self.state()[0].membership.album(album_id) is None:
            try:
                found = find_album(self._store, album_id)
            except UnknownAlbum as error:
                raise QueryError(f"{error}; take an id from its albums") from error
            raise QueryError(f"{found.name} is a saved search, no album of pictures; search for: {found.query}")
        return album_id

    def album_name(self, album_id: int) -> str:
        """Return the name of an album. Raise UnknownAlbum."""
        picked = self.state()[0].membership.album(album_id)
        return picked.name if picked else find_album(self._store, album_id).name

    def album_named(self, name: str) -> int:
        """Return the id of the album of this name or number. Raise as `album`."""
        return self.album(find_album(self._store, name).id)

    def folder(self, folder_id: str) -> bytes:
        """Return the path of the folder with this id. Raise QueryError."""
        _, tree = self.state()
        if folder_id not in tree.ids:
            raise QueryError("there is no such folder in the library; take an id from its folders")
        return tree.paths[tree.ids.index(folder_id)]

    def folder_at(self, path: bytes) -> bytes:
        """Return the path of a folder of the library. Raise QueryError where it holds no picture of the library."""
        _, tree = self.state()
        if path not in tree.paths:
            raise QueryError(f"no picture of the library lies in {clean_text(path)}; index it first")
        return path

    def select(self, filters: Filters, order: str = RELEVANCE.name) -> Selection | None:
        """Return the pictures that the filters keep, None where that is all of them, sorted by relevance."""
        if not filters and order == RELEVANCE.name:
            return None
        facts, tree = self._sure(filters)
        kept = _kept(filters.masks(facts, tree), len(facts.ids))
        return Selection(facts.ids[kept], None if order == RELEVANCE.name else self._keys(facts, order, filters)[kept])

    def grouping(self, name: str, filters: Filters) -> Grouping:
        """Return the grouping by a field of the catalogue, of the pictures' values that the filters find sure enough.

        Raise NoSuchField, QueryError for a field of free text, or StoreError.
        """
        own = self.catalogue()
        of = field_named([one.of for one in own], name)
        return grouping_of(next(one for one in own if one.of == of), self._sure(filters)[0])

    def browse(self, filters: Filters, order: str) -> np.ndarray:
        """Return the ids of the pictures that the filters keep, in one of `orders(queried=False)`; ties by id."""
        facts, tree = self._sure(filters)
        rows = np.flatnonzero(_kept(filters.masks(facts, tree), len(facts.ids)))
        if order == ADDED.name:
            return facts.ids[rows[::-1]]
        return facts.ids[rows[np.argsort(self._keys(facts, order, filters)[rows], kind="stable")]]

    def facets(self, filters: Filters) -> Facets:
        """Count the pictures by the values of each facet, under all filters but those of its own field."""
        facts, tree = self._sure(filters)
        masks = filters.masks(facts, tree)
        every, counts = _kept(masks, len(facts.ids)), {}
        for field in self.fields():
            if field.facet:
                own = masks.keys() & {option.name for option in field.options}
                others = {name: mask for name, mask in masks.items() if name not in own}
                kept = _kept(others, len(facts.ids)) if own else every
                counts[field.facet] = field.counts(facts, tree, kept)
        return Facets(int(np.count_nonzero(every)), counts)

    def _sure(self, filters: Filters) -> tuple[Facts, FolderTree]:
        """Return the state without predicted values that the filters find too unsure."""
        facts, tree = self.state()
        if CONFIDENCE.name not in filters:
            return facts, tree
        return replace(facts, catalogue=facts.catalogue.sure(filters[CONFIDENCE.name])), tree

    def _keys(self, facts: Facts, name: str, filters: Filters) -> np.ndarray:
        """Return a number for each picture, (n,); the lowest comes first in the order of this name."""
        field, order = next((field, order) for field in self.fields() for order in field.orders if order.name == name)
        keys = field.sort_keys(facts, filters)
        return -keys if order.descending else keys


def _kept(masks: Masks, pictures: int) -> np.ndarray:
    kept = np.ones(pictures, bool)
    for mask in masks.values():
        kept &= mask
    return kept
