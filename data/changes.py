"""Which pictures a search can find, and which changed since a state of the store. Each function runs inside the
caller's transaction."""

from __future__ import annotations

import numpy as np
from sqlalchemy import Connection, exists, select

from data.films.queries import searched_frames
from data.reads import generation
from data.records import Changes
from data.tables import changes, files, generations


def searched_ids(connection: Connection) -> tuple[int, np.ndarray]:
    """Return the generation, and the ids, int64 and rising, of all pictures and films that have a file.

    The generation is read first. If the second statement sees later writes, their changes are logged after that
    generation, so nothing is missed.
    """
    present = generation(connection)
    ids = connection.scalars(select(files.c.picture_id).distinct().order_by(files.c.picture_id))
    return present, np.fromiter(ids, np.int64)


def searched_items(connection: Connection) -> tuple[int, np.ndarray]:
    """Return the generation, and the ids of `searched_ids` with those of all frames of these films."""
    present, ids = searched_ids(connection)
    return present, _with(ids, searched_frames(connection))


def changes_since(connection: Connection, since: int) -> Changes | None:
    """Return what changed after the generation `since`, None where the store was never in that state.

    The frames of a film that changed are changed, too; those that it had before are known to who searched them.
    """
    if connection.scalar(select(generations.c.generation).where(generations.c.generation == since)) is None:
        return None
    present = generation(connection)  # first, as in `searched_ids`
    has_file = exists().where(files.c.picture_id == changes.c.picture_id)
    query = select(changes.c.picture_id, has_file).where(changes.c.generation > since).order_by(changes.c.picture_id)
    rows = np.array([tuple(row) for row in connection.execute(query)], np.int64).reshape(-1, 2)
    kept = rows[:, 1] == 1
    return Changes(present, _with(rows[kept, 0], searched_frames(connection, since)), rows[~kept, 0])


def _with(ids: np.ndarray, frames: np.ndarray) -> np.ndarray:
    return np.sort(np.concatenate([ids, frames])) if len(frames) else ids
