"""The vectors of a library in Milvus: they follow the store by its number of changes, as the index of captions does.

The store stays the truth. One process at a time copies what changed since the state that Milvus notes; where it ends
on the way, the next one goes on. What Milvus lost is copied again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from threading import Lock, Thread

import numpy as np

from data.errors import RetroflexError
from data.settings import IN_MILVUS, Settings
from data.sharing.state import only_copier, vectors_name
from data.store import Store, StoreDamaged
from retrieval.index.candidates import (
    BY_INDEX,
    NGRAMS,
    NGRAMS_VERSION,
    MilvusCandidates,
    ngram_vectors,
    what_is_missing,
)
from retrieval.index.files import only_writer
from retrieval.index.index import Index
from retrieval.vectors.base import UNREACHABLE, RankedItems, Vectors, VectorsUnreachable
from retrieval.vectors.milvus import WHOLE, Follows, MilvusVectorStore
from retrieval.vectors.milvus_client import MilvusConnection, read_address

COPYING = "by captions only, vectors are being copied"
BEHIND = "without the vectors of the newest pictures, which are being copied"
AT_ONCE = 1024
"""Items whose vectors are copied between two notes of how far Milvus follows."""
INLINE = 2000
"""Up to this many items a search of a server waits for; more are copied beside it."""
RETRY_SECONDS = 5.0
WAIT_SECONDS = 2.0
"""How long a search waits for another process that copies."""

Progress = Callable[[int, int], None]
Kinds = Mapping[str, str]
"""Kinds of vectors, each with the model version that made them."""

logger = logging.getLogger(__name__)


class RemoteVectors:
    """The vectors of one library in Milvus; several threads may use it at once."""

    def __init__(self, settings: Settings, store: Store, beside: bool) -> None:
        """Use what `settings.vectors` names; with `beside`, many vectors are copied in a thread of their own.

        Raises RetroflexError for an address that cannot be read.
        """
        self._connection = MilvusConnection(read_address(settings.vectors or ""))
        self._store, self._folder, self._beside = store, settings.library / "vectors", beside
        self._vectors: MilvusVectorStore | None = None
        self._with_ngrams, self._told_of_ngrams = settings.bleu_candidates == IN_MILVUS, False
        self._copying = Lock()
        self._failures, self._again_at = 0, float("inf")

    def attached(self, index: Index) -> Index:
        """Return an index whose vectors are those in Milvus, after these followed the store.

        Where they cannot be reached, or not all are there yet, it says so as `degraded`. Raises StoreError.
        """
        self._failures, self._again_at = self._connection.failures, float("inf")
        try:
            vectors = self._opened()
            vectors.refresh()
            kinds = self._kinds(index)
            current = self._follow(vectors, index, kinds)
            return self._state(vectors, index, kinds, current)
        except VectorsUnreachable as error:
            logger.warning("%s; searches go by captions only", error)
            self._again_at = time.monotonic() + RETRY_SECONDS
            return replace(index, models={}, degraded=UNREACHABLE)

    def needs_a_look(self) -> bool:
        """Return whether `attached` may now do better than it did, or a call has failed since."""
        failed = self._failures != self._connection.failures
        return time.monotonic() > self._again_at or (failed and self._connection.may_answer)

    def copy(self, index: Index, progress: Progress) -> None:
        """Copy all that is missing. Raises VectorsUnreachable or StoreError."""
        vectors = self._opened()
        vectors.refresh()
        self._copy(vectors, index, self._kinds(index), progress)

    def stored(
        self, models: Mapping[str, str], ids: np.ndarray, known: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Return by kind the `known` vectors of items `ids` (n,), and others float32 (n, d) as the store has them.

        `models` are the kinds and their versions; a kind of which none of the items has a vector is left out. Raises
        StoreDamaged or StoreError.
        """
        vectors = dict(known)
        for kind, version in models.items():
            own = {} if kind in known else _vectors_of(self._store, kind, version, ids)
            if own:
                none = np.zeros(len(next(iter(own.values()))), np.float32)
                vectors[kind] = np.array([own.get(item, none) for item in ids.tolist()], np.float32)
        return vectors

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _opened(self) -> MilvusVectorStore:
        if self._vectors is None:
            self._vectors = MilvusVectorStore(self._connection, vectors_name(self._store))
        return self._vectors

    def _kinds(self, index: Index) -> Kinds:
        """Return the kinds of vectors that Milvus should have, by their model version; n-grams come last."""
        if not self._with_ngrams:
            return index.models
        without = what_is_missing(self._connection)
        if without and not self._told_of_ngrams:
            self._told_of_ngrams = True
            logger.warning("BLEU %s: %s", BY_INDEX, without)
        return index.models if without else {**index.models, NGRAMS: NGRAMS_VERSION}

    def _state(self, vectors: MilvusVectorStore, index: Index, kinds: Kinds, current: bool) -> Index:
        whole = {
            kind: version
            for kind, version in index.models.items()
            if vectors.models.get(kind) == version and vectors.follows(kind).through == WHOLE
        }
        partly = {version for kind, version in index.models.items() if kind not in whole}
        served = {kind: version for kind, version in whole.items() if version not in partly}
        found = NGRAMS in kinds and (current or not _missing(vectors, self._store, index, {NGRAMS: NGRAMS_VERSION}))
        candidates = MilvusCandidates(vectors) if found else None
        followed = current or not _missing(vectors, self._store, index, index.models)
        degraded = "" if followed else COPYING if index.models and not served else BEHIND
        if not current:
            self._again_at = time.monotonic() + RETRY_SECONDS
        held = _Held(vectors, served, index.ids)
        return replace(index, models=served, remote=held, candidates=candidates, degraded=degraded)

    def _follow(self, vectors: MilvusVectorStore, index: Index, kinds: Kinds) -> bool:
        """Return whether all vectors are those of the index, after copying what was missing, if that is little."""
        work = _work(vectors, self._store, index, kinds)
        if not work:
            return True
        if self._beside and work > INLINE:
            Thread(target=self._copy_quietly, args=(vectors, index, kinds), name="copying vectors", daemon=True).start()
            return False
        if work > INLINE:
            logger.warning("copying vectors of %d pictures to %s", work, self._connection.name)
        until = time.monotonic() + WAIT_SECONDS
        while not self._copy(vectors, index, kinds, lambda done, total: None):
            if time.monotonic() > until:
                return False
            time.sleep(WAIT_SECONDS / 8)
            vectors.refresh()
        return True

    def _copy_quietly(self, vectors: MilvusVectorStore, index: Index, kinds: Kinds) -> None:
        try:
            self._copy(vectors, index, kinds, lambda done, total: None)
            self._again_at = 0.0
        except RetroflexError as error:
            logger.warning("copying vectors to %s has stopped: %s", self._connection.name, error)

    def _copy(self, vectors: MilvusVectorStore, index: Index, kinds: Kinds, progress: Progress) -> bool:
        """Copy what is missing unless another thread or process does; return whether nothing is missing."""
        if not self._copying.acquire(blocking=False):
            return False
        try:
            with self._alone() as alone:
                if alone:
                    _Copier(self._store, vectors, index, kinds).all(progress)
                return alone or not _work(vectors, self._store, index, kinds)
        finally:
            self._copying.release()

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        """Yield whether this is the only process that copies now."""
        if self._store.shared:
            with only_copier(self._store) as alone:
                yield alone
            return
        try:
            with only_writer(self._folder, wait=False) as alone:
                yield alone
        except OSError:  # a folder that may only be read
            yield False


def _work(vectors: MilvusVectorStore, store: Store, index: Index, kinds: Kinds) -> int:
    """Return for about how many items vectors have to be copied, or dropped with their kind, to have these kinds."""
    return len(vectors.models.keys() - kinds.keys()) + _missing(vectors, store, index, kinds)


def _missing(vectors: MilvusVectorStore, store: Store, index: Index, kinds: Kinds) -> int:
    work = 0
    for kind, version in kinds.items():
        follows = vectors.follows(kind) if vectors.models.get(kind) == version else Follows()
        if follows == Follows(index.generation, WHOLE):
            continue
        changes = store.changes(follows.generation) if follows.through else None
        if changes is None:
            work += max(1, len(index))
        elif follows.through != WHOLE or follows.generation < index.generation:
            rest = 0 if follows.through == WHOLE else int(np.count_nonzero(index.ids > follows.through))
            work += max(1, len(changes.changed) + len(changes.gone) + rest)
    return work


class _Copier:
    """Brings Milvus to the state of the store; the only one that does so now."""

    def __init__(self, store: Store, vectors: MilvusVectorStore, index: Index, kinds: Kinds) -> None:
        self._store, self._vectors, self._index, self._kinds = store, vectors, index, kinds

    def all(self, progress: Progress) -> None:
        """Copy what is missing; `progress` gets the items that are done and all. Raises StoreError."""
        self._vectors.refresh()  # another process may have copied since
        kinds = self._kinds
        for kind in self._vectors.models.keys() - kinds.keys():
            self._vectors.drop(kind)
        for number, (kind, version) in enumerate(kinds.items()):
            done = number * len(self._index)

            def show(one: int, before: int = done) -> None:
                progress(before + one, len(kinds) * len(self._index))

            self._bring(kind, version, show)
            show(len(self._index))

    def _bring(self, kind: str, version: str, show: Callable[[int], None]) -> None:
        follows = self._vectors.follows(kind) if self._vectors.models.get(kind) == version else Follows()
        changes = self._store.changes(follows.generation) if follows.through else None
        if changes is None:
            if kind in self._vectors.models:
                self._vectors.drop(kind)
            follows = Follows(self._store.generation(), 0)
        else:
            self._put(kind, version, changes.changed[changes.changed <= follows.through])
            if len(changes.gone):
                self._vectors.delete(changes.gone)
            follows = Follows(changes.generation, follows.through)
        if follows.through != WHOLE:
            self._fill(kind, version, follows, show)
        self._check(kind, version, follows.generation)
        if kind in self._vectors.models:
            self._vectors.note(kind, Follows(follows.generation, WHOLE))

    def _fill(self, kind: str, version: str, follows: Follows, show: Callable[[int], None]) -> None:
        """Copy the items that come after those that are there."""
        _, ids = self._store.searched_items()
        for start in range(int(np.searchsorted(ids, follows.through, "right")), len(ids), AT_ONCE):
            piece = ids[start : start + AT_ONCE]
            self._put(kind, version, piece)
            if kind in self._vectors.models:
                self._vectors.note(kind, Follows(follows.generation, int(piece[-1])))
            show(start)

    def _put(self, kind: str, version: str, ids: np.ndarray) -> None:
        """Copy the vectors of items; of those that have none, delete what was there."""
        for start in range(0, len(ids), AT_ONCE):
            piece = ids[start : start + AT_ONCE]
            own = self._put_piece(kind, version, piece)
            without = piece[~np.isin(piece, np.array([*own], np.int64))]
            if kind in self._vectors.models and len(without):
                self._vectors.delete_of(kind, without)

    def _put_piece(self, kind: str, version: str, ids: np.ndarray) -> Iterable[int]:
        """Copy the vectors of some items; return the ids of those that have one."""
        if kind == NGRAMS:
            ngrams = ngram_vectors(self._store, ids)
            if ngrams:
                self._vectors.upsert_sparse(kind, version, [*ngrams], [*ngrams.values()])
            return ngrams
        own = _vectors_of(self._store, kind, version, ids)
        if own:
            self._vectors.upsert(kind, version, np.array(sorted(own)), np.array([own[one] for one in sorted(own)]))
        return own

    def _check(self, kind: str, version: str, generation: int) -> None:
        """Compare the number of vectors with that of the index, and mend what differs: Milvus may have lost some."""
        if kind not in self._vectors.models:
            return
        count = self._vectors.count(kind)
        expected = self._index.captioned if kind == NGRAMS else self._index.vectors_of(kind, version)
        if count != expected and generation == self._index.generation:
            _, wanted = self._store.searched_items()
            held = self._vectors.ids(kind)
            self._vectors.delete_of(kind, np.setdiff1d(held, wanted, assume_unique=True))
            self._put(kind, version, np.setdiff1d(wanted, held, assume_unique=True))


def _vectors_of(store: Store, kind: str, version: str, ids: np.ndarray) -> dict[int, np.ndarray]:
    """Return the sound vectors of items, float16 (d,), by id. Raises StoreDamaged or StoreError."""
    stored = store.features(ids.tolist(), kind, version)
    own = {item: np.frombuffer(value, "<f2") for item, value in stored.items()}
    own = {item: values for item, values in own.items() if np.isfinite(values).all()}
    if len({len(values) for values in own.values()}) > 1:
        raise StoreDamaged(f"the vectors of {kind} by one model differ in length; index again")
    return own


class _Held:
    """Vectors in a database, of those items only that an index holds: others are gone, or newer than the index."""

    def __init__(self, vectors: Vectors, models: Mapping[str, str], ids: np.ndarray) -> None:
        """`models` are the kinds that are complete, `ids` (n,) the items of the index, rising."""
        self._vectors, self._models, self._ids = vectors, models, ids

    @property
    def models(self) -> Mapping[str, str]:
        return self._models

    def search(self, kind: str, vector: np.ndarray, count: int, allowed: np.ndarray | None = None) -> RankedItems:
        if kind not in self._models:
            return RankedItems(np.zeros(0, np.int64), np.zeros(0, np.float32))
        found = self._vectors.search(kind, vector, count, allowed)
        held = _among(found.ids, self._ids)
        if not held.all():  # the next ones take the place of those that are gone
            more = count + 2 * int(np.count_nonzero(~held))
            found = self._vectors.search(kind, vector, more, allowed)
            held = _among(found.ids, self._ids)
        return RankedItems(found.ids[held][:count], found.scores[held][:count])

    def scores(self, kind: str, vector: np.ndarray, ids: np.ndarray) -> np.ndarray:
        return self._vectors.scores(kind, vector, ids) if kind in self._models else np.zeros(len(ids), np.float32)

    def get(self, kind: str, ids: np.ndarray) -> np.ndarray:
        return self._vectors.get(kind, ids) if kind in self._models else np.zeros((len(ids), 0), np.float32)

    def everything(self, kind: str) -> tuple[np.ndarray, np.ndarray]:
        if kind not in self._models:
            return np.zeros(0, np.int64), np.zeros((0, 0), np.float16)
        ids, vectors = self._vectors.everything(kind)
        held = _among(ids, self._ids)
        return ids[held], vectors[held]


def _among(ids: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return which of `ids` (m,) are in rising `known` (n,), bool (m,)."""
    rows = np.searchsorted(known, ids)
    return np.take(known, rows, mode="clip") == ids if len(known) else np.zeros(len(ids), bool)
