"""Near copies among the pictures of a library, worked out beside the searches and kept from run to run."""

from __future__ import annotations

import logging
import os
import tempfile
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock, Thread
from typing import NamedTuple

import numpy as np

from captioner.types import SearchModel
from data.paths import display
from retrieval.index.index import Index

BLOCK = 1024
CHUNK = 8192
"""Cosines are worked out in pieces of BLOCK x CHUNK: 32 MiB."""
PER_ROW = 16
"""Pairs that a row keeps within one piece; hundreds of pictures of one colour still hang together by so few."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Known:
    """The near pairs among the pictures `ids` (n,), by id, that `model_version` gave vectors."""

    model_version: str = ""
    ids: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    first: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    second: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    def among(self, ids: np.ndarray) -> Known:
        """The same without the pictures that are not in `ids`."""
        kept = np.isin(self.first, ids) & np.isin(self.second, ids)
        return Known(self.model_version, self.ids[np.isin(self.ids, ids)], self.first[kept], self.second[kept])

    def groups(self) -> list[list[int]]:
        """The pictures that hang together, groups of two and more by lowest id."""
        rows = (np.searchsorted(self.ids, one) for one in (self.first, self.second))
        members = defaultdict(list)
        for label, picture_id in zip(connected(len(self.ids), *rows).tolist(), self.ids.tolist(), strict=True):
            members[label].append(picture_id)
        return [group for group in members.values() if len(group) > 1]


@dataclass(frozen=True)
class Found:
    """Groups of near copies; while `working`, those of an earlier state, `done` of `total` pictures looked at."""

    groups: list[list[int]]
    working: bool
    done: int
    total: int


class Copies:
    """The near copies of one library; may be used by several threads at once.

    Only what is new since the last time is compared, with everything; a change of captions costs nothing.
    """

    def __init__(self, index: Callable[[], Index], model: Callable[[], SearchModel], file: Path) -> None:
        """`index` and `model` give the library's present ones; what was worked out is kept in `file`."""
        self._index, self._model = index, model
        self._file = file
        self._lock = Lock()
        self._known: Known | None = None
        self._groups: list[list[int]] = []
        self._generation = 0
        self._worker: Thread | None = None
        self._progress = (0, 0)

    def find(self, patience: float) -> Found:
        """Return the groups of the present state where they are ready within `patience` seconds. Raises StoreError."""
        index = self._index()
        with self._lock:
            if self._generation != index.generation and self._worker is None:
                self._progress = (0, len(index))
                self._worker = Thread(target=self._work, args=(index,), name="near-copies", daemon=True)
                self._worker.start()
            worker = self._worker
        if worker is not None:
            worker.join(patience)
        with self._lock:
            return Found(self._groups, self._generation != index.generation, *self._progress)

    def _work(self, index: Index) -> None:
        try:
            known = self._known or _load(self._file)
            present = self._brought_up_to_date(known, index)
            groups = present.groups()
            if present is not known:
                _keep(present, self._file)
            with self._lock:
                self._known, self._groups, self._generation = present, groups, index.generation
        finally:
            with self._lock:
                self._worker = None

    def _brought_up_to_date(self, known: Known, index: Index) -> Known:
        model = self._model()
        version = index.models.get(model.encoder, "")
        ids, vectors = index.vectors.everything(model.encoder)
        if known.model_version != version:
            known = Known(version)
        if np.array_equal(known.ids, ids):
            return known
        known = known.among(ids)
        new = ~np.isin(ids, known.ids)
        order = np.concatenate([np.flatnonzero(~new), np.flatnonzero(new)])
        near = model.calibration.near_copy
        pairs = near_pairs(vectors[order], near, int(np.count_nonzero(~new)), self._show)
        return _joined(known, ids, order, pairs)

    def _show(self, done: int, total: int) -> None:
        self._progress = (done, total)


def near_copies(index: Index, model: SearchModel, picture_id: int, most: int) -> list[tuple[int, float]]:
    """Return ids and cosines of up to `most` near copies of one picture, closest first."""
    if not index.holds(picture_id):
        return []
    (vector,) = index.vectors.get(model.encoder, np.array([picture_id], np.int64))
    found = index.vectors.search(model.encoder, vector, most + 1)
    pairs = zip(found.ids.tolist(), found.scores.tolist(), strict=True)
    near = [(other, cosine) for other, cosine in pairs if cosine >= model.calibration.near_copy]
    return [(other, cosine) for other, cosine in near if other != picture_id][:most]


def _joined(known: Known, ids: np.ndarray, order: np.ndarray, pairs: Pairs) -> Known:
    first, second = (ids[order[rows]] for rows in (pairs.first, pairs.second))
    return Known(known.model_version, ids, np.concatenate([known.first, first]), np.concatenate([known.second, second]))


def _load(file: Path) -> Known:
    try:
        with np.load(file, allow_pickle=False) as kept:
            return Known(str(kept["model_version"]), kept["ids"], kept["first"], kept["second"])
    except FileNotFoundError:
        return Known()
    except Exception as error:  # a damaged archive raises whatever its reader stumbles over
        _log.warning("the near copies in %s cannot be read (%s); they are worked out again", display(file), error)
        return Known()


def _keep(known: Known, file: Path) -> None:
    """Write beside and rename; where that cannot be, the next start works it out again."""
    try:
        handle, beside = tempfile.mkstemp(dir=file.parent, suffix=".tmp")
    except OSError as error:
        _log.warning("the near copies cannot be kept in %s: %s", display(file), error)
        return
    try:
        with os.fdopen(handle, "wb") as target:
            np.savez(target, **vars(known))
        os.replace(beside, file)
    except OSError as error:
        _log.warning("the near copies cannot be kept in %s: %s", display(file), error)
        with suppress(OSError):
            os.unlink(beside)


class Pairs(NamedTuple):
    """Rows `first` < `second`, int64 (m,), and their cosine, float32 (m,)."""

    first: np.ndarray
    second: np.ndarray
    cosine: np.ndarray


def near_pairs(
    vectors: np.ndarray,
    threshold: float,
    new_from: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Pairs:
    """Return the pairs of `vectors` (n, d) whose cosine is at least `threshold` and whose second row is new.

    Rows from `new_from` on are new; a row of zeros is close to nothing. Of a row's pairs within a piece the first
    PER_ROW are kept. `progress` gets (rows done, rows in all). O(n d) memory, O(n (n - new_from) d) time.
    """
    found = [Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))]
    for start in range(new_from, len(vectors), BLOCK):
        block = _unit(vectors[start : start + BLOCK])
        stop = start + len(block)
        for place in range(0, stop, CHUNK):
            cosines = block @ _unit(vectors[place : min(place + CHUNK, stop)]).T
            found.append(_close(cosines, threshold, start, place))
        progress(stop - new_from, len(vectors) - new_from)
    return Pairs(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def connected(count: int, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return for each of `count` rows the lowest row that it hangs together with by the pairs, int64 (count,)."""
    labels = np.arange(count)
    while True:
        lowest = np.minimum(labels[first], labels[second])
        before = labels.copy()
        for rows in (first, second):
            np.minimum.at(labels, labels[rows], lowest)
            np.minimum.at(labels, rows, lowest)
        labels = labels[labels]
        if np.array_equal(labels, before):
            return labels


def _unit(vectors: np.ndarray) -> np.ndarray:
    wide = vectors.astype(np.float32)
    norms = np.linalg.norm(wide, axis=1, keepdims=True)
    return np.divide(wide, norms, out=np.zeros_like(wide), where=norms > 0)


def _close(cosines: np.ndarray, threshold: float, start: int, place: int) -> Pairs:
    """The pairs of one piece, whose rows begin at `start` and whose columns at `place`."""
    near = cosines >= threshold
    if place + cosines.shape[1] > start:
        near &= np.arange(place, place + cosines.shape[1]) < np.arange(start, start + len(cosines))[:, None]
    if np.count_nonzero(near, axis=1).max() > PER_ROW:
        near &= np.cumsum(near, axis=1, dtype=np.int32) <= PER_ROW
    rows, columns = np.nonzero(near)
    return Pairs(columns + place, rows + start, cosines[rows, columns])
