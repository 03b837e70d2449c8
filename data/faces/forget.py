"""Forget all faces and people, and leave no trace of them in the database file."""

from __future__ import annotations

from sqlalchemy import delete, func, select, text

from data.faces.reads import CHANGED_KEY, FACES_KEY
from data.faces.records import FACE
from data.faces.writes import touch
from data.store import Store
from data.tables import face_scans, faces, items, meta, people, people_history


def forget_faces(store: Store) -> tuple[int, int]:
    """Delete all faces, their vectors, people, names and decisions; return how many faces and people there were.

    `index` looks for no more faces. SQLite's file is written anew, so that nothing deleted can be read in it. Raises
    StoreError.
    """
    with store.writing() as connection:
        counts = [int(connection.scalar(select(func.count()).select_from(table)) or 0) for table in (faces, people)]
        if connection.dialect.name == "sqlite":
            connection.execute(text("PRAGMA secure_delete = ON"))
        for table in (face_scans, people_history, faces, people):
            connection.execute(delete(table))
        connection.execute(delete(items).where(items.c.kind == FACE))
        connection.execute(delete(meta).where(meta.c.key.in_([FACES_KEY, CHANGED_KEY])))
        touch(connection)
    store.rewrite()
    return counts[0], counts[1]
