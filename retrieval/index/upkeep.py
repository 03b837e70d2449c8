"""The index follows the store: what changed becomes a small segment, and segments are merged with their like."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from data.records import Changes
from data.store import Store
from retrieval.index.index import Index, Part
from retrieval.index.merging import LARGEST, due, taken_along
from retrieval.index.segment import build_segment
from retrieval.index.shelf import Shelf, load_index, writing

RENEWED_AT_ONCE = 20_000
"""Pictures up to which a search waits for a whole new index when another model has described most; two seconds."""

logger = logging.getLogger(__name__)


def build_index(store: Store) -> Index:
    """Build the index of all pictures that have a caption or a vector, in memory. Raises StoreError."""
    return _built(store, Shelf(None))


def current_index(store: Store, index_dir: Path, held: Index | None = None) -> Index:
    """Return the index of the store's present state: `held`, or the one in `index_dir`, brought up to date.

    It is built anew where there is none that can be. Where another process writes meanwhile, the changes are held in
    memory. A damaged index, or a folder that cannot be written, is one warning line. Raises StoreError.
    """
    found = _newest(index_dir, held)
    if found is not None and _fits(found, store):
        return found
    with writing(index_dir, wait=_changes(store, found) is None) as shelf:
        base = load_index(index_dir, found) if shelf.keeps else found
        return _renewed(store, base, shelf)


def merge_index(store: Store, index_dir: Path) -> Index | None:
    """Bring the index in `index_dir` up to date and merge what is due; None where that cannot be written now.

    Raises StoreError.
    """
    with writing(index_dir, wait=False) as shelf:
        if not shelf.keeps:
            return None
        index = _renewed(store, load_index(index_dir), shelf)
        if index.main_model != index.model_version:
            index = _built(store, shelf)
        while group := due(index):
            index = _with_new(store, index, group, [], shelf)
            shelf.publish(index)
        return index


def needs_merging(index: Index) -> bool:
    """Say whether `merge_index` would find something to do beside bringing it up to date."""
    return bool(due(index)) or index.main_model != index.model_version


def _newest(index_dir: Path, held: Index | None) -> Index | None:
    """The index on disk unless the one in memory is ahead of it."""
    stored = load_index(index_dir, held)
    if stored is None or held is None:
        return held if stored is None else stored
    return held if held.generation > stored.generation else stored


def _fits(index: Index, store: Store) -> bool:
    return not index.damage and index.generation == store.generation()


def _changes(store: Store, index: Index | None) -> Changes | None:
    """What became of the store since `index`, None where all has to be built anew."""
    if index is None or index.model_version is None:  # A library without vectors is none yet.
        return None
    return store.changes(index.generation)


def _renewed(store: Store, base: Index | None, shelf: Shelf) -> Index:
    """Bring `base` up to date and publish it, unless it is."""
    if base is not None and _fits(base, store):
        return base
    for damage in () if base is None else base.damage:
        logger.warning("%s; it is built again from the library", damage)
    changes = _changes(store, base)
    if base is None or changes is None:
        return _built(store, shelf)
    stale = np.concatenate([changes.changed, changes.gone])
    rest = replace(base, parts=tuple(part.without(stale) for part in base.parts), generation=changes.generation)
    ids = _not_in(rest, store) if base.damage else changes.changed
    index = _with_new(store, rest, taken_along(rest.parts, len(ids)), ids, shelf)
    if index.main_model != index.model_version and len(index) <= RENEWED_AT_ONCE:
        return _built(store, shelf)
    shelf.publish(index)
    return index


def _built(store: Store, shelf: Shelf) -> Index:
    """Build all segments and publish them."""
    generation, ids = store.searched_ids()  # First: what is written meanwhile makes the index stale, not wrong.
    index = _with_new(store, Index((), store.main_model(), generation), [], ids, shelf)
    shelf.publish(index)
    return index


def _with_new(store: Store, index: Index, old: Sequence[Part], ids: Sequence[int] | np.ndarray, shelf: Shelf) -> Index:
    """Put the pictures `ids` and those of the `old` parts into new ones."""
    moved = np.unique(np.concatenate([np.asarray(ids, np.int64), *(part.ids for part in old)]))
    kept = [part for part in index.parts if len(part) and part not in old]
    pieces = np.array_split(moved, -(-len(moved) // LARGEST) or 1) if len(moved) or not kept else []
    new = [_part(store, piece, index.model_version, shelf) for piece in pieces]
    parts = [part for part in (*kept, *new) if len(part)] or new[:1]
    return replace(index, parts=tuple(parts), damage=())


def _part(store: Store, ids: np.ndarray, model_version: str | None, shelf: Shelf) -> Part:
    """Build one segment and keep it; no more than one is in memory at a time."""
    return shelf.part(build_segment(store.searched_pictures(ids.tolist()), model_version, len(ids)))


def _not_in(index: Index, store: Store) -> np.ndarray:
    """The ids of the pictures that have a file and are in no part of the index."""
    _, ids = store.searched_ids()
    return np.setdiff1d(ids, np.concatenate([np.zeros(0, np.int64), *(part.ids for part in index.parts)]))
