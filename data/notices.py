"""What a person should know of a library beside its pictures: notes on files, absent files, damaged rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import distinct, func, select

from data import reads
from data.database import chunks
from data.soundness import count_damaged, sound
from data.store import Store
from data.tables import files, picture_notes, skipped


class Notices(NamedTuple):
    """How many pictures are absent, see `data.identity`, how many have notes, and how many rows are damaged."""

    absent: int
    noted: int
    damaged: int


class NotedPicture(NamedTuple):
    """A picture with notes: its id, the path of one of its files, and what of it could not be used, a line each."""

    id: int
    path: bytes
    notes: Sequence[str]


class SkipReason(NamedTuple):
    """Why files were skipped, as it continues a sentence, and how many were for this reason."""

    reason: str
    files: int


_WITH_FILE = select(files.c.path).where(files.c.picture_id == picture_notes.c.picture_id).exists()


def read_notices(store: Store) -> Notices:
    """Return the counts of a whole library. Damage is looked for in every row. Raises StoreError."""
    noted = select(func.count(distinct(picture_notes.c.picture_id))).where(_WITH_FILE)
    with store.reading() as connection:
        return Notices(reads.count_absent(connection), connection.scalar(noted) or 0, count_damaged(connection))


def skip_reasons(store: Store, limit: int) -> list[SkipReason]:
    """Return the most frequent reasons why files were skipped, `limit` at most. Raises StoreError."""
    count = func.count(skipped.c.path)
    query = select(skipped.c.reason, count).where(sound(skipped)).group_by(skipped.c.reason)
    query = query.order_by(count.desc(), skipped.c.reason).limit(limit)
    with store.reading() as connection:
        return [SkipReason(str(row[0]), int(row[1])) for row in connection.execute(query)]


def notes_of(store: Store, ids: Sequence[int]) -> dict[int, list[str]]:
    """Return by picture id what of its file and sidecars could not be used, without pictures that have no notes.

    A note continues a sentence that begins with the file's name: "lacks its end, but ...". Raises StoreError.
    """
    query = select(picture_notes.c.picture_id, picture_notes.c.text).where(sound(picture_notes))
    query = query.order_by(picture_notes.c.picture_id, picture_notes.c.about, picture_notes.c.rank)
    notes: dict[int, list[str]] = {}
    with store.reading() as connection:
        for piece in chunks(ids):
            for picture_id, text in connection.execute(query.where(picture_notes.c.picture_id.in_(piece))):
                notes.setdefault(picture_id, []).append(text)
    return notes


def noted_pictures(store: Store, limit: int | None = None, offset: int = 0) -> list[NotedPicture]:
    """Return the pictures with notes by path: all, or `limit` from `offset`. Raises StoreError."""
    rank = func.row_number().over(partition_by=files.c.picture_id, order_by=files.c.path).label("rank")
    with_notes = files.c.picture_id.in_(select(picture_notes.c.picture_id))
    own = select(files.c.picture_id, files.c.path, rank).where(with_notes, sound(files)).subquery()
    query = select(own.c.picture_id, own.c.path).where(own.c.rank == 1).order_by(own.c.path)
    query = query.limit(limit).offset(offset)
    with store.reading() as connection:
        rows = [(int(row[0]), bytes(row[1])) for row in connection.execute(query)]
    notes = notes_of(store, [picture_id for picture_id, _ in rows])
    return [NotedPicture(picture_id, path, notes[picture_id]) for picture_id, path in rows if picture_id in notes]
