"""Which pictures are favourites, and which are in which album: read at once, and written apart from all else.

A change of these raises a number of its own and not the store's generation. So no index and no fact of the pictures is
read again where somebody picks a favourite.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, insert, select, update

from data.database import chunks
from data.soundness import sound
from data.store import Store
from data.tables import album_pictures, albums, favourites, meta, pictures

CHANGED_KEY = "membership"
"""In `meta`: the number that rises with each change."""


@dataclass(frozen=True)
class AlbumMembers:
    """An album that was picked by hand: its pictures in order, int64 (n,)."""

    id: int
    name: str
    ids: np.ndarray


@dataclass(frozen=True)
class Membership:
    """The favourites, int64 (f,), rising, and the hand-picked albums by name, at one number of changes."""

    changed: str
    favourites: np.ndarray
    albums: tuple[AlbumMembers, ...]

    def album(self, album_id: int) -> AlbumMembers | None:
        """Return a hand-picked album, None if there is none with this id."""
        return next((one for one in self.albums if one.id == album_id), None)


def number_of_changes(connection: Connection) -> str:
    """Return the number of the present membership."""
    return str(connection.scalar(select(meta.c.value).where(meta.c.key == CHANGED_KEY)) or "")


def read_membership(connection: Connection) -> Membership:
    """Return all favourites and albums."""
    number = number_of_changes(connection)
    query = select(favourites.c.picture_id).where(sound(favourites)).order_by(favourites.c.picture_id)
    picked = np.fromiter(connection.scalars(query), np.int64)
    named = select(albums.c.id, albums.c.name).where(albums.c.query.is_(None), sound(albums))
    names = dict(map(tuple, connection.execute(named)))
    own: dict[int, list[int]] = {number: [] for number in names}
    members = select(album_pictures.c.album_id, album_pictures.c.picture_id).where(sound(album_pictures))
    for album_id, picture_id in connection.execute(members.order_by(album_pictures.c.position)):
        if album_id in own:
            own[album_id].append(picture_id)
    listed = [AlbumMembers(one, name, np.array(own[one], np.int64)) for one, name in names.items()]
    return Membership(number, picked, tuple(sorted(listed, key=lambda one: (one.name.casefold(), one.id))))


@contextmanager
def changing(store: Store) -> Iterator[Connection]:
    """Yield a transaction that changes favourites or albums, the only one at a time. Raises StoreError."""
    with store.coordinating() as connection:
        # The row of the number is the lock between writers on a server; the number follows the clock, as generations.
        stored = connection.scalar(select(meta.c.value).where(meta.c.key == CHANGED_KEY).with_for_update())
        before = int(stored) if stored is not None and stored.isdecimal() else 0
        value = str(max(time.time_ns() // 1000, before + 1))
        own = update(meta).where(meta.c.key == CHANGED_KEY).values(value=value)
        if not connection.execute(own).rowcount:
            connection.execute(insert(meta).values(key=CHANGED_KEY, value=value))
        yield connection


def known_pictures(connection: Connection, ids: Collection[int]) -> set[int]:
    """Return those of the pictures that are in the library."""
    return {
        number
        for piece in chunks(ids)
        for number in connection.scalars(select(pictures.c.id).where(pictures.c.id.in_(piece)))
    }
