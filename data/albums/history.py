"""Changes of albums can be undone, one step after the other."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from data import undo as log
from data.albums.membership import changing, known_pictures
from data.database import chunks
from data.store import Store
from data.tables import album_history, album_pictures, albums

KEPT = 100
"""Changes that can be undone."""
_ROW = ("name", "query", "cover_id", "made_at")


def remember(connection: Connection, what: str, album: int, positions: Mapping[int, int | None], made: bool) -> None:
    """Note an album before a change that `what` tells in a few words.

    `positions` are those of the pictures that change, None for one that is not in the album; `made`: there is no album
    yet.
    """
    row = None if made else connection.execute(select(albums).where(albums.c.id == album)).one()._asdict()
    if row is not None:
        row["made_at"] = row["made_at"].isoformat()
    before = {"album": album, "row": row, "pictures": list(positions.items())}
    log.note(connection, album_history, what, before)
    last = connection.scalar(select(func.max(album_history.c.id)))
    connection.execute(delete(album_history).where(album_history.c.id <= int(last or 0) - KEPT))


def undo(store: Store) -> str | None:
    """Undo the last change of albums; return what it was, None if there is none. Raises StoreError."""
    with changing(store) as connection:
        return log.undo_last(connection, album_history, _restore)


def last_change(store: Store) -> str | None:
    """Return what `undo` would undo. Raises StoreError."""
    return log.last_change(store, album_history)


def _restore(connection: Connection, before: dict[str, Any]) -> None:
    album, row = before["album"], before["row"]
    if row is None:
        connection.execute(delete(albums).where(albums.c.id == album))
        return
    listed = [number for number, _ in before["pictures"]]
    known = known_pictures(connection, [*listed, *([] if row["cover_id"] is None else [row["cover_id"]])])
    values = {name: row[name] for name in _ROW}
    values["made_at"] = datetime.fromisoformat(row["made_at"])
    values["cover_id"] = row["cover_id"] if row["cover_id"] in known else None
    if not connection.execute(update(albums).where(albums.c.id == album).values(**values)).rowcount:
        connection.execute(insert(albums).values(id=album, **values))
    for piece in chunks(listed):
        own = album_pictures.c.album_id == album, album_pictures.c.picture_id.in_(piece)
        connection.execute(delete(album_pictures).where(*own))
    rows = [
        {"album_id": album, "picture_id": number, "position": position}
        for number, position in before["pictures"]
        if position is not None and number in known
    ]
    if rows:
        connection.execute(insert(album_pictures), rows)
