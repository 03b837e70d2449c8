"""Walk folders and find which picture files are new, changed, unchanged or gone."""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from operator import attrgetter
from pathlib import Path

from data.errors import RetroflexError
from data.paths import absolute, display, from_bytes, to_bytes
from data.pictures import SUFFIXES
from data.records import StoredFile


@dataclass(frozen=True)
class FoundFile:
    """A picture file on disk: absolute path, size in bytes, time of change in nanoseconds."""

    path: Path
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Skip:
    """A file or folder that could not be read, with the reason."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Scan:
    """What a walk found, in the order of the walk.

    `changed` are new or changed files; `gone` are stored files under the roots that no longer exist.
    A stored file that is excluded is not gone, nor is one below a folder that cannot be read.
    """

    changed: list[FoundFile]
    unchanged: int
    gone: list[bytes]
    skipped: list[Skip]


def scan(roots: Sequence[Path], stored: Mapping[bytes, StoredFile], exclude: Sequence[str] = ()) -> Scan:
    """Compare the picture files under `roots` (folders or single files) with those already `stored`.

    A file counts as changed when its size or time of change differs. An `exclude` pattern (as in a shell)
    excludes every file or folder whose name, or path relative to its root, matches. Hidden files and folders
    are excluded. Linked folders are walked once, after the real ones, so a loop of links ends.
    Raises RetroflexError when a root is missing.
    """
    walk = _Walk(tuple(pattern.rstrip("/") for pattern in exclude))
    tops = [_checked_root(root) for root in roots]
    found = {to_bytes(file.path): file for top in tops for file in walk.files(top)}
    changed = [file for path, file in found.items() if not _is_same(file, stored.get(path))]
    searched = set(tops)
    unread = {skip.path for skip in walk.skipped}
    gone = [path for path in stored if path not in found and _is_gone(path, searched, unread)]
    return Scan(changed, len(found) - len(changed), gone, walk.skipped)


def _checked_root(root: Path) -> Path:
    top = absolute(root)
    if not os.path.exists(top):
        raise RetroflexError(f"no such file or folder: {display(top)}; check the name and its permissions")
    if not (os.path.isdir(top) or os.path.isfile(top)):
        raise RetroflexError(f"neither a file nor a folder: {display(top)}; give a folder of pictures")
    return top


def _is_same(file: FoundFile, stored: StoredFile | None) -> bool:
    return stored is not None and (file.size, file.mtime_ns) == (stored.size, stored.mtime_ns)


def _is_gone(path: bytes, roots: set[Path], unread: set[Path]) -> bool:
    """Return whether a stored file below a root is missing; what could not be read may still exist."""
    lineage = {from_bytes(path), *from_bytes(path).parents}
    return bool(lineage & roots) and not lineage & unread and not os.path.exists(path)


class _Walk:
    """One walk over several roots, which enters each folder once, under the name that it meets first."""

    def __init__(self, exclude: tuple[str, ...]) -> None:
        self.skipped: list[Skip] = []
        self._exclude = exclude
        self._visited: set[tuple[int, int]] = set()

    def files(self, top: Path) -> Iterator[FoundFile]:
        """Yield the picture files at or below `top`; linked folders come last, so real paths win."""
        if top.is_file():
            yield from self._found_file(top)
            return
        folders, linked = [top], deque[Path]()
        while folders or linked:
            entries = self._enter(folders.pop() if folders else linked.popleft())
            entries = [entry for entry in entries if not self._is_excluded(entry, top)]
            inner = [entry for entry in entries if self._is_folder(entry)]
            folders.extend(Path(entry) for entry in reversed(inner) if not entry.is_symlink())
            linked.extend(Path(entry) for entry in inner if entry.is_symlink())
            for entry in entries:
                if os.path.splitext(entry.name)[1].lower() in SUFFIXES and not self._is_folder(entry):
                    yield from self._found_file(Path(entry))

    def _enter(self, folder: Path) -> list[os.DirEntry[str]]:
        """Return the sorted entries of `folder`, none if it was entered before or cannot be read."""
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in self._visited:
                return []
            self._visited.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                return sorted(entries, key=attrgetter("name"))
        except OSError as error:
            self._skip(folder, error)
            return []

    def _is_excluded(self, entry: os.DirEntry[str], top: Path) -> bool:
        if entry.name.startswith("."):
            return True
        names = (entry.name, os.path.relpath(entry.path, top)) if self._exclude else ()
        return any(fnmatchcase(name, pattern) for pattern in self._exclude for name in names)

    @staticmethod
    def _is_folder(entry: os.DirEntry[str]) -> bool:
        try:
            return entry.is_dir()
        except OSError:  # a link to itself; `_found_file` reports the reason
            return False

    def _found_file(self, path: Path) -> Iterator[FoundFile]:
        try:
            status = path.stat()
        except OSError as error:
            self._skip(path, error)
            return
        if stat.S_ISREG(status.st_mode):
            yield FoundFile(path, status.st_size, status.st_mtime_ns)
        else:
            self.skipped.append(Skip(path, "is not a regular file"))

    def _skip(self, path: Path, error: OSError) -> None:
        self.skipped.append(Skip(path, f"cannot be read: {error.strerror or error}"))
