"""Which of several copies a person wants to keep. Nothing on disk is ever deleted."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, or_, select

from data.database import chunks
from data.soundness import sound
from data.store import Store
from data.tables import choices, files


class Copy(NamedTuple):
    """One of several copies: a file of one picture, or a picture (empty `path`) among near copies."""

    picture_id: int
    path: bytes = b""


class Choice(NamedTuple):
    """What a person decided about a copy, as a member of the group with this key."""

    group_key: str
    keep: bool


def exact_copies(store: Store) -> dict[int, list[bytes]]:
    """Return the paths of every picture that has several files, by rising id. Raises StoreError."""
    with_copies = select(files.c.picture_id).group_by(files.c.picture_id).having(func.count() > 1)
    query = select(files.c.picture_id, files.c.path).where(files.c.picture_id.in_(with_copies), sound(files))
    paths: dict[int, list[bytes]] = {}
    with store.reading() as connection:
        for picture_id, path in connection.execute(query.order_by(files.c.picture_id, files.c.path)):
            paths.setdefault(picture_id, []).append(path)
    return paths


def read_choices(store: Store) -> dict[Copy, Choice]:
    """Return all decisions. Raises StoreError."""
    query = select(choices.c.picture_id, choices.c.path, choices.c.group_key, choices.c.keep)
    query = query.where(sound(choices))
    with store.reading() as connection:
        return {Copy(row[0], row[1]): Choice(row[2], row[3]) for row in connection.execute(query)}


def remember_choices(store: Store, group_key: str, keep: Mapping[Copy, bool]) -> None:
    """Store the decision on every copy of a group, replacing earlier ones. Raises StoreError."""
    with store.writing() as connection:
        _forget(connection, keep)
        connection.execute(
            insert(choices),
            [{"group_key": group_key, **copy._asdict(), "keep": kept} for copy, kept in keep.items()],
        )


def forget_choices(store: Store, copies: Collection[Copy]) -> None:
    """Delete the decisions on these copies. Raises StoreError."""
    with store.writing() as connection:
        _forget(connection, copies)


def _forget(connection: Connection, copies: Collection[Copy]) -> None:
    for piece in chunks(list(copies)):
        connection.execute(delete(choices).where(or_(*_conditions(piece))))


def _conditions(copies: Sequence[Copy]) -> list[ColumnElement[bool]]:
    return [and_(choices.c.picture_id == copy.picture_id, choices.c.path == copy.path) for copy in copies]
