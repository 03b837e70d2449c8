"""The folders of the server's machine that may be added to the library, named by tokens.

A client cannot send a path. It sends a token that this server issued, signed with a secret that only this server has,
for a folder at or below one of those that the server's owner allows. Links and hidden folders are never shown.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from operator import attrgetter
from pathlib import Path

from itsdangerous import BadData, URLSafeSerializer

from data.loading import SUFFIXES
from webui.problems import Problem

_SECRET = secrets.token_bytes(32)
"""Of this run; the processes of one server are forked with it."""
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

    def __init__(self, tops: Sequence[Path]) -> None:
        """Only what really lies at or below `tops`, links resolved, is ever shown."""
        self._tops = list(dict.fromkeys(Path(os.path.realpath(top)) for top in tops))
        self._serializer = URLSafeSerializer(_SECRET, salt="places")

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
