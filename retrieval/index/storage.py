"""Index storage: segments are written to disk once, and each state of the index is a list of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from data.paths import display
from retrieval.arrays import IndexDamaged, load_array, save_arrays
from retrieval.index.files import (
    Facts,
    OtherFormat,
    Sealed,
    only_writer,
    open_folder,
    read_current,
    seal_folder,
    set_current,
)
from retrieval.index.index import Index, Part
from retrieval.index.segment import Segment

ATTEMPTS = 10
NO_GENERATION = -1  # The generation of no store.
LARGE = 10_000
"""From this many pictures on a segment is flushed to disk; building a smaller one again is faster."""

logger = logging.getLogger(__name__)


class IndexStorage:
    """Keeps segments and states in `index_dir`, or only in memory if that is None or cannot be written.

    Segments have vectors unless these are elsewhere, `with_vectors` says which.
    """

    def __init__(self, index_dir: Path | None, with_vectors: bool = True) -> None:
        self._index_dir, self.with_vectors = index_dir, with_vectors

    @property
    def keeps(self) -> bool:
        """Whether anything is written."""
        return self._index_dir is not None

    def part(self, segment: Segment) -> Part:
        """Store a new segment; a large one is then read from disk, which frees its memory."""
        if self._index_dir is None:
            return Part(segment)
        large = len(segment) >= LARGE
        try:
            stored = seal_folder(self._index_dir, "segment", segment.save, durable=large)
            return Part(_load_segment(self._index_dir, stored) if large else segment, stored=stored)
        except OSError as error:
            self._keep_in_memory(error)
            return Part(segment)

    def publish(self, index: Index) -> None:
        """Replace the index on disk by `index`; readers see the old one or the new one."""
        segments = [part.stored for part in index.parts if part.stored is not None]
        if self._index_dir is None or len(segments) < len(index.parts):
            return
        try:
            state = seal_folder(self._index_dir, "state", lambda folder: _save_state(index, folder), durable=True)
            set_current(self._index_dir, state, segments)
        except OSError as error:
            self._keep_in_memory(error)

    def _keep_in_memory(self, error: OSError) -> None:
        if self._index_dir is not None:
            _warn_unwritable(self._index_dir, error)
        self._index_dir = None


@contextmanager
def writing(index_dir: Path | None, wait: bool, with_vectors: bool = True) -> Iterator[IndexStorage]:
    """Yield the storage in `index_dir` to its only writer, or one in memory if there is another and `wait` is false.

    None is for memory. If the folder cannot be written, log one warning and use memory.
    """
    if index_dir is None:
        yield IndexStorage(None, with_vectors)
        return
    with ExitStack() as stack:
        try:
            mine = stack.enter_context(only_writer(index_dir, wait))
        except OSError as error:
            _warn_unwritable(index_dir, error)
            mine = False
        yield IndexStorage(index_dir if mine else None, with_vectors)


def _warn_unwritable(index_dir: Path, error: OSError) -> None:
    reason = error.strerror or error
    logger.warning("the search index cannot be stored in %s (%s); searches still work", display(index_dir), reason)


def load_index(index_dir: Path, loaded: Index | None = None) -> Index | None:
    """Map the current index into memory, reusing segments of `loaded`; None if there is none of this format.

    Damaged segments are left out and named in `damage`; all of them if their list is damaged.
    """
    segments = {} if loaded is None else {part.stored: part.segment for part in loaded.parts}
    damage = "files of the search index are missing"
    for _ in range(ATTEMPTS):
        try:
            current = read_current(index_dir)
            return None if current is None else _load_state(index_dir, current, segments)
        except FileNotFoundError:
            continue  # A writer has replaced the state since; CURRENT names the new one.
        except OtherFormat:
            return None
        except IndexDamaged as error:
            damage = str(error)
            break
    return Index((), {}, NO_GENERATION, (damage,))


def _save_state(index: Index, folder: Path) -> Facts:
    """Write the absent rows of all parts end to end; return the rest."""
    absent = [np.flatnonzero(part.absent) if part.absent is not None else np.zeros(0, np.int64) for part in index.parts]
    save_arrays(folder, {"absent": np.concatenate(absent).astype(np.int32)})
    segments = [[part.stored, len(rows)] for part, rows in zip(index.parts, absent, strict=True)]
    return {"generation": index.generation, "models": dict(index.models), "segments": segments}


def _load_state(index_dir: Path, current: Sealed, loaded: dict[Sealed | None, Segment]) -> Index:
    folder, facts = open_folder(index_dir, current)
    absent = load_array(folder, "absent")
    parts, damage, start = [], [], 0
    for (name, checksum), count in facts["segments"]:
        stored = Sealed(name, checksum)
        try:
            segment = loaded[stored] if stored in loaded else _load_segment(index_dir, stored)
            parts.append(_with_absent(Part(segment, stored=stored), absent[start : start + count]))
        except OtherFormat:
            raise
        except FileNotFoundError:
            if read_current(index_dir) != current:
                raise
            damage.append("files of the search index are missing")
        except IndexDamaged as error:
            damage.append(str(error))
        start += count
    return Index(tuple(parts), facts["models"], facts["generation"], tuple(damage))


def _with_absent(part: Part, rows: np.ndarray) -> Part:
    if not len(rows):
        return part
    absent = np.zeros(len(part.segment), bool)
    absent[rows] = True
    return replace(part, absent=absent)


def _load_segment(index_dir: Path, stored: Sealed) -> Segment:
    return Segment.load(*open_folder(index_dir, stored))
