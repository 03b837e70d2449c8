"""The search index of a store: postings and vectors over the same rows, derived from it at any time."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.paths import display
from data.store import Store
from retrieval.arrays import IndexDamaged
from retrieval.bleu import DEFAULT_VARIANT
from retrieval.index_files import Facts, load_folder, write_folder
from retrieval.postings import BleuPostings
from retrieval.vectors import VectorIndex

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Index:
    """Row i of `postings` and of `vectors` is the picture `ids[i]`; `generation` is the state of the store it holds."""

    postings: BleuPostings
    vectors: VectorIndex
    generation: int

    @property
    def ids(self) -> np.ndarray:
        """Picture ids, int64, rising."""
        return self.vectors.ids

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self.vectors)


def build_index(store: Store) -> Index:
    """Build the index of all pictures that have a caption or a vector. Raises StoreError."""
    generation = store.generation()  # First: what is written meanwhile makes the index stale, not wrong.
    vector_ids, matrix = store.vectors()
    ids: list[int] = []
    postings = BleuPostings.build(_captions(store, vector_ids, ids))
    vectors = VectorIndex.build(*_by_row(np.array(ids, np.int64), vector_ids, matrix))
    return Index(postings, vectors, generation)


def save_index(index: Index, index_dir: Path) -> None:
    """Put `index` in the place of the one in `index_dir`; readers see the old one or the new one. Raises OSError."""

    def fill(folder: Path) -> None:
        index.postings.save(folder)
        index.vectors.save(folder)

    write_folder(index_dir, fill, Facts(index.generation, len(index), index.postings.max_order))


def load_index(index_dir: Path) -> Index | None:
    """Map the present index into memory; None when there is none yet. Raises IndexDamaged."""
    return load_folder(index_dir, _load)


def current_index(store: Store, index_dir: Path) -> Index:
    """Return the index of the store's present state, built and saved anew where there is none that fits.

    A damaged index, or a folder that cannot be written, is one warning line. Raises StoreError.
    """
    found = _load_fitting(store, index_dir)
    if found is not None:
        return found
    index = build_index(store)
    try:
        save_index(index, index_dir)
    except OSError as error:
        reason = error.strerror or error
        logger.warning("the search index cannot be kept in %s (%s); this search works", display(index_dir), reason)
    return index


def _load_fitting(store: Store, index_dir: Path) -> Index | None:
    try:
        index = load_index(index_dir)
    except IndexDamaged as error:
        logger.warning("%s; it is built again from the library", error)
        return None
    if index is None or index.generation != store.generation():
        return None
    return index if index.postings.max_order >= DEFAULT_VARIANT.max_order else None


def _load(folder: Path, facts: Facts) -> Index:
    postings, vectors = BleuPostings.load(folder, facts.max_order), VectorIndex.load(folder)
    if not len(postings) == len(vectors.ids) == len(vectors.matrix) == facts.pictures:
        raise IndexDamaged("the parts of the search index differ in length")
    return Index(postings, vectors, facts.generation)


def _captions(store: Store, vector_ids: np.ndarray, ids: list[int]) -> Iterator[list[str]]:
    """Yield the captions of each picture by rising id, none for one that has a vector only; note the ids in `ids`."""
    waiting = 0
    for picture_id, captions in store.captions_by_picture():
        while waiting < len(vector_ids) and vector_ids[waiting] < picture_id:
            ids.append(int(vector_ids[waiting]))
            waiting += 1
            yield []
        waiting += waiting < len(vector_ids) and vector_ids[waiting] == picture_id
        ids.append(picture_id)
        yield captions
    for picture_id in vector_ids[waiting:]:
        ids.append(int(picture_id))
        yield []


def _by_row(ids: np.ndarray, vector_ids: np.ndarray, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return `ids` and the vectors in their order, with zeros for the pictures that have none."""
    if np.array_equal(ids, vector_ids):
        return ids, matrix
    aligned = np.zeros((len(ids), matrix.shape[1]), matrix.dtype)
    aligned[np.searchsorted(ids, vector_ids)] = matrix
    return ids, aligned
