"""Logs of what a person changed, so that it can be undone, one step after the other.

Such a table has the columns `id`, `what`, which tells a change in a few words, and `before`: in JSON, what there was.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select

from data.soundness import sound
from data.store import Store


def note(connection: Connection, log: Table, what: str, before: dict[str, Any]) -> None:
    """Note a change that `what` tells, to be undone by `before`."""
    connection.execute(insert(log).values(what=what, before=json.dumps(before)))


def undo_last(connection: Connection, log: Table, restore: Callable[[Connection, dict[str, Any]], None]) -> str | None:
    """Undo the last change by `restore`, which gets what there was; return what it was, None if there is none."""
    last = connection.execute(select(log).where(sound(log)).order_by(log.c.id.desc()).limit(1)).first()
    if last is None:
        return None
    connection.execute(delete(log).where(log.c.id == last.id))
    restore(connection, json.loads(last.before))
    return str(last.what)


def last_change(store: Store, log: Table) -> str | None:
    """Return what `undo_last` would undo. Raises StoreError."""
    query = select(log.c.what).where(sound(log)).order_by(log.c.id.desc())
    with store.reading() as connection:
        return connection.scalar(query.limit(1))
