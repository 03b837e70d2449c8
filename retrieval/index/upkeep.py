"""The index follows the store: changes become a small segment, and small segments are merged.

Sizes grow geometrically, so a picture moves a logarithmic number of times: the logarithmic method of Bentley and Saxe
(1980), "Decomposable searching problems I". After merging, every segment is larger than all smaller ones together.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from data.records import Changes
from data.roots import read_roots
from data.store import Store
from retrieval.index.index import Index, Part
from retrieval.index.segment import Segment, build_segment
from retrieval.index.storage import IndexStorage, load_index, writing

LARGEST = 2**19
"""The most pictures in one segment, which limits the memory for building it."""
FULL = LARGEST // 2
"""A segment of this many pictures is not merged."""
AT_ONCE = 1000
"""Unchanged pictures that an update may move; a search waits about a tenth of a second for them."""
REBUILT_AT_ONCE = 20_000
"""Up to this many pictures a search waits two seconds for a new index when another model has described most."""

logger = logging.getLogger(__name__)


def build_index(store: Store) -> Index:
    """Build the index of all pictures that have a caption or a vector, in memory. Raises StoreError."""
    return _build_all(store, IndexStorage(None))


def current_index(store: Store, index_dir: Path, loaded: Index | None = None, with_vectors: bool = True) -> Index:
    """Return the index of the store's current state: `loaded`, or the one in `index_dir`, brought up to date.

    If neither can be used, it is built again, with vectors or without. While another process writes, changes stay in
    memory. A damaged index, or a folder that cannot be written, is logged as one warning. Raises StoreError.
    """
    found = _newest(index_dir, loaded)
    if found is not None and _is_current(found, store):
        return found
    with writing(_writable(store, index_dir), _changes(store, found) is None, with_vectors) as storage:
        base = load_index(index_dir, found) if storage.keeps else found
        return _updated(store, base, storage)


def merge_index(store: Store, index_dir: Path, with_vectors: bool = True) -> Index | None:
    """Bring the index in `index_dir` up to date and merge small segments; None if it cannot be written now.

    Raises StoreError.
    """
    with writing(_writable(store, index_dir), wait=False, with_vectors=with_vectors) as storage:
        if not storage.keeps:
            return None
        index = _updated(store, load_index(index_dir), storage)
        if index.main_models != index.models:
            index = _build_all(store, storage)
        while group := parts_to_merge(index):
            index = _with_new(store, index, group, [], storage)
            storage.publish(index)
        return index


def _writable(store: Store, index_dir: Path) -> Path | None:
    """Return the folder of the index, None beside a store that may only be read."""
    return None if store.read_only else index_dir


def needs_merging(index: Index) -> bool:
    """Return whether `merge_index` would do more than bring the index up to date."""
    return bool(parts_to_merge(index)) or index.main_models != index.models


def _newest(index_dir: Path, loaded: Index | None) -> Index | None:
    """Return the index on disk, or the one in memory if that is newer."""
    stored = load_index(index_dir, loaded)
    if stored is None or loaded is None:
        return loaded if stored is None else stored
    return loaded if loaded.generation > stored.generation else stored


def _is_current(index: Index, store: Store) -> bool:
    return not index.damage and index.generation == store.generation()


def _changes(store: Store, index: Index | None) -> Changes | None:
    """Return the changes of the store since `index`, None if all has to be built again."""
    if index is None or not index.models:  # An index without vectors cannot be updated.
        return None
    return store.changes(index.generation)


def _updated(store: Store, base: Index | None, storage: IndexStorage) -> Index:
    """Return `base` brought up to date, and publish it if it changed."""
    if base is not None and _is_current(base, store):
        return base
    for damage in () if base is None else base.damage:
        logger.warning("%s; it is built again from the library", damage)
    changes = _changes(store, base)
    if base is None or changes is None:
        return _build_all(store, storage)
    stale = base.frames.with_frames(np.sort(np.concatenate([changes.changed, changes.gone])))
    remaining = replace(base, parts=tuple(part.without(stale) for part in base.parts), generation=changes.generation)
    ids = _not_in(remaining, store) if base.damage else changes.changed
    index = _with_new(store, remaining, merged_with_update(remaining.parts, len(ids)), ids, storage)
    if index.main_models != index.models and len(index) <= REBUILT_AT_ONCE:
        return _build_all(store, storage)
    storage.publish(index)
    return index


def _build_all(store: Store, storage: IndexStorage) -> Index:
    """Build all segments and publish them."""
    generation, ids = store.searched_items()  # Read first, so later writes make the index stale, not wrong.
    index = _with_new(store, Index((), store.main_models(), generation), [], ids, storage)
    storage.publish(index)
    return index


def _with_new(
    store: Store, index: Index, merged: Sequence[Part], ids: Sequence[int] | np.ndarray, storage: IndexStorage
) -> Index:
    """Return `index` with new parts of the pictures `ids` and those of the `merged` parts."""
    moved = np.unique(np.concatenate([np.asarray(ids, np.int64), *(part.ids for part in merged)]))
    kept = [part for part in index.parts if len(part) and part not in merged]
    pieces = np.array_split(moved, -(-len(moved) // LARGEST) or 1) if len(moved) or not kept else []
    before = [part.segment for part in index.parts]
    new = [_part(store, piece, index.models, storage, before) for piece in pieces]
    parts = [part for part in (*kept, *new) if len(part)] or new[:1]
    return replace(index, parts=tuple(parts), damage=())


def _part(
    store: Store, ids: np.ndarray, models: Mapping[str, str], storage: IndexStorage, before: Sequence[Segment]
) -> Part:
    """Build and store one segment; only one is in memory at a time."""
    roots, searched = [root.path for root in read_roots(store)], models if storage.with_vectors else {}
    return storage.part(build_segment(store.searched_pictures(ids.tolist()), searched, len(ids), roots, before))


def _not_in(index: Index, store: Store) -> np.ndarray:
    """Return the ids of the pictures that have a file and are in no part of the index."""
    _, ids = store.searched_items()
    return np.setdiff1d(ids, np.concatenate([np.zeros(0, np.int64), *(part.ids for part in index.parts)]))


def merged_with_update(parts: Sequence[Part], new: int) -> list[Part]:
    """Return the small parts that an update of `new` pictures merges with them."""
    taken, total = [], new
    for part in sorted(parts, key=len):
        if len(part) > total or total - new + len(part) > AT_ONCE:
            break
        taken.append(part)
        total += len(part)
    return taken


def parts_to_merge(index: Index) -> list[Part]:
    """Return the parts to merge, or one to rebuild because most of it is absent; or none."""
    by_size = sorted((part for part in index.parts if len(part) < FULL), key=len)
    smaller = np.cumsum([0, *(len(part) for part in by_size)])
    last = max((number for number, part in enumerate(by_size) if number and len(part) <= smaller[number]), default=0)
    mostly_absent = [part for part in index.parts if 2 * len(part) < len(part.segment)]
    return by_size[: last + 1] if last else mostly_absent[:1]
