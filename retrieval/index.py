"""The search index of a store: postings and vectors over the same rows, derived from it at any time."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.paths import display
from data.store import Store
from retrieval.arrays import IndexDamaged, load_array, save_arrays
from retrieval.bleu import INDEXED_ORDER
from retrieval.index_files import Facts, load_folder, write_folder
from retrieval.postings import BleuPostings
from retrieval.vectors import VectorIndex

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Index:
    """Row i of `postings`, `vectors` and `embeddings` is the picture `ids[i]` (int64, rising).

    `by_user` (bool) says which pictures a person has captioned. `model_version` made vectors and embeddings, None
    where there are none; `generation` is the state of the store that the index holds.
    """

    ids: np.ndarray
    by_user: np.ndarray
    postings: BleuPostings
    vectors: VectorIndex
    embeddings: VectorIndex
    model_version: str | None
    generation: int

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self.ids)


def build_index(store: Store) -> Index:
    """Build the index of all pictures that have a caption or a vector. Raises StoreError."""
    generation = store.generation()  # First: what is written meanwhile makes the index stale, not wrong.
    stored = store.vectors()
    noted: list[int] = []
    postings = BleuPostings.build(_captions(store, stored.ids, noted))
    ids = np.array(noted, np.int64)
    by_user = np.isin(ids, store.captioned_by_user())
    vectors, embeddings = (
        VectorIndex.build(_by_row(ids, stored.ids, matrix)) for matrix in (stored.vectors, stored.embeddings)
    )
    return Index(ids, by_user, postings, vectors, embeddings, stored.model_version, generation)


def save_index(index: Index, index_dir: Path) -> None:
    """Put `index` in the place of the one in `index_dir`; readers see the old one or the new one. Raises OSError."""

    def fill(folder: Path) -> None:
        save_arrays(folder, {"ids": index.ids, "by_user": index.by_user})
        index.postings.save(folder)
        index.vectors.save(folder, "vectors")
        index.embeddings.save(folder, "embeddings")

    write_folder(index_dir, fill, Facts(index.generation, len(index), index.postings.max_order, index.model_version))


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
    return index if index.postings.max_order >= INDEXED_ORDER else None


def _load(folder: Path, facts: Facts) -> Index:
    ids, by_user = load_array(folder, "ids"), load_array(folder, "by_user")
    postings = BleuPostings.load(folder, facts.max_order)
    vectors, embeddings = (VectorIndex.load(folder, name) for name in ("vectors", "embeddings"))
    if not len(ids) == len(by_user) == len(postings) == len(vectors) == len(embeddings) == facts.pictures:
        raise IndexDamaged("the parts of the search index differ in length")
    return Index(ids, by_user, postings, vectors, embeddings, facts.model_version, facts.generation)


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


def _by_row(ids: np.ndarray, vector_ids: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return the vectors in the order of `ids`, with zeros for the pictures that have none."""
    if np.array_equal(ids, vector_ids):
        return matrix
    aligned = np.zeros((len(ids), matrix.shape[1]), matrix.dtype)
    aligned[np.searchsorted(ids, vector_ids)] = matrix
    return aligned
