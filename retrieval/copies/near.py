"""Near copies among the pictures of a library, computed in the background and stored in a file."""

from __future__ import annotations

import logging
import os
import tempfile
import zlib
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock, Thread
from typing import NamedTuple

import numpy as np

from captioner.arithmetic import unit
from captioner.types import SearchModel
from data.paths import display
from retrieval.index.index import Index
from retrieval.vectors.base import VectorsUnreachable

BLOCK = 1024
CHUNK = 8192
"""Cosines are computed in pieces of BLOCK x CHUNK: 32 MiB."""
PER_ROW = 16
"""Pairs that a row keeps within one piece; so few still connect hundreds of pictures of one colour."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PairTable:
    """The near pairs, as ids `first` and `second`, among the pictures `ids` (n,) with vectors by `model_version`.

    `checksums` (n,) uint32 are those of the vectors, since a picture whose file is edited keeps its id.
    """

    model_version: str = ""
    ids: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    first: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    second: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    checksums: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint32))

    def among(self, ids: np.ndarray) -> PairTable:
        """Return the pairs among the pictures that are in `ids`."""
        kept = np.isin(self.first, ids) & np.isin(self.second, ids)
        rows = np.isin(self.ids, ids)
        return PairTable(self.model_version, self.ids[rows], self.first[kept], self.second[kept], self.checksums[rows])

    def unchanged(self, ids: np.ndarray, checksums: np.ndarray) -> np.ndarray:
        """Return which of the `ids` (m,), rising, are in the table with these `checksums` (m,), as ids."""
        if not len(ids):
            return ids
        rows = np.minimum(np.searchsorted(ids, self.ids), len(ids) - 1)
        same = (ids[rows] == self.ids) & (checksums[rows] == self.checksums)
        return self.ids[same]

    def groups(self) -> list[list[int]]:
        """Return groups of two and more pictures that pairs connect, by lowest id."""
        rows = (np.searchsorted(self.ids, ends) for ends in (self.first, self.second))
        members = defaultdict(list)
        for label, picture_id in zip(connected(len(self.ids), *rows).tolist(), self.ids.tolist(), strict=True):
            members[label].append(picture_id)
        return [group for group in members.values() if len(group) > 1]


@dataclass(frozen=True)
class CopyGroups:
    """Groups of near copies; while `working`, of an earlier state, with `done` of `total` pictures compared."""

    groups: list[list[int]]
    working: bool
    done: int
    total: int


class Copies:
    """The near copies of one library; may be used by several threads at once.

    Only new pictures are compared, each with all others; a change of captions costs nothing.
    """

    def __init__(self, index: Callable[[], Index], model: Callable[[], SearchModel], file: Path) -> None:
        """`index` and `model` return the library's current ones; the pairs are stored in `file`."""
        self._index, self._model = index, model
        self._file = file
        self._lock = Lock()
        self._pairs: PairTable | None = None
        self._groups: list[list[int]] = []
        self._generation = 0
        self._worker: Thread | None = None
        self._progress = (0, 0)

    def find(self, seconds: float) -> CopyGroups:
        """Return the groups, of the current state if they are ready within `seconds`. Raises StoreError."""
        index = self._index()
        with self._lock:
            if self._generation != index.generation and self._worker is None:
                self._progress = (0, len(index))
                self._worker = Thread(target=self._work, args=(index,), name="near-copies", daemon=True)
                self._worker.start()
            worker = self._worker
        if worker is not None:
            worker.join(seconds)
        with self._lock:
            return CopyGroups(self._groups, self._generation != index.generation, *self._progress)

    def _work(self, index: Index) -> None:
        try:
            if index.degraded:
                return  # what was found before stays
            stored = self._pairs or _load(self._file)
            current = self._updated(stored, index)
            groups = current.groups()
            if current is not stored:
                _save(current, self._file)
            with self._lock:
                self._pairs, self._groups, self._generation = current, groups, index.generation
        except VectorsUnreachable as error:
            _log.warning("near copies are not looked for: %s", error)
        finally:
            with self._lock:
                self._worker = None

    def _updated(self, table: PairTable, index: Index) -> PairTable:
        model = self._model()
        version = index.models.get(model.encoder, "")
        ids, vectors = index.vectors.everything(model.encoder)
        if index.frames:  # frames of one film are alike, which says nothing
            whole = ~index.frames.are_frames(ids)
            ids, vectors = ids[whole], vectors[whole]
        if table.model_version != version:
            table = PairTable(version)
        checksums = np.array([zlib.crc32(vector) for vector in np.ascontiguousarray(vectors)], np.uint32)
        if np.array_equal(table.ids, ids) and np.array_equal(table.checksums, checksums):
            return table
        table = table.among(table.unchanged(ids, checksums))
        new = ~np.isin(ids, table.ids)
        order = np.concatenate([np.flatnonzero(~new), np.flatnonzero(new)])
        threshold = model.calibration.near_copy
        pairs = near_pairs(vectors[order], threshold, int(np.count_nonzero(~new)), self._report_progress)
        return replace(_joined(table, ids, order, pairs), checksums=checksums)

    def _report_progress(self, done: int, total: int) -> None:
        self._progress = (done, total)


def near_copies(index: Index, model: SearchModel, picture_id: int, most: int) -> list[tuple[int, float]]:
    """Return ids and cosines of up to `most` near copies of one picture, closest first.

    While vectors cannot be reached, none are known.
    """
    if not index.holds(picture_id):
        return []
    try:
        return _near_copies(index, model, picture_id, most)
    except VectorsUnreachable:
        return []


def _near_copies(index: Index, model: SearchModel, picture_id: int, most: int) -> list[tuple[int, float]]:
    (vector,) = index.vectors.get(model.encoder, np.array([picture_id], np.int64))
    whole = index.ids[~index.frames.are_frames(index.ids)] if index.frames else None
    nearest = index.vectors.search(model.encoder, vector, most + 1, whole)
    pairs = zip(nearest.ids.tolist(), nearest.scores.tolist(), strict=True)
    copies = [(other, cosine) for other, cosine in pairs if cosine >= model.calibration.near_copy]
    return [(other, cosine) for other, cosine in copies if other != picture_id][:most]


def _joined(table: PairTable, ids: np.ndarray, order: np.ndarray, pairs: Pairs) -> PairTable:
    first, second = (ids[order[rows]] for rows in (pairs.first, pairs.second))
    return PairTable(
        table.model_version, ids, np.concatenate([table.first, first]), np.concatenate([table.second, second])
    )


def _load(file: Path) -> PairTable:
    try:
        with np.load(file, allow_pickle=False) as archive:
            arrays = (archive[name] for name in ("ids", "first", "second", "checksums"))
            return PairTable(str(archive["model_version"]), *arrays)
    except FileNotFoundError:
        return PairTable()
    except Exception as error:  # a damaged archive may raise anything
        _log.warning("the near copies in %s cannot be read (%s); they are computed again", display(file), error)
        return PairTable()


def _save(table: PairTable, file: Path) -> None:
    """Write the pairs beside the file and rename; on failure, the next start computes them again."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=file.parent, suffix=".tmp")
    except OSError as error:
        _log.warning("the near copies cannot be stored in %s: %s", display(file), error)
        return
    try:
        with os.fdopen(handle, "wb") as target:
            np.savez(target, **vars(table))
        os.replace(beside, file)
    except OSError as error:
        _log.warning("the near copies cannot be stored in %s: %s", display(file), error)
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
    parts = [Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))]
    for start in range(new_from, len(vectors), BLOCK):
        block = unit(vectors[start : start + BLOCK].astype(np.float32))
        stop = start + len(block)
        for column in range(0, stop, CHUNK):
            others = unit(vectors[column : min(column + CHUNK, stop)].astype(np.float32))
            cosines = block @ others.T
            parts.append(_close(cosines, threshold, start, column))
        progress(stop - new_from, len(vectors) - new_from)
    return Pairs(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def connected(count: int, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return for each of `count` rows the lowest row that the pairs connect it with, int64 (count,)."""
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


def _close(cosines: np.ndarray, threshold: float, first_row: int, first_column: int) -> Pairs:
    """Return the pairs of one piece, whose rows begin at `first_row` and whose columns at `first_column`."""
    near = cosines >= threshold
    if first_column + cosines.shape[1] > first_row:
        near &= (
            np.arange(first_column, first_column + cosines.shape[1])
            < np.arange(first_row, first_row + len(cosines))[:, None]
        )
    if np.count_nonzero(near, axis=1).max() > PER_ROW:
        near &= np.cumsum(near, axis=1, dtype=np.int32) <= PER_ROW
    rows, columns = np.nonzero(near)
    return Pairs(columns + first_column, rows + first_row, cosines[rows, columns])
