"""The folders of the server's machine that may be added to the library, named by tokens.

A client cannot send a path. It sends a token that this server issued, signed with a secret that only this server has,
for a folder at or below one of those that the server's owner allows. Links and hidden folders are never shown.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from operator import attrgetter
from pathlib import Path

from itsdangerous import BadData, URLSafeSerializer

from data.loading import SUFFIXES
from data.paths import display
from webui.problems import Problem

_SECRET = secrets.token_bytes(32)
"""Of this run; the processes of one server are forked with it."""
_USER = os.path.basename(os.path.expanduser("~"))
DISKS = (f"/media/{_USER}", f"/run/media/{_USER}", "/media", "/mnt", "/Volumes")
"""Folders below which systems mount disks."""
MAX_ENTRIES = 5_000
"""Entries of a folder that are read to count its pictures."""


@dataclass(frozen=True)
class ServerFolder:
    """A folder, its token, and the token of its parent folder, None where that is not shown."""

    token: str
    path: Path
    above: str | None = None


class ServerFolders:
    """The folders at and below a few top folders; may be used by several threads at once."""

    def __init__(
        self, tops: Sequence[Path], disks: Callable[[], Sequence[Path]] = tuple, secret: bytes | None = None
    ) -> None:
        """Only what really lies at or below `tops` and what `disks` returns, links resolved, is ever shown.

        Servers with the same `secret`, by default one of this run, take each other's tokens.
        """
        self._given, self._disks = tops, disks
        self._serializer = URLSafeSerializer(secret or _SECRET, salt="places")

    @property
    def _tops(self) -> list[Path]:
        return list(dict.fromkeys(Path(os.path.realpath(top)) for top in (*self._given, *self._disks())))

    def tops(self) -> list[ServerFolder]:
        """Return the top folders."""
        return [self._folder(top) for top in self._tops if top.is_dir()]

    def folder(self, token: str) -> ServerFolder:
        """Return the folder of a token. Raise Problem 404, also where the folder no longer exists."""
        try:
            path = Path(os.fsdecode(bytes.fromhex(self._serializer.loads(token))))
        except BadData:
            path = None
        if path is None or not self._allowed(path):
            raise Problem(HTTPStatus.NOT_FOUND, "this folder is no longer available; choose it again")
        return self._folder(path)

    def typed(self, path: str) -> ServerFolder:
        """Return the folder at a path that a person typed. Raise Problem 404 for one that is not allowed, or not there.

        Both get the same answer, so that nobody learns what lies elsewhere.
        """
        try:
            folder = Path(os.path.realpath(os.path.expanduser(path.strip())))
            allowed = bool(path.strip()) and self._allowed(folder)
        except (OSError, ValueError):  # such as a NUL, or a name that is too long
            allowed = False
        if not allowed:
            tops = ", ".join(display(top) for top in self._tops) or "none; serve with --root DIR"
            raise Problem(HTTPStatus.NOT_FOUND, f"there is no such folder below those that may be added: {tops}")
        return self._folder(folder)

    def inside(self, folder: ServerFolder) -> list[ServerFolder]:
        """Return the folders in a folder, by name. Raise Problem 403 where it cannot be read."""
        try:
            with os.scandir(folder.path) as entries:
                folders = [entry for entry in entries if _is_shown(entry)]
        except OSError as error:
            raise Problem(HTTPStatus.FORBIDDEN, f"this folder cannot be read: {error.strerror or error}") from error
        return [self._folder(Path(entry.path)) for entry in sorted(folders, key=attrgetter("name"))]

    def _folder(self, path: Path) -> ServerFolder:
        above = None if path in self._tops else self._token(path.parent)
        return ServerFolder(self._token(path), path, above)

    def _token(self, path: Path) -> str:
        return str(self._serializer.dumps(os.fsencode(path).hex()))

    def _allowed(self, path: Path) -> bool:
        """Whether the folder still exists, and has not become a link that leads elsewhere."""
        real = Path(os.path.realpath(path))
        return real == path and path.is_dir() and any(real == top or top in real.parents for top in self._tops)


def mounted_disks() -> list[Path]:
    """Return where disks are mounted that a person connects, by path."""
    found = []
    for place in DISKS:
        with suppress(OSError), os.scandir(place) as entries:
            found += [Path(entry.path) for entry in entries if _is_shown(entry) and os.path.ismount(entry.path)]
    return sorted(found)


def count_pictures(folder: Path) -> int | None:
    """Return how many picture files the folder itself holds, None where it has too many entries or is unreadable."""
    count = 0
    try:
        with os.scandir(folder) as entries:
            for seen, entry in enumerate(entries):
                if seen == MAX_ENTRIES:
                    return None
                count += os.path.splitext(entry.name)[1].lower() in SUFFIXES and not entry.name.startswith(".")
    except OSError:
        return None
    return count


def _is_shown(entry: os.DirEntry[str]) -> bool:
    return not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)
