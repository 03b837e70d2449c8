"""What is written of films: each with its frames and their descriptions in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import delete, func, insert, select, update

from data import writes
from data.database import chunks
from data.films.records import FILM, FRAME, FilmRow
from data.paths import to_bytes
from data.records import Batch, DescriptionRow
from data.store import Store
from data.tables import files, films, items, motions, pictures

LIVE_PICTURES = (".heic", ".heif", ".jpg", ".jpeg")
"""The suffixes of pictures that a film of the same name may belong to."""


def describe_items(store: Store, rows: Sequence[tuple[int, DescriptionRow]]) -> None:
    """Write descriptions of pictures and frames by item id in one transaction; unknown ids are left out.

    Raises StoreError.
    """
    given = [number for number, _ in rows]
    with store.writing() as connection:
        owners: dict[int, int] = {}
        for piece in chunks(given):
            query = select(items.c.id, func.coalesce(items.c.parent_id, items.c.id)).where(items.c.id.in_(piece))
            owners.update(map(tuple, connection.execute(query)))
        writes.put_descriptions(connection, [(number, row) for number, row in rows if number in owners])
        for piece in chunks(set(owners.values())):
            writes.note_changes(connection, select(pictures.c.id).where(pictures.c.id.in_(piece)))


class MotionRow(NamedTuple):
    """The film of a Live Photo: its path, size and time of change, and the id of the picture."""

    path: bytes
    picture_id: int
    size: int
    mtime_ns: int


def picture_beside(store: Store, film: Path) -> int | None:
    """Return the id of the picture whose file has the name of `film` but for the suffix. Raises StoreError."""
    ends = [end for suffix in LIVE_PICTURES for end in (suffix, suffix.upper())]
    paths = [to_bytes(film.with_suffix(end)) for end in ends]
    with store.reading() as connection:
        query = select(files.c.picture_id).where(files.c.path.in_(paths))
        found = connection.scalar(query.order_by(files.c.path).limit(1))
        return None if found is None else int(found)


def put_motion(store: Store, motion: MotionRow) -> None:
    """Write the film of a Live Photo, which is no film of its own any more. Raises StoreError."""
    with store.writing() as connection:
        there = connection.scalar(select(pictures.c.id).where(pictures.c.id == motion.picture_id))
        writes.write_batch(connection, Batch(gone=[motion.path]))
        if there is not None:
            connection.execute(insert(motions).values(**motion._asdict()))


def put_film(store: Store, film: FilmRow) -> None:
    """Write a film, its files, its frames and their descriptions in one transaction.

    Frames that are stored keep their ids if they are of the same sampling and time; all others of it go. Raises
    StoreError.
    """
    with store.writing() as connection:
        writes.write_batch(connection, Batch(files=list(film.files), pictures=[film.picture]))
        film_id = connection.scalar(select(pictures.c.id).where(pictures.c.digest == film.picture.digest))
        assert film_id is not None
        connection.execute(update(items).where(items.c.id == film_id).values(kind=FILM))
        before = connection.scalar(select(films.c.sampling).where(films.c.picture_id == film_id))
        connection.execute(delete(films).where(films.c.picture_id == film_id))
        values = {"picture_id": film_id, "duration": film.duration, "sampling": film.sampling}
        connection.execute(insert(films).values(**values))
        own = (items.c.parent_id == film_id) & (items.c.kind == FRAME)
        rows = connection.execute(select(items.c.seconds, items.c.id).where(own, items.c.seconds.is_not(None)))
        stored: dict[float, int] = dict(map(tuple, rows))
        wanted = [frame.seconds for frame in film.frames]
        lost = {
            seconds: number for seconds, number in stored.items() if seconds not in wanted or before != film.sampling
        }
        for piece in chunks(lost.values()):
            connection.execute(delete(items).where(items.c.id.in_(piece)))
        stored = {seconds: number for seconds, number in stored.items() if seconds not in lost}
        new = [seconds for seconds in wanted if seconds not in stored]
        if new:
            made = [{"kind": FRAME, "parent_id": film_id, "seconds": seconds} for seconds in new]
            stored |= dict(zip(new, writes.new_items(connection, made), strict=True))
        described = [(stored[frame.seconds], frame.description) for frame in film.frames]
        writes.put_descriptions(connection, described)
