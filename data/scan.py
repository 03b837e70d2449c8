"""Walk folders and tell which picture files are new, changed, unchanged or gone."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from data.errors import RetroflexError
from data.paths import display, from_bytes, to_bytes
from data.pictures import SUFFIXES
from data.records import KnownFile

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


def content_hash(content: bytes) -> str:
    """Return the SHA-256 of `content` in hexadecimal, the identity of a picture."""
    return hashlib.sha256(content).hexdigest()


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
    gone = [path for path in known if path not in found and _is_gone(path, tops, walk.skipped)]
    return Scan(changed, len(found) - len(changed), gone, walk.skipped)


def _checked_root(root: Path) -> Path:
    top = Path(os.path.abspath(root.expanduser()))
    if not top.exists():
        raise RetroflexError(f"no such file or folder: {display(top)}; check the name")
    if not (top.is_dir() or top.is_file()):
        raise RetroflexError(f"neither a file nor a folder: {display(top)}")
    return top


def _is_same(file: FoundFile, known: KnownFile | None) -> bool:
    return known is not None and (file.size, file.mtime_ns) == (known.size, known.mtime_ns)


def _is_gone(path: bytes, tops: Sequence[Path], skipped: Sequence[Skip]) -> bool:
    """Only what lies under a root can be missed, and what cannot be looked at may still be there."""
    file = from_bytes(path)
    if not any(file.is_relative_to(top) for top in tops):
        return False
    return not os.path.exists(path) and not any(file.is_relative_to(skip.path) for skip in skipped)


@dataclass
class _Walk:
    exclude: tuple[str, ...]
    skipped: list[Skip] = field(default_factory=list)
    visited: set[tuple[int, int]] = field(default_factory=set)

    def files(self, top: Path) -> Iterator[FoundFile]:
        if top.is_file():
            yield from self._file(top)
            return
        linked: list[Path] = []
        folders = [top]
        while folders or linked:
            folder = folders.pop() if folders else linked.pop(0)
            for path in self._enter(folder):
                if self._leaves_out(path, top):
                    continue
                if path.is_dir():
                    (linked if path.is_symlink() else folders).append(path)
                elif path.suffix.lower() in SUFFIXES:
                    yield from self._file(path)

    def _enter(self, folder: Path) -> list[Path]:
        """Return the sorted entries of `folder`, none when it was visited before or cannot be read."""
        try:
            facts = folder.stat()
            if (facts.st_dev, facts.st_ino) in self.visited:
                return []
            self.visited.add((facts.st_dev, facts.st_ino))
            return sorted(folder.iterdir())
        except OSError as error:
            self.skipped.append(Skip(folder, f"cannot be read: {error.strerror or error}"))
            return []

    def _leaves_out(self, path: Path, top: Path) -> bool:
        relative = path.relative_to(top).as_posix()
        return path.name.startswith(".") or any(
            fnmatchcase(path.name, pattern) or fnmatchcase(relative, pattern) for pattern in self.exclude
        )

    def _file(self, path: Path) -> Iterator[FoundFile]:
        try:
            facts = path.stat()
        except OSError as error:
            self.skipped.append(Skip(path, f"cannot be read: {error.strerror or error}"))
            return
        if stat.S_ISREG(facts.st_mode):
            yield FoundFile(path, facts.st_size, facts.st_mtime_ns)
        else:
            self.skipped.append(Skip(path, "is not a regular file"))
