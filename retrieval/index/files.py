"""Index folders on disk: sealed by a manifest with checksums, and made current by replacing a small file.

    index/CURRENT             the name of the current state and the checksum of its manifest
    index/state-<random>/     manifest.json, which lists the segments, and their absent rows
    index/segment-<random>/   manifest.json and .npy arrays, never changed

A folder that CURRENT does not lead to was left by a killed writer; the next writer removes it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from data.disk import flush, replace_text
from retrieval.arrays import IndexDamaged

FORMAT = 7
CURRENT = "CURRENT"
LOCK = "LOCK"
MANIFEST = "manifest.json"
SAMPLES = 16
SAMPLE_BYTES = 64 * 2**10

Facts = dict[str, Any]


class Sealed(NamedTuple):
    """A complete folder: its name, and the checksum of its manifest."""

    name: str
    checksum: str


class OtherFormat(IndexDamaged):
    """The index was written by another version of the program."""


@contextmanager
def only_writer(index_dir: Path, wait: bool) -> Iterator[bool]:
    """Yield True if this is the only writer while the context lasts, False if there is another.

    With `wait`, wait for the other one. Readers never wait. Raises OSError.
    """
    index_dir.mkdir(parents=True, exist_ok=True)
    with (index_dir / LOCK).open("w") as lock:
        yield _locked(lock.fileno(), wait)


def _locked(handle: int, wait: bool) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


def seal_folder(index_dir: Path, kind: str, fill: Callable[[Path], Facts], durable: bool) -> Sealed:
    """Let `fill` write a new folder and return its facts; seal it.

    Unless `durable`, a power failure may damage it, which is noticed on opening. Raises OSError, and then removes the
    folder.
    """
    folder = index_dir / f"{kind}-{uuid.uuid4().hex[:12]}"
    try:
        folder.mkdir()
        return Sealed(folder.name, _write_manifest(folder, fill(folder), durable))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def open_folder(index_dir: Path, sealed: Sealed) -> tuple[Path, Facts]:
    """Check a folder; return its path and facts.

    Files are checked by size, and by a checksum of the whole file up to 1 MiB, or of samples beyond, so a large
    index opens fast. Raises IndexDamaged, OtherFormat or FileNotFoundError.
    """
    folder = index_dir / sealed.name
    try:
        content = (folder / MANIFEST).read_bytes()
        if _digest(content) != sealed.checksum:
            raise IndexDamaged("the search index's manifest was altered")
        manifest: dict[str, Any] = json.loads(content)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise IndexDamaged(f"the search index's manifest cannot be read: {error}") from error
    if manifest["format"] != FORMAT:
        raise OtherFormat(f"the search index has format {manifest['format']}, this program reads {FORMAT}")
    for name, expected in manifest["files"].items():
        if _describe(folder / name) != expected:
            raise IndexDamaged(f"the search index file {name} is damaged")
    return folder, manifest["facts"]


def read_current(index_dir: Path) -> Sealed | None:
    """Return the current state's folder, None if there is none. Raises IndexDamaged."""
    try:
        name, checksum = (index_dir / CURRENT).read_text().split()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise IndexDamaged(f"the search index file {CURRENT} cannot be read: {error}") from error
    return Sealed(name, checksum)


def set_current(index_dir: Path, state: Sealed, segments: Collection[Sealed]) -> None:
    """Make `state` the current one in one step, and remove all folders but it and its `segments`. Raises OSError."""
    replace_text(index_dir / CURRENT, f"{state.name} {state.checksum}\n")
    keep = {state.name, *(segment.name for segment in segments)}
    for path in index_dir.iterdir():
        if path.is_dir() and path.name not in keep:
            shutil.rmtree(path, ignore_errors=True)


def _write_manifest(folder: Path, facts: Facts, durable: bool) -> str:
    files = {path.name: _describe(path) for path in sorted(folder.iterdir())}
    content = json.dumps({"format": FORMAT, "facts": facts, "files": files}, indent=1)
    (folder / MANIFEST).write_text(content)
    if durable:
        for path in (*folder.iterdir(), folder):
            flush(path)
    return _digest(content.encode())


def _describe(path: Path) -> dict[str, int | str]:
    """Return a file's size in bytes and the checksum of evenly spread samples, or of a small file as a whole."""
    size = path.stat().st_size
    state = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        for sample in range(SAMPLES):
            if size > SAMPLES * SAMPLE_BYTES:
                file.seek((size - SAMPLE_BYTES) * sample // (SAMPLES - 1))
            state.update(file.read(SAMPLE_BYTES))
    return {"bytes": size, "checksum": state.hexdigest()}


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
