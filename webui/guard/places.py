"""The folders of this machine that may be added to the library, by names of the server's own making.

A client cannot send a path: it sends a token that this server handed out, under a seal that only this server has, for
a folder below one of the places that its owner allows. What is a link, or is hidden, is neither shown nor reached.
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

from data.pictures import SUFFIXES
from webui.problems import Problem

_SECRET = secrets.token_bytes(32)
"""Of this run; the processes of one server are forked with it."""
MOST_ENTRIES = 5_000
"""Entries of a folder that are looked at to count its pictures."""


@dataclass(frozen=True)
class Place:
    """A folder, its token, and that of the folder above it, None where that is not to be shown."""

    token: str
    path: Path
    above: str | None = None


class Places:
    """The folders at and below some places; may be used by several threads at once."""

    def __init__(self, tops: Sequence[Path]) -> None:
        """Only what really lies below `tops`, links followed, is ever shown."""
        self._tops = list(dict.fromkeys(Path(os.path.realpath(top)) for top in tops))
        self._seal = URLSafeSerializer(_SECRET, salt="places")

    def tops(self) -> list[Place]:
        """Return the places where one may start to look."""
        return [self._place(top) for top in self._tops if top.is_dir()]

    def place(self, token: str) -> Place:
        """Return the folder that a token was handed out for. Raises Problem 404, also where it has gone since."""
        try:
            path = Path(os.fsdecode(bytes.fromhex(self._seal.loads(token))))
        except BadData:
            path = None
        if path is None or not self._allowed(path):
            raise Problem(HTTPStatus.NOT_FOUND, "this folder is not known any more; look for it once more")
        return self._place(path)

    def inside(self, place: Place) -> list[Place]:
        """Return the folders in a folder, by name. Raises Problem 403 where it cannot be read."""
        try:
            with os.scandir(place.path) as entries:
                folders = [one for one in entries if _is_shown(one)]
        except OSError as error:
            raise Problem(HTTPStatus.FORBIDDEN, f"this folder cannot be read: {error.strerror or error}") from error
        return [self._place(Path(one.path)) for one in sorted(folders, key=attrgetter("name"))]

    def _place(self, path: Path) -> Place:
        above = None if path in self._tops else self._token(path.parent)
        return Place(self._token(path), path, above)

    def _token(self, path: Path) -> str:
        return str(self._seal.dumps(os.fsencode(path).hex()))

    def _allowed(self, path: Path) -> bool:
        """Whether the folder is still there, and still no link that leads elsewhere."""
        real = Path(os.path.realpath(path))
        return real == path and path.is_dir() and any(real == top or top in real.parents for top in self._tops)


def count_pictures(folder: Path) -> int | None:
    """Return how many picture files lie right in the folder, None where that is too many to count, or unreadable."""
    count = 0
    try:
        with os.scandir(folder) as entries:
            for seen, entry in enumerate(entries):
                if seen == MOST_ENTRIES:
                    return None
                count += os.path.splitext(entry.name)[1].lower() in SUFFIXES and not entry.name.startswith(".")
    except OSError:
        return None
    return count


def _is_shown(entry: os.DirEntry[str]) -> bool:
    return not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)
