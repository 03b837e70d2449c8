"""Mend damaged rows of favourites and albums: what can be read stays. Each runs inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from data.metadata.dates import now
from data.soundness import at_row, bytes_at
from data.tables import album_pictures, albums, favourites
from data.writes import readable

MENDED = "mended"
LOST = "dropped; which picture it was about cannot be read"


def mend_favourite(connection: Connection, row: int, columns: Sequence[str]) -> str:
    """Give a favourite the present time where its own cannot be read."""
    if "picture_id" in columns:
        connection.execute(delete(favourites).where(at_row(row)))
        return LOST
    connection.execute(update(favourites).where(at_row(row)).values(since=now()))
    return MENDED


def mend_album(connection: Connection, row: int, columns: Sequence[str]) -> str:
    """Keep of an album's name and search what can be read."""
    name = readable(bytes_at(connection, albums, "name", row)) or "Album"
    values: dict[str, Any] = {"name": name[:128]} if "name" in columns else {}
    if "query" in columns:
        values["query"] = readable(bytes_at(connection, albums, "query", row)) or ""
    others = {"cover_id": None, "made_at": now()}
    values |= {column: value for column, value in others.items() if column in columns}
    connection.execute(update(albums).where(at_row(row)).values(**values))
    return MENDED


def mend_member(connection: Connection, row: int, columns: Sequence[str]) -> str:
    """Put a picture whose position cannot be read at the end of its album."""
    if set(columns) != {"position"}:
        connection.execute(delete(album_pictures).where(at_row(row)))
        return LOST
    last = select(func.max(album_pictures.c.position)).where(func.typeof(album_pictures.c.position) == "integer")
    end = int(connection.scalar(last) or 0) + 1
    connection.execute(update(album_pictures).where(at_row(row)).values(position=end))
    return MENDED
