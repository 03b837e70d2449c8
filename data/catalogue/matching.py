"""Which pictures of the library a key of a table means: by the names of their files below a folder."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator

from sqlalchemy import select

from data.database import at_or_below
from data.loading import SUFFIXES
from data.paths import clean_text
from data.soundness import sound
from data.store import Store
from data.tables import files


class FileNames:
    """The files of the library at or below a folder, found by name. Files are never opened by a key."""

    def __init__(self, store: Store, folder: bytes | None) -> None:
        """Read all names; None stands for the whole library. Raises StoreError."""
        self._folder = folder
        self._by_stem: dict[str, list[tuple[bytes, int]]] = {}
        query = select(files.c.path, files.c.picture_id).where(sound(files))
        with store.reading() as connection:
            rows = connection.execute(query if folder is None else query.where(at_or_below(files, folder)))
            for path, picture_id in rows:
                self._by_stem.setdefault(_stem(os.fsdecode(path)), []).append((path, picture_id))

    def find(self, key: str) -> list[int]:
        """Return the pictures whose file has this name, with or without its suffix, or this path below the folder."""
        key = unicodedata.normalize("NFC", key)
        found = self._by_stem.get(_stem(key), [])
        return list(dict.fromkeys(picture_id for path, picture_id in found if self._is(key, path)))

    def __iter__(self) -> Iterator[tuple[bytes, int]]:
        for own in self._by_stem.values():
            yield from own

    def _is(self, key: str, path: bytes) -> bool:
        below = path if self._folder is None else path[len(self._folder.rstrip(b"/")) + 1 :]
        name = unicodedata.normalize("NFC", os.fsdecode(below))
        if "/" not in key:
            name = name.rpartition("/")[2]
        return key in (name, _without_suffix(name))


def leads_out(key: str) -> bool:
    """Return whether a key is a path that leads out of the folder of pictures."""
    return key.startswith("/") or ".." in key.replace("\\", "/").split("/")


def shown_paths(names: FileNames, seen: set[int]) -> Iterator[str]:
    """Yield the paths of pictures that are not among `seen`, by name; one path each."""
    first: dict[int, bytes] = {}
    for path, picture_id in names:
        if picture_id not in seen:
            first[picture_id] = min(path, first.get(picture_id, path))
    yield from map(clean_text, sorted(first.values()))


def _stem(name: str) -> str:
    return unicodedata.normalize("NFC", _without_suffix(name.rpartition("/")[2]))


def _without_suffix(name: str) -> str:
    stem, suffix = os.path.splitext(name)
    return stem if suffix.lower() in SUFFIXES else name
