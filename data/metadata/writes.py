"""Store what picture files and their sidecars say of themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, bindparam, case, delete, insert, update

from data.database import chunks
from data.metadata.dates import METADATA_VERSION
from data.records import MetadataRow, PictureRow
from data.tables import picture_notes, picture_texts, pictures

OUTDATED = ""
"""In place of the gazetteer that named the place of a picture whose files have been read anew since."""


def put_metadata(connection: Connection, rows: Sequence[PictureRow | MetadataRow], ids: Mapping[str, int]) -> None:
    """Store by `ids`, those of pictures by digest, what their files say of themselves, in place of what was stored."""
    latest = {ids[row.digest]: row for row in rows}
    if latest:
        told = ("taken_at", "taken_from", "latitude", "longitude")
        known = update(pictures).where(pictures.c.id == bindparam("of"))
        known = known.values({name: bindparam(f"new_{name}") for name in told})
        outdated = case((pictures.c.gazetteer.is_not(None), OUTDATED))
        known = known.values(metadata_version=METADATA_VERSION, gazetteer=outdated)
        connection.execute(known, [{"of": one} | _told(row) for one, row in latest.items()])
    for piece in chunks(latest):
        connection.execute(delete(picture_texts).where(picture_texts.c.picture_id.in_(piece)))
    texts = [
        {"picture_id": one, "rank": rank, **text._asdict()}
        for one, row in latest.items()
        for rank, text in enumerate(row.texts)
    ]
    if texts:
        connection.execute(insert(picture_texts), texts)
    _put_notes(connection, latest)


def _told(row: PictureRow | MetadataRow) -> dict[str, object]:
    latitude, longitude = row.position or (None, None)
    told = {"taken_at": row.taken_at, "taken_from": row.taken_from, "latitude": latitude, "longitude": longitude}
    return {f"new_{name}": value for name, value in told.items()}


def _put_notes(connection: Connection, rows: Mapping[int, PictureRow | MetadataRow]) -> None:
    """Store notes on files and sidecars by picture id, in place of what was stored."""
    whole = [picture_id for picture_id, row in rows.items() if isinstance(row, PictureRow)]
    for about, renewed in (("file", whole), ("sidecar", list(rows))):
        for piece in chunks(renewed):
            old = picture_notes.c.picture_id.in_(piece) & (picture_notes.c.about == about)
            connection.execute(delete(picture_notes).where(old))
    values = [
        {"picture_id": picture_id, "about": about, "rank": rank, "text": text}
        for picture_id, row in rows.items()
        for about, notes in (("file", getattr(row, "notes", ())), ("sidecar", row.sidecar_notes))
        for rank, text in enumerate(notes)
    ]
    if values:
        connection.execute(insert(picture_notes), values)
