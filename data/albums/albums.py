"""Albums: pictures that a person picked, in order, or a search that was saved and finds what there is now."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, delete, exists, insert, select, update

from data.albums.favourites import check_pictures
from data.albums.history import remember
from data.albums.membership import changing
from data.database import chunks
from data.errors import RetroflexError, nearest_of
from data.metadata.dates import now
from data.soundness import sound
from data.store import Store
from data.tables import album_pictures, albums, files
from data.text import plural

LONGEST_NAME = 128
LONGEST_QUERY = 4000
"""Characters of a saved search."""
MOST_PICTURES = 100_000
"""Pictures of one album."""


class Album(NamedTuple):
    """An album. `query` is that of a saved search, None for picked pictures.

    `pictures` are those that have a file now, in order, and `cover` is the id of one of them; of a saved search there
    are none here.
    """

    id: int
    name: str
    query: str | None
    pictures: Sequence[int]
    cover: int | None


class AlbumError(RetroflexError):
    """A change of an album that cannot be; the message says what to do instead."""


class UnknownAlbum(RetroflexError):
    """No album has this id or name."""


def list_albums(store: Store) -> list[Album]:
    """Return all albums by name. Raises StoreError."""
    with store.reading() as connection:
        rows = connection.execute(select(albums).where(sound(albums))).all()
        there = exists().where(files.c.picture_id == album_pictures.c.picture_id)
        members = select(album_pictures.c.album_id, album_pictures.c.picture_id).where(there)
        members = members.where(sound(album_pictures)).order_by(album_pictures.c.position)
        own: dict[int, list[int]] = {}
        for album_id, picture_id in connection.execute(members):
            own.setdefault(album_id, []).append(picture_id)
    return sorted(
        (_album(row.id, row.name, row.query, row.cover_id, own.get(row.id, [])) for row in rows),
        key=lambda one: (one.name.casefold(), one.id),
    )


def _album(number: int, name: str, query: str | None, cover: int | None, own: Sequence[int]) -> Album:
    return Album(number, name, query, own, cover if cover in own else next(iter(own), None))


def find_album(store: Store, said: str | int) -> Album:
    """Return an album by id, or by its name or id as a person says it. Raises UnknownAlbum, or StoreError."""
    listed = list_albums(store)
    if isinstance(said, str):
        name = " ".join(said.split()).casefold()
        named = next((one for one in listed if one.name.casefold() == name), None)
        if named is not None:
            return named
    for one in listed:
        if str(said) == str(one.id):
            return one
    if isinstance(said, int) or not listed:
        raise UnknownAlbum(f"there is no album {str(said)[:60]!s} in the library")
    raise UnknownAlbum(f"there is no album {said[:60]!r}; {nearest_of(said, [one.name for one in listed])}")


def saved_as(store: Store, query: str) -> str | None:
    """Return the name of the saved search with this query, None if there is none. Raises StoreError."""
    named = select(albums.c.name).where(albums.c.query == query, sound(albums)).order_by(albums.c.id)
    with store.reading() as connection:
        return min(connection.scalars(named), key=str.casefold, default=None)


def albums_of(store: Store, picture_id: int) -> list[tuple[int, str]]:
    """Return id and name of the albums that a picture is in. Raises StoreError."""
    query = select(albums.c.id, albums.c.name).join(album_pictures).where(album_pictures.c.picture_id == picture_id)
    with store.reading() as connection:
        rows = [(row.id, row.name) for row in connection.execute(query.where(sound(albums)))]
    return sorted(rows, key=lambda one: one[1].casefold())


def make_album(store: Store, name: str, ids: Collection[int] = (), query: str | None = None) -> int:
    """Make an album of these pictures, or of a saved search; return its id.

    Raises AlbumError for a name that is taken or none, UnknownPicture, or another StoreError.
    """
    name = _clean(name)
    with changing(store) as connection:
        _check_name(connection, name)
        made = insert(albums).values(name=name, query=_checked_query(query), made_at=now()).returning(albums.c.id)
        number = int(connection.execute(made).scalar_one())
        _append(connection, number, list(dict.fromkeys(ids)))
        remember(connection, f"the new album {name}", number, {}, made=True)
    return number


def change_album(
    store: Store, album_id: int, name: str | None = None, query: str | None = None, cover: int | None = None
) -> None:
    """Rename an album, save another search in its place, or choose one of its pictures as cover.

    Raises UnknownAlbum, AlbumError, or StoreError.
    """
    with changing(store) as connection:
        row = _row(connection, album_id)
        values: dict[str, str | int] = {}
        if name is not None:
            values["name"] = _clean(name)
            _check_name(connection, _clean(name), album_id)
        if query is not None:
            if row.query is None:
                raise AlbumError(f"{row.name} is an album of picked pictures; save the search as another album")
            values["query"] = str(_checked_query(query))
        if cover is not None:
            if cover not in _positions(connection, album_id):
                raise AlbumError(f"picture {cover} is not in the album {row.name}; add it first")
            values["cover_id"] = cover
        if values:
            remember(connection, f"the change of the album {row.name}", album_id, {}, made=False)
            connection.execute(update(albums).where(albums.c.id == album_id).values(**values))


def delete_album(store: Store, album_id: int) -> None:
    """Delete an album; its pictures stay in the library. Raises UnknownAlbum, or StoreError."""
    with changing(store) as connection:
        row = _row(connection, album_id)
        remember(
            connection, f"the deletion of the album {row.name}", album_id, _positions(connection, album_id), made=False
        )
        connection.execute(delete(albums).where(albums.c.id == album_id))


def add_pictures(store: Store, album_id: int, ids: Collection[int], before: int | None = None) -> list[int]:
    """Add pictures at the end of an album, or `before` one of its pictures, to where those that it has already move.

    Return the ids of those that were not in it. Raises UnknownAlbum, UnknownPicture, AlbumError, or StoreError.
    """
    with changing(store) as connection:
        row = _picked(connection, album_id)
        positions = _positions(connection, album_id)
        if before is not None and before not in positions:
            raise AlbumError(f"picture {before} is not in the album {row.name}, so nothing can be put before it")
        given = [number for number in dict.fromkeys(ids) if number != before]
        new = [number for number in given if number not in positions]
        what = f"{plural(len(given), 'picture')} added to the album {row.name}"
        if before is None:
            if new:
                remember(connection, what, album_id, dict.fromkeys(new), made=False)
                _append(connection, album_id, new)
            return new
        check_pictures(connection, new)
        kept = [number for number in positions if number not in given]
        place = kept.index(before)
        remember(connection, what, album_id, {**positions, **dict.fromkeys(new)}, made=False)
        _reorder(connection, album_id, [*kept[:place], *given, *kept[place:]])
        return new


def remove_pictures(store: Store, album_id: int, ids: Collection[int]) -> list[int]:
    """Take pictures out of an album, and return the ids of those that were in it. Raises as `add_pictures`."""
    with changing(store) as connection:
        row = _picked(connection, album_id)
        positions = _positions(connection, album_id)
        gone = {number: positions[number] for number in ids if number in positions}
        if gone:
            what = f"{plural(len(gone), 'picture')} taken out of the album {row.name}"
            remember(connection, what, album_id, gone, made=False)
            for piece in chunks(gone):
                own = album_pictures.c.album_id == album_id, album_pictures.c.picture_id.in_(piece)
                connection.execute(delete(album_pictures).where(*own))
            if row.cover_id in gone:
                connection.execute(update(albums).where(albums.c.id == album_id).values(cover_id=None))
        return list(gone)


def _row(connection: Connection, album_id: int) -> Row[Any]:
    row = connection.execute(select(albums).where(albums.c.id == album_id, sound(albums))).first()
    if row is None:
        raise UnknownAlbum(f"there is no album {album_id} in the library")
    return row


def _picked(connection: Connection, album_id: int) -> Row[Any]:
    row = _row(connection, album_id)
    if row.query is not None:
        raise AlbumError(f"{row.name} is a saved search: it has the pictures that it finds, so none can be picked")
    return row


def _positions(connection: Connection, album_id: int) -> dict[int, int]:
    """Return the position of each picture of an album, in order."""
    query = select(album_pictures.c.picture_id, album_pictures.c.position).where(album_pictures.c.album_id == album_id)
    rows = connection.execute(query.where(sound(album_pictures)).order_by(album_pictures.c.position))
    return dict(map(tuple, rows))


def _append(connection: Connection, album_id: int, ids: Sequence[int]) -> None:
    check_pictures(connection, ids)
    positions = _positions(connection, album_id)
    _check_size(len(positions) + len(ids))
    _place(connection, album_id, ids, max(positions.values(), default=-1) + 1)


def _reorder(connection: Connection, album_id: int, ids: Sequence[int]) -> None:
    _check_size(len(ids))
    connection.execute(delete(album_pictures).where(album_pictures.c.album_id == album_id))
    _place(connection, album_id, ids, 0)


def _check_size(pictures: int) -> None:
    if pictures > MOST_PICTURES:
        raise AlbumError(f"an album has {MOST_PICTURES:,} pictures at most; make another one, or save a search")


def _place(connection: Connection, album_id: int, ids: Sequence[int], first: int) -> None:
    rows = [
        {"album_id": album_id, "picture_id": number, "position": position} for position, number in enumerate(ids, first)
    ]
    if rows:
        connection.execute(insert(album_pictures), rows)


def _clean(name: str) -> str:
    name = " ".join(name.encode(errors="replace").decode().replace("\0", " ").split())
    if not 0 < len(name) <= LONGEST_NAME:
        raise AlbumError(f"the name of an album has 1 to {LONGEST_NAME} characters; give another one")
    return name


def _check_name(connection: Connection, name: str, own: int | None = None) -> None:
    rows = connection.execute(select(albums.c.id, albums.c.name).where(sound(albums)))
    if any(taken.casefold() == name.casefold() and number != own for number, taken in rows):
        raise AlbumError(f"there is an album {name} already; choose another name, or add to that one")


def _checked_query(query: str | None) -> str | None:
    if query is not None and len(query) > LONGEST_QUERY:
        raise AlbumError(f"a saved search has {LONGEST_QUERY:,} characters at most; this one has {len(query):,}")
    return query
