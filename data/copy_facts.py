"""What is known of copies and decides which of them to keep: pixels, whether a camera's date is there, bytes, files."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import select

from data.database import chunks
from data.soundness import sound
from data.store import Store
from data.tables import files, pictures


class CopyFacts(NamedTuple):
    """One picture: pixels, whether its file tells when a camera took it, bytes, and its files as path and mtime_ns."""

    pixels: int
    by_camera: bool
    size: int
    files: dict[bytes, int]


def read_copy_facts(store: Store, ids: Collection[int]) -> dict[int, CopyFacts]:
    """Return the facts of pictures, by id. Raises StoreError."""
    found: dict[int, CopyFacts] = {}
    with store.reading() as connection:
        for piece in chunks(sorted(ids)):
            query = select(
                pictures.c.id, pictures.c.width, pictures.c.height, pictures.c.taken_at, pictures.c.bytes
            ).where(pictures.c.id.in_(piece), sound(pictures))
            for number, width, height, taken_at, size in connection.execute(query):
                found[number] = CopyFacts(width * height, taken_at is not None, size, {})
            listed = select(files.c.picture_id, files.c.path, files.c.mtime_ns).where(
                files.c.picture_id.in_(piece), sound(files)
            )
            for number, path, modified in connection.execute(listed.order_by(files.c.path)):
                if number in found:
                    found[number].files[path] = modified
    return found
