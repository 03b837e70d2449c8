"""Favourites and albums hold on to their pictures, and follow one that continues another, see `data.identity`."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, delete, exists, insert, or_, select, update

from data.metadata.dates import now
from data.tables import album_pictures, albums, favourites


def is_member(picture_id: ColumnElement[int]) -> ColumnElement[bool]:
    """Return the condition that the picture is a favourite, or in an album."""
    return or_(
        exists().where(favourites.c.picture_id == picture_id),
        exists().where(album_pictures.c.picture_id == picture_id),
    )


def continue_membership(connection: Connection, old: int, new: int) -> None:
    """Let picture `old` be a favourite and in albums where `new` is, whose row goes."""
    _copy(connection, new, old)
    connection.execute(update(albums).where(albums.c.cover_id == new).values(cover_id=old))
    for table in (favourites, album_pictures):
        connection.execute(delete(table).where(table.c.picture_id == new))


def copy_membership(connection: Connection, old: int, new: int) -> None:
    """Let picture `new`, which a file of `old` has become, be a favourite and in albums where `old` is."""
    _copy(connection, old, new)


def _copy(connection: Connection, source: int, target: int) -> None:
    chosen = connection.scalar(select(exists().where(favourites.c.picture_id == source)))
    if chosen and not connection.scalar(select(exists().where(favourites.c.picture_id == target))):
        connection.execute(insert(favourites).values(picture_id=target, since=now()))
    present = select(album_pictures.c.album_id).where(album_pictures.c.picture_id == target)
    query = select(album_pictures.c.album_id, album_pictures.c.position)
    query = query.where(album_pictures.c.picture_id == source, album_pictures.c.album_id.not_in(present))
    for album_id, position in connection.execute(query).all():
        after = (album_pictures.c.album_id == album_id) & (album_pictures.c.position > position)
        connection.execute(update(album_pictures).where(after).values(position=album_pictures.c.position + 1))
        values = {"album_id": album_id, "picture_id": target, "position": position + 1}
        connection.execute(insert(album_pictures).values(**values))
