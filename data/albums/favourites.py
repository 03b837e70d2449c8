"""Favourites: pictures that a person marked."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, delete, insert, select

from data.albums.membership import changing, known_pictures
from data.database import at_or_below, check_picture, chunks
from data.metadata.dates import now
from data.soundness import sound
from data.store import Store
from data.tables import favourites, files


def set_favourites(store: Store, ids: Collection[int], favourite: bool) -> list[int]:
    """Make pictures favourites, or no favourites any more; return the ids of those that were not so before.

    To undo it, set these back. Raises UnknownPicture, or another StoreError.
    """
    with changing(store) as connection:
        check_pictures(connection, ids)
        before = {
            number
            for piece in chunks(ids)
            for number in connection.scalars(select(favourites.c.picture_id).where(favourites.c.picture_id.in_(piece)))
        }
        changed = [number for number in dict.fromkeys(ids) if (number in before) != favourite]
        if favourite and changed:
            since = now()
            connection.execute(insert(favourites), [{"picture_id": number, "since": since} for number in changed])
        elif changed:
            for piece in chunks(changed):
                connection.execute(delete(favourites).where(favourites.c.picture_id.in_(piece)))
    return changed


def pictures_below(store: Store, path: bytes) -> list[int]:
    """Return the ids of the pictures whose file is `path` or below it, by path. Raises StoreError."""
    query = select(files.c.picture_id).where(at_or_below(files, path), sound(files)).order_by(files.c.path)
    with store.reading() as connection:
        return list(dict.fromkeys(connection.scalars(query)))


def check_pictures(connection: Connection, ids: Collection[int]) -> None:
    """Raise UnknownPicture where a picture is not in the library."""
    known = known_pictures(connection, ids)
    for number in ids:
        if number not in known:
            check_picture(connection, number)
