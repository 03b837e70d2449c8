"""What is read of films and their frames. Each call is one transaction, and raises StoreError."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import NamedTuple

from sqlalchemy import Table, select

from data.database import chunks
from data.films.queries import FRAMES, any_films
from data.films.records import StoredFilm, StoredFrame
from data.soundness import sound
from data.store import Store
from data.tables import files, films, items, motions, pictures


def film_digests(store: Store) -> set[str]:
    """Return the digests of all films."""
    with store.reading() as connection:
        query = select(pictures.c.digest).join(films, films.c.picture_id == pictures.c.id)
        return set(connection.scalars(query.where(sound(pictures, "digest"))))


def films_by_id(store: Store, ids: Collection[int] | None = None) -> dict[int, StoredFilm]:
    """Return the films among the pictures `ids`, by default all, by id."""
    with store.reading() as connection:
        if not any_films(connection):
            return {}
        found: dict[int, StoredFilm] = {}
        for piece in [None] if ids is None else chunks(ids):
            kept = films.c.picture_id.in_(piece) if piece is not None else films.c.picture_id.is_not(None)
            own: defaultdict[int, list[StoredFrame]] = defaultdict(list)
            for row in connection.execute(FRAMES.where(kept).order_by(items.c.seconds, items.c.id)):
                own[row.parent_id].append(StoredFrame(*row))
            for row in connection.execute(select(films).where(kept, sound(films))):
                found[row.picture_id] = StoredFilm(
                    row.picture_id, row.duration, row.sampling, tuple(own[row.picture_id])
                )
        return found


def motion_files(store: Store) -> Mapping[bytes, tuple[int, int]]:
    """Return size and time of change of the films of Live Photos, by path."""
    with store.reading() as connection:
        rows = connection.execute(select(motions).where(sound(motions)))
        return {row.path: (row.size, row.mtime_ns) for row in rows}


class FilmFile(NamedTuple):
    """A file as it was when it was indexed: its path, size in bytes, and time of change in nanoseconds."""

    path: bytes
    size: int
    mtime_ns: int


def film_files(store: Store, picture_id: int) -> list[FilmFile]:
    """Return the files of a film, by path."""
    return _files_of(store, files, picture_id)


def motions_of(store: Store, picture_id: int) -> list[FilmFile]:
    """Return the films that belong to a Live Photo, by path; none for other pictures."""
    return _files_of(store, motions, picture_id)


def _files_of(store: Store, table: Table, picture_id: int) -> list[FilmFile]:
    query = select(table.c.path, table.c.size, table.c.mtime_ns).where(table.c.picture_id == picture_id, sound(table))
    with store.reading() as connection:
        return [FilmFile(*row) for row in connection.execute(query.order_by(table.c.path))]
