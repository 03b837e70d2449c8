"""Statements on films and their frames, each inside the caller's transaction.

A library without films pays for one look into an empty table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

import numpy as np
from sqlalchemy import Connection, Select, exists, func, select

from data.database import chunks
from data.films.records import FRAME
from data.soundness import sound
from data.tables import changes, features, files, films, items, pictures

HASFRAMES_AND_FILE = exists().where(files.c.picture_id == films.c.picture_id)
FRAMES = (
    select(items.c.id, items.c.parent_id, items.c.seconds)
    .join(films, films.c.picture_id == items.c.parent_id)
    .where(items.c.kind == FRAME, items.c.seconds.is_not(None), sound(items))
)


def any_films(connection: Connection) -> bool:
    """Return whether there is a film."""
    return connection.scalar(select(films.c.picture_id).limit(1)) is not None


def searched_frames(connection: Connection, since: int | None = None) -> np.ndarray:
    """Return the ids, int64 and rising, of the frames of films that have a file: all, or of those changed `since`."""
    if not any_films(connection):
        return np.zeros(0, np.int64)
    query = FRAMES.with_only_columns(items.c.id).where(HASFRAMES_AND_FILE)
    if since is not None:
        query = query.join(changes, changes.c.picture_id == films.c.picture_id).where(changes.c.generation > since)
    return np.fromiter(connection.scalars(query.order_by(items.c.id)), np.int64)


def frames_among(connection: Connection, ids: Collection[int]) -> dict[int, int]:
    """Return the film of each frame among `ids`, few enough for one statement."""
    if not any_films(connection):
        return {}
    return {row.id: row.parent_id for row in connection.execute(FRAMES.where(items.c.id.in_(ids)))}


def described_films(connection: Connection, digests: Collection[str], model_version: str) -> set[str]:
    """Return the digests of the films among `digests` whose frames `model_version` has described."""
    if not any_films(connection):
        return set()
    query = _described(pictures.c.digest).where(features.c.model_version == model_version).distinct()
    return {one for piece in chunks(digests) for one in connection.scalars(query.where(pictures.c.digest.in_(piece)))}


def films_described_by(connection: Connection) -> Counter[str]:
    """Return how many films that have a file each model version described."""
    if not any_films(connection):
        return Counter()
    version = features.c.model_version
    query = _described(version, func.count(films.c.picture_id.distinct()))
    rows = connection.execute(query.where(HASFRAMES_AND_FILE, sound(features, "model_version")).group_by(version))
    return Counter(dict(map(tuple, rows)))


def frame_vectors_by(connection: Connection) -> Counter[tuple[str, str]]:
    """Return how many vectors of frames, of films that have a file, there are by kind and model version."""
    if not any_films(connection):
        return Counter()
    made = features.c.kind, features.c.model_version
    query = _described(*made, func.count()).where(features.c.dimensions.is_not(None), HASFRAMES_AND_FILE)
    rows = connection.execute(query.where(sound(features, "model_version", "kind")).group_by(*made))
    return Counter({(kind, version): count for kind, version, count in rows})


def _described(*columns: Any) -> Select[Any]:
    query = select(*columns).select_from(films).join(pictures, pictures.c.id == films.c.picture_id)
    query = query.join(items, items.c.parent_id == films.c.picture_id)
    return query.join(features, features.c.item_id == items.c.id).where(items.c.kind == FRAME)
