"""What a search index reads of the store: which pictures changed, and what they are found by."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from sqlalchemy import Connection, exists, func, select

from data.database import StoreDamaged
from data.reads import HAS_FILE, captions_of, generation
from data.records import Changes, SearchedPicture, StoredCaption
from data.tables import changes, features, files, generations, pictures


def searched_ids(connection: Connection) -> tuple[int, np.ndarray]:
    """Return the generation, and the ids, int64 and rising, of all pictures that have a file.

    The generation is read first: should the database show later writes to the second statement, their changes are
    still logged after it, and nothing is missed.
    """
    present = generation(connection)
    every = connection.scalars(select(files.c.picture_id).distinct().order_by(files.c.picture_id))
    return present, np.fromiter(every, np.int64)


def changes_since(connection: Connection, since: int) -> Changes | None:
    """Return what changed after the generation `since`, None where the store was never in that state."""
    if connection.scalar(select(generations.c.generation).where(generations.c.generation == since)) is None:
        return None
    present = generation(connection)  # first, as in `searched_ids`
    has_file = exists().where(files.c.picture_id == changes.c.picture_id)
    query = select(changes.c.picture_id, has_file).where(changes.c.generation > since).order_by(changes.c.picture_id)
    rows = np.array([tuple(row) for row in connection.execute(query)], np.int64).reshape(-1, 2)
    there = rows[:, 1] == 1
    return Changes(present, rows[there, 0], rows[~there, 0])


def main_model(connection: Connection) -> str | None:
    """Return the model version that described most of the pictures that have a file, None where none did."""
    versions = select(features.c.model_version).join(pictures).where(HAS_FILE).group_by(features.c.model_version)
    return connection.scalar(versions.order_by(func.count().desc(), features.c.model_version).limit(1))


def searched_pictures(connection: Connection, ids: Collection[int]) -> list[SearchedPicture]:
    """Return those of the pictures that have a file, and a caption or a vector, by rising id.

    `ids` are few enough for one statement.
    """
    there = connection.scalars(
        select(files.c.picture_id).where(files.c.picture_id.in_(ids)).distinct().order_by(files.c.picture_id)
    ).all()
    texts = captions_of(connection, there)
    rows = connection.execute(select(features).where(features.c.picture_id.in_(there)))
    made = {row.picture_id: row for row in rows}
    return [_searched(one, texts[one], made.get(one)) for one in there if one in texts or one in made]


def _searched(picture_id: int, texts: list[StoredCaption], made: Any) -> SearchedPicture:
    by_user = any(caption.source == "user" for caption in texts)
    captions = [caption.text for caption in texts]
    if made is None:
        return SearchedPicture(picture_id, captions, by_user, None, None, None)
    vector, embedding = _vector(made.vector), _vector(made.embedding)
    return SearchedPicture(picture_id, captions, by_user, made.model_version, vector, embedding)


def _vector(blob: bytes | None) -> np.ndarray | None:
    try:
        return None if blob is None else np.frombuffer(blob, "<f2")
    except ValueError as error:
        raise StoreDamaged("a vector in the library is damaged; index again") from error
