"""Index folders on disk: written beside the present one, then named in a small file in one step.

    index/CURRENT               the name of the present folder and the checksum of its manifest
    index/<generation>-<random>/  manifest.json and .npy arrays, never changed once CURRENT names them

A folder without CURRENT naming it is the rest of a build that was cut short; the next writer removes it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from retrieval.arrays import IndexDamaged

T = TypeVar("T")
FORMAT = 3
CURRENT = "CURRENT"
LOCK = "LOCK"
MANIFEST = "manifest.json"
TRIES = 10
SAMPLES = 16
SAMPLE_BYTES = 64 * 2**10


@dataclass(frozen=True)
class Facts:
    """What an index folder holds: the store's generation, the number of pictures, the longest n-gram.

    `model_version` made its vectors, None where there are none.
    """

    generation: int
    pictures: int
    max_order: int
    model_version: str | None


def write_folder(index_dir: Path, fill: Callable[[Path], None], facts: Facts) -> None:
    """Let `fill` write an index into a new folder of `index_dir`, make it the present one and remove the others.

    Writers take turns; readers are never held up. Raises OSError, and then the present index stays.
    """
    index_dir.mkdir(parents=True, exist_ok=True)
    with _only_writer(index_dir):
        folder = index_dir / f"{facts.generation}-{uuid.uuid4().hex[:12]}"
        try:
            folder.mkdir()
            fill(folder)
            checksum = _write_manifest(folder, facts)
            _replace(index_dir / CURRENT, f"{folder.name} {checksum}\n")
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        _remove_others(index_dir, folder)


def load_folder(index_dir: Path, load: Callable[[Path, Facts], T]) -> T | None:
    """Return what `load` makes of the present folder once it has been checked, None where there is none.

    Files are checked by size, and by a checksum of the whole file up to 1 MiB and of samples beyond, so that a
    large index opens at once. Raises IndexDamaged.
    """
    for _ in range(TRIES):
        try:
            name, checksum = (index_dir / CURRENT).read_text().split()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            raise IndexDamaged(f"the search index file {CURRENT} cannot be read: {error}") from error
        try:
            return load(index_dir / name, _check(index_dir / name, checksum))
        except FileNotFoundError:
            continue  # A writer has put a newer folder in its place since; CURRENT names it.
    raise IndexDamaged("files of the search index are missing")


@contextmanager
def _only_writer(index_dir: Path) -> Iterator[None]:
    with (index_dir / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write_manifest(folder: Path, facts: Facts) -> str:
    files = {path.name: _describe(path) for path in sorted(folder.iterdir())}
    content = json.dumps({"format": FORMAT, "facts": asdict(facts), "files": files}, indent=1)
    (folder / MANIFEST).write_text(content)
    for path in (*folder.iterdir(), folder):
        _flush(path)
    return _digest(content.encode())


def _check(folder: Path, checksum: str) -> Facts:
    try:
        content = (folder / MANIFEST).read_bytes()
        if _digest(content) != checksum:
            raise IndexDamaged("the search index's manifest was altered")
        manifest: dict[str, Any] = json.loads(content)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise IndexDamaged(f"the search index's manifest cannot be read: {error}") from error
    if manifest["format"] != FORMAT:
        raise IndexDamaged(f"the search index has format {manifest['format']}, this program knows {FORMAT}")
    for name, expected in manifest["files"].items():
        if _describe(folder / name) != expected:
            raise IndexDamaged(f"the search index file {name} is damaged")
    return Facts(**manifest["facts"])


def _describe(path: Path) -> dict[str, int | str]:
    """Return a file's size in bytes and the checksum of evenly spread samples, the whole of a small file."""
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


def _replace(path: Path, content: str) -> None:
    beside = path.with_name(f"{path.name}.new")
    beside.write_text(content)
    _flush(beside)
    os.replace(beside, path)
    _flush(path.parent)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove_others(index_dir: Path, keep: Path) -> None:
    for path in index_dir.iterdir():
        if path.is_dir() and path != keep:
            shutil.rmtree(path, ignore_errors=True)
