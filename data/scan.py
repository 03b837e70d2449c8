"""Walk folders and find which picture files are new, changed, unchanged or gone."""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter, deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from operator import attrgetter
from pathlib import Path

from data.errors import RetroflexError
from data.films.kinds import SUFFIXES as FILM_SUFFIXES
from data.kinds import NOT_PICTURES, begins_like_picture, begins_like_picture_or_film, is_incidental, suffix
from data.loading import SUFFIXES
from data.machine_made import TAKE, is_machine_made
from data.metadata.sidecars import Sidecar, sidecars_of
from data.paths import clean_text, display, from_bytes, to_bytes
from data.records import FileRow, StoredFile
from data.remote import address, is_remote, is_there, located, remote_files


@dataclass(frozen=True)
class FoundFile:
    """A picture file on disk: absolute path, size in bytes, time of change in nanoseconds."""

    path: Path
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: bytes, file: StoredFile | FileRow) -> FoundFile:
        """Return a file as the store has it."""
        return cls(from_bytes(path), file.size, file.mtime_ns)


@dataclass(frozen=True)
class Skip:
    """A file or folder that was left out, with the reason."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Scan:
    """What a walk found, in the order of the walk.

    `changed` are new or changed files; `gone` are stored files under the roots that no longer exist.
    A stored file that is excluded is not gone, nor is one below a folder that cannot be read. `passed_over` has the
    numbers of files that are no pictures by suffix, `left_out` those of folders of machine-made files by name.
    `sidecars` has those of each found file that has any.
    """

    changed: list[FoundFile]
    unchanged: int
    gone: list[bytes]
    skipped: list[Skip]
    passed_over: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    sidecars: dict[bytes, tuple[Sidecar, ...]] = field(default_factory=dict)


def scan(
    roots: Sequence[Path], stored: Mapping[bytes, StoredFile], exclude: Sequence[str] = (), films: bool = False
) -> Scan:
    """Compare the picture files, with `films` also films, under `roots` (folders or files) with those `stored`.

    A file counts as changed when its size or time of change differs. An `exclude` pattern (as in a shell)
    excludes every file or folder whose name, or path relative to its root, matches. Hidden files and folders and
    machine-made folders, see `data.machine_made`, are excluded unless a pattern that begins with TAKE matches.
    A file whose suffix says nothing is a picture if it begins like one. Linked folders are walked once, after the
    real ones, so a loop of links ends. Raises RetroflexError when a root is missing.
    """
    walk = _Walk(exclude, films)
    tops = [_checked_root(root) for root in roots]
    found = {to_bytes(file.path): file for top in tops for file in walk.files(top)}
    changed = [file for path, file in found.items() if not _is_same(file, stored.get(path))]
    searched = set(tops)
    unread = {skip.path for skip in walk.skipped}
    missing = ((path, file) for path, file in stored.items() if path not in found)
    gone = [path for path, file in missing if _is_gone(path, file, searched, unread, walk)]
    return Scan(changed, len(found) - len(changed), gone, walk.skipped, walk.passed_over, walk.left_out, walk.sidecars)


def check_roots(roots: Sequence[Path]) -> None:
    """Raise RetroflexError if one of them is missing or can be neither walked nor read."""
    for root in roots:
        _checked_root(root)


def _checked_root(root: Path) -> Path:
    top = located(root)
    if is_remote(top):
        if not is_there(top):
            raise RetroflexError(f"no such file or folder: {address(top)}; check the name")
        return top
    if not os.path.exists(top):
        raise RetroflexError(f"no such file or folder: {display(top)}; check the name and its permissions")
    if not (os.path.isdir(top) or os.path.isfile(top)):
        raise RetroflexError(f"neither a file nor a folder: {display(top)}; give a folder of pictures")
    return top


def _is_same(file: FoundFile, stored: StoredFile | None) -> bool:
    return stored is not None and (file.size, file.mtime_ns) == (stored.size, stored.mtime_ns)


def _is_gone(path: bytes, stored: StoredFile, roots: set[Path], unread: set[Path], walk: _Walk) -> bool:
    """Return whether a stored file below a root is missing; what could not be read may still exist.

    A skipped file (digest "") is gone as soon as it is skipped no more.
    """
    lineage = {from_bytes(path), *from_bytes(path).parents}
    return bool(lineage & roots) and not lineage & unread and not (stored.digest and walk.exists(path))


class _Walk:
    """One walk over several roots, which enters each folder once, under the name that it meets first."""

    def __init__(self, exclude: Sequence[str], films: bool) -> None:
        self._suffixes = SUFFIXES | FILM_SUFFIXES if films else SUFFIXES
        self._begins = begins_like_picture_or_film if films else begins_like_picture
        self.skipped: list[Skip] = []
        self.passed_over = Counter[str]()
        self.left_out = Counter[str]()
        self.sidecars: dict[bytes, tuple[Sidecar, ...]] = {}
        self._exclude = [pattern.rstrip("/") for pattern in exclude if not pattern.startswith(TAKE)]
        self._take = [pattern[1:].rstrip("/").casefold() for pattern in exclude if pattern.startswith(TAKE)]
        self._visited: set[tuple[int, int]] = set()
        self._in_stores: set[Path] = set()
        self._folders: dict[tuple[str, ...], bool] = {}

    def files(self, top: Path) -> Iterator[FoundFile]:
        """Yield the picture files at or below `top`; linked folders come last, so real paths win."""
        if is_remote(top):
            yield from self._files_in_store(top)
            return
        if top.is_file():
            yield from self._found_file(top, None)
            return
        folders, linked = [top], deque[Path]()
        while folders or linked:
            entries = self._taken(self._enter(folders.pop() if folders else linked.popleft()), top)
            inner = [entry for entry in entries if _is_folder(entry)]
            folders.extend(Path(entry) for entry in reversed(inner) if not entry.is_symlink())
            linked.extend(Path(entry) for entry in inner if entry.is_symlink())
            siblings = {entry.name for entry in entries if entry.name[-4:].lower() == ".xmp"}
            for entry in entries:
                if not _is_folder(entry) and self._may_be_picture(entry):
                    yield from self._found_file(Path(entry), siblings)

    def _files_in_store(self, top: Path) -> Iterator[FoundFile]:
        """Yield the pictures of a store by their suffix; films and sidecars there are passed over."""
        self._folders = {(): True}
        for file in sorted(remote_files(top)):
            self._in_stores.add(file.path)
            name, parts = file.path.name, file.path.relative_to(top).parts
            if not self._is_open(parts[:-1]) or not self._is_kept(parts or (name,)):
                continue
            if file.path.suffix.lower() in SUFFIXES:
                yield FoundFile(*file)
            elif not is_incidental(name):
                self.passed_over[suffix(name)] += 1

    def _is_open(self, folder: tuple[str, ...]) -> bool:
        """Return whether a folder of a store is neither excluded nor in one that is; count machine-made ones once."""
        if folder not in self._folders:
            parent = folder[-2] if len(folder) > 1 else ""
            kept = self._is_open(folder[:-1]) and self._is_kept(folder)
            if kept and is_machine_made(folder[-1], parent, tuple) and not self._matches(folder, self._take):
                self.left_out[clean_text(os.fsencode(folder[-1]))] += 1
                kept = False
            self._folders[folder] = kept
        return self._folders[folder]

    def _is_kept(self, parts: tuple[str, ...]) -> bool:
        """Return whether a file or folder of a store is not excluded by itself."""
        hidden = parts[-1].startswith(".") and not self._matches(parts, self._take)
        return not hidden and not self._matches(parts, self._exclude)

    def _matches(self, parts: tuple[str, ...], patterns: Sequence[str]) -> bool:
        names = (parts[-1], "/".join(parts))
        cased = (name.casefold() if patterns is self._take else name for name in names)
        return any(fnmatchcase(name, pattern) for name in cased for pattern in patterns)

    def exists(self, path: bytes) -> bool:
        """Return whether a file below the roots exists; for a store, as it was listed."""
        own = from_bytes(path)
        return own in self._in_stores if is_remote(own) else os.path.exists(path)

    def _enter(self, folder: Path) -> list[os.DirEntry[str]]:
        """Return the sorted entries of `folder`, none if it was entered before or cannot be read."""
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in self._visited:
                self._note_loop(folder, status)
                return []
            self._visited.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                return sorted(entries, key=attrgetter("name"))
        except OSError as error:
            self._skip(folder, error)
            return []

    def _note_loop(self, folder: Path, status: os.stat_result) -> None:
        if folder.is_symlink() and any(os.path.samestat(status, parent.stat()) for parent in folder.parents):
            self.skipped.append(Skip(folder, "is a link to a folder that it lies in"))

    def _taken(self, entries: Sequence[os.DirEntry[str]], top: Path) -> list[os.DirEntry[str]]:
        """Return the entries of one folder that are not excluded, and count the machine-made folders among them."""
        kept = []
        for entry in entries:
            names = (entry.name, os.path.relpath(entry.path, top)) if self._exclude or self._take else ()
            if any(fnmatchcase(name, pattern) for pattern in self._exclude for name in names):
                continue
            if any(fnmatchcase(name.casefold(), pattern) for pattern in self._take for name in names):
                kept.append(entry)
            elif _is_folder(entry) and is_machine_made(
                entry.name, _parent_name(entry), lambda: [other.name for other in entries]
            ):
                self.left_out[clean_text(os.fsencode(entry.name))] += 1
            elif not entry.name.startswith("."):
                kept.append(entry)
        return kept

    def _may_be_picture(self, entry: os.DirEntry[str]) -> bool:
        """Return whether the file may be a picture, or is one that cannot be reached; count it if it is none."""
        end = os.path.splitext(entry.name)[1].lower()
        if end in self._suffixes or is_incidental(entry.name):
            return end in self._suffixes
        if end not in NOT_PICTURES and (not _is_regular(entry) or self._begins(Path(entry))):
            return True
        self.passed_over[suffix(entry.name)] += 1
        return False

    def _found_file(self, path: Path, siblings: Collection[str] | None) -> Iterator[FoundFile]:
        """Yield the file unless it cannot be read or is none, and note its sidecars, see `sidecars_of`."""
        try:
            status = path.stat()
        except OSError as error:
            self._skip(path, error)
            return
        if stat.S_ISREG(status.st_mode):
            if (siblings is None or siblings) and (sidecars := sidecars_of(path, siblings)):
                self.sidecars[to_bytes(path)] = sidecars
            yield FoundFile(path, status.st_size, status.st_mtime_ns)
        else:
            self.skipped.append(Skip(path, f"is {_kind(status.st_mode)}, not a file"))

    def _skip(self, path: Path, error: OSError) -> None:
        self.skipped.append(Skip(path, _reason(path, error)))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself; `_found_file` reports the reason
        return False


def _is_regular(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False


def _parent_name(entry: os.DirEntry[str]) -> str:
    return os.path.basename(os.path.dirname(entry.path))


def _reason(path: Path, error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return "is a link that leads back to itself"
    if error.errno == errno.ENOENT and path.is_symlink():
        return f"is a link to {display(Path(os.readlink(path)))}, which is not there"
    return f"cannot be read: {error.strerror or error}"


def _kind(mode: int) -> str:
    kinds = {stat.S_ISFIFO: "a pipe", stat.S_ISSOCK: "a socket", stat.S_ISCHR: "a device", stat.S_ISBLK: "a device"}
    return next((name for test, name in kinds.items() if test(mode)), "something else")
