"""The index follows the store: what changed becomes a small segment, and small segments are merged.

Sizes grow geometrically, so a picture is moved a logarithmic number of times: the logarithmic method of Bentley and
Saxe (1980), "Decomposable searching problems I". Once all that is due is merged, every segment is larger than all
smaller ones together.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from data.records import Changes
from data.store import Store
from retrieval.index.index import Index, Part
from retrieval.index.segment import build_segment
from retrieval.index.storage import IndexStorage, load_index, writing

LARGEST = 2**19
"""Pictures in one segment at most, so that the memory that building one takes has a bound."""
FULL = LARGEST // 2
"""A segment of that many pictures is left as it is."""
AT_ONCE = 1000
"""Pictures that an update builds anew beside those that changed; a search waits about a tenth of a second for it."""
RENEWED_AT_ONCE = 20_000
"""Pictures up to which a search waits for a whole new index when another model has described most; two seconds."""

logger = logging.getLogger(__name__)


def build_index(store: Store) -> Index:
    """Build the index of all pictures that have a caption or a vector, in memory. Raises StoreError."""
    return _built(store, IndexStorage(None))


def current_index(store: Store, index_dir: Path, held: Index | None = None) -> Index:
    """Return the index of the store's present state: `held`, or the one in `index_dir`, brought up to date.

    It is built anew where there is none that can be. Where another process writes meanwhile, the changes are held in
    memory. A damaged index, or a folder that cannot be written, is one warning line. Raises StoreError.
    """
    found = _newest(index_dir, held)
    if found is not None and _fits(found, store):
        return found
    with writing(index_dir, wait=_changes(store, found) is None) as storage:
        base = load_index(index_dir, found) if storage.keeps else found
        return _renewed(store, base, storage)


def merge_index(store: Store, index_dir: Path) -> Index | None:
    """Bring the index in `index_dir` up to date and merge what is due; None where that cannot be written now.

    Raises StoreError.
    """
    with writing(index_dir, wait=False) as storage:
        if not storage.keeps:
            return None
        index = _renewed(store, load_index(index_dir), storage)
        if index.main_models != index.models:
            index = _built(store, storage)
        while group := due(index):
            index = _with_new(store, index, group, [], storage)
            storage.publish(index)
        return index


def needs_merging(index: Index) -> bool:
    """Say whether `merge_index` would find something to do beside bringing it up to date."""
    return bool(due(index)) or index.main_models != index.models


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
    if index is None or not index.models:  # A library without vectors is none yet.
        return None
    return store.changes(index.generation)


def _renewed(store: Store, base: Index | None, storage: IndexStorage) -> Index:
    """Bring `base` up to date and publish it, unless it is."""
    if base is not None and _fits(base, store):
        return base
    for damage in () if base is None else base.damage:
        logger.warning("%s; it is built again from the library", damage)
    changes = _changes(store, base)
    if base is None or changes is None:
        return _built(store, storage)
    stale = np.concatenate([changes.changed, changes.gone])
    rest = replace(base, parts=tuple(part.without(stale) for part in base.parts), generation=changes.generation)
    ids = _not_in(rest, store) if base.damage else changes.changed
    index = _with_new(store, rest, taken_along(rest.parts, len(ids)), ids, storage)
    if index.main_models != index.models and len(index) <= RENEWED_AT_ONCE:
        return _built(store, storage)
    storage.publish(index)
    return index


def _built(store: Store, storage: IndexStorage) -> Index:
    """Build all segments and publish them."""
    generation, ids = store.searched_ids()  # First: what is written meanwhile makes the index stale, not wrong.
    index = _with_new(store, Index((), store.main_models(), generation), [], ids, storage)
    storage.publish(index)
    return index


def _with_new(
    store: Store, index: Index, old: Sequence[Part], ids: Sequence[int] | np.ndarray, storage: IndexStorage
) -> Index:
    """Put the pictures `ids` and those of the `old` parts into new ones."""
    moved = np.unique(np.concatenate([np.asarray(ids, np.int64), *(part.ids for part in old)]))
    kept = [part for part in index.parts if len(part) and part not in old]
    pieces = np.array_split(moved, -(-len(moved) // LARGEST) or 1) if len(moved) or not kept else []
    new = [_part(store, piece, index.models, storage) for piece in pieces]
    parts = [part for part in (*kept, *new) if len(part)] or new[:1]
    return replace(index, parts=tuple(parts), damage=())


def _part(store: Store, ids: np.ndarray, models: Mapping[str, str], storage: IndexStorage) -> Part:
    """Build one segment and keep it; no more than one is in memory at a time."""
    return storage.part(build_segment(store.searched_pictures(ids.tolist()), models, len(ids)))


def _not_in(index: Index, store: Store) -> np.ndarray:
    """The ids of the pictures that have a file and are in no part of the index."""
    _, ids = store.searched_ids()
    return np.setdiff1d(ids, np.concatenate([np.zeros(0, np.int64), *(part.ids for part in index.parts)]))


def taken_along(parts: Sequence[Part], new: int) -> list[Part]:
    """Return the small parts that an update of `new` pictures merges with them."""
    taken, total = [], new
    for part in sorted(parts, key=len):
        if len(part) > total or total - new + len(part) > AT_ONCE:
            break
        taken.append(part)
        total += len(part)
    return taken


def due(index: Index) -> list[Part]:
    """Return the parts to merge, or one to rebuild because most of it is absent; or none."""
    rising = sorted((part for part in index.parts if len(part) < FULL), key=len)
    smaller = np.cumsum([0, *(len(part) for part in rising)])
    last = max((place for place, part in enumerate(rising) if place and len(part) <= smaller[place]), default=0)
    hollow = [part for part in index.parts if 2 * len(part) < len(part.segment)]
    return rising[: last + 1] if last else hollow[:1]
