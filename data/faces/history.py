"""What a person decided about people can be undone, one step after the other."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from data import undo as log
from data.database import chunks
from data.soundness import sound
from data.store import Store
from data.tables import faces, people, people_history


def remember(
    connection: Connection, what: str, people_ids: Collection[int], face_ids: Collection[int], made: Sequence[int] = ()
) -> None:
    """Note people and faces as they are, before a change that `what` tells in a few words; `made` are new people."""
    persons = [
        [row.id, row.name, row.hidden]
        for piece in chunks(people_ids)
        for row in connection.execute(select(people).where(people.c.id.in_(piece), sound(people)))
    ]
    placed = [
        [row.item_id, row.person_id, row.decided]
        for piece in chunks(face_ids)
        for row in connection.execute(select(faces).where(faces.c.item_id.in_(piece), sound(faces)))
    ]
    before = {"people": persons, "made": list(made), "faces": placed}
    log.note(connection, people_history, what, before)


def undo(store: Store) -> str | None:
    """Undo the last change of people; return what it was, None if there is none. Raises StoreError."""
    with store.writing() as connection:
        return log.undo_last(connection, people_history, _restore)


def last_change(store: Store) -> str | None:
    """Return what `undo` would undo. Raises StoreError."""
    return log.last_change(store, people_history)


def _restore(connection: Connection, before: dict[str, Any]) -> None:
    for number, name, hidden in before["people"]:
        there = connection.execute(update(people).where(people.c.id == number).values(name=name, hidden=hidden))
        if not there.rowcount:
            connection.execute(insert(people).values(id=number, name=name, hidden=hidden))
    known = set(connection.scalars(select(people.c.id)))
    for number, person, decided in before["faces"]:
        own = person if person in known else None
        connection.execute(update(faces).where(faces.c.item_id == number).values(person_id=own, decided=decided))
    for number in before["made"]:
        connection.execute(update(faces).where(faces.c.person_id == number).values(person_id=None, decided=False))
        connection.execute(delete(people).where(people.c.id == number))
