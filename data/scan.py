"""Walk folders and tell which picture files are new, changed, unchanged or gone."""

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
from data.records import KnownFile, content_hash

__all__ = ["FoundFile", "KnownFile", "Scan", "Skip", "content_hash", "scan"]


@dataclass(frozen=True)
class FoundFile:
    """A picture file on disk: absolute path, size in bytes, time of change in nanoseconds."""

    path: Path
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Skip:
    """A file or folder that could not be looked at, with the reason."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Scan:
    """What a walk found, in the order of the walk.

    `changed` are new or changed files; `gone` are known files under the roots that are no longer there.
    A known file that the exclude patterns leave out is not gone, nor is one below a folder that cannot be read.
    """

    changed: list[FoundFile]
    unchanged: int
    gone: list[bytes]
    skipped: list[Skip]


def scan(roots: Sequence[Path], known: Mapping[bytes, KnownFile], exclude: Sequence[str] = ()) -> Scan:
    """Compare the picture files under `roots` (folders or single files) with those already `known`.

    A file counts as changed when its size or time of change differs. An `exclude` pattern (as in a shell)
    leaves out every file or folder whose name, or path relative to its root, matches. Hidden files and folders
    are left out. Linked folders are walked once, after the real ones, so a loop of links ends.
    Raises RetroflexError when a root is missing.
    """
    walk = _Walk(tuple(pattern.rstrip("/") for pattern in exclude))
    tops = [_checked_root(root) for root in roots]
    found = {to_bytes(file.path): file for top in tops for file in walk.files(top)}
    changed = [file for path, file in found.items() if not _is_same(file, known.get(path))]
    searched = set(tops)
    unseen = {skip.path for skip in walk.skipped}
    gone = [path for path in known if path not in found and _is_gone(path, searched, unseen)]
    return Scan(changed, len(found) - len(changed), gone, walk.skipped)


def _checked_root(root: Path) -> Path:
    top = absolute(root)
    if not os.path.exists(top):
        raise RetroflexError(f"no such file or folder: {display(top)}; check the name and its permissions")
    if not (os.path.isdir(top) or os.path.isfile(top)):
        raise RetroflexError(f"neither a file nor a folder: {display(top)}; give a folder of pictures")
    return top


def _is_same(file: FoundFile, known: KnownFile | None) -> bool:
    return known is not None and (file.size, file.mtime_ns) == (known.size, known.mtime_ns)


def _is_gone(path: bytes, searched: set[Path], unseen: set[Path]) -> bool:
    """Only what lies below a root can be missed, and what could not be looked at may still be there."""
    lineage = {from_bytes(path), *from_bytes(path).parents}
    return bool(lineage & searched) and not lineage & unseen and not os.path.exists(path)


class _Walk:
    """One walk over several roots, which enters each folder once, by whatever name it comes to it first."""

    def __init__(self, exclude: tuple[str, ...]) -> None:
        self.skipped: list[Skip] = []
        self._exclude = exclude
        self._visited: set[tuple[int, int]] = set()

    def files(self, top: Path) -> Iterator[FoundFile]:
        """Yield the picture files at or below `top`; linked folders come last, so real paths win."""
        if top.is_file():
            yield from self._look_at(top)
            return
        folders, linked = [top], deque[Path]()
        while folders or linked:
            entries = self._enter(folders.pop() if folders else linked.popleft())
            entries = [entry for entry in entries if not self._leaves_out(entry, top)]
            inner = [entry for entry in entries if self._is_folder(entry)]
            folders.extend(Path(entry) for entry in reversed(inner) if not entry.is_symlink())
            linked.extend(Path(entry) for entry in inner if entry.is_symlink())
            for entry in entries:
                if os.path.splitext(entry.name)[1].lower() in SUFFIXES and not self._is_folder(entry):
                    yield from self._look_at(Path(entry))

    def _enter(self, folder: Path) -> list[os.DirEntry[str]]:
        """Return the sorted entries of `folder`, none when it was entered before or cannot be read."""
        try:
            facts = folder.stat()
            if (facts.st_dev, facts.st_ino) in self._visited:
                return []
            self._visited.add((facts.st_dev, facts.st_ino))
            with os.scandir(folder) as entries:
                return sorted(entries, key=attrgetter("name"))
        except OSError as error:
            self._skip(folder, error)
            return []

    def _leaves_out(self, entry: os.DirEntry[str], top: Path) -> bool:
        if entry.name.startswith("."):
            return True
        names = (entry.name, os.path.relpath(entry.path, top)) if self._exclude else ()
        return any(fnmatchcase(name, pattern) for pattern in self._exclude for name in names)

    @staticmethod
    def _is_folder(entry: os.DirEntry[str]) -> bool:
        try:
            return entry.is_dir()
        except OSError:  # a link that leads to itself; a look at it as a file names the reason
            return False

    def _look_at(self, path: Path) -> Iterator[FoundFile]:
        try:
            facts = path.stat()
        except OSError as error:
            self._skip(path, error)
            return
        if stat.S_ISREG(facts.st_mode):
            yield FoundFile(path, facts.st_size, facts.st_mtime_ns)
        else:
            self.skipped.append(Skip(path, "is not a regular file"))

    def _skip(self, path: Path, error: OSError) -> None:
        self.skipped.append(Skip(path, f"cannot be read: {error.strerror or error}"))
