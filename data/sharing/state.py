"""The state of servers in a library that several of them share: single values, each changed by one server at a time."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import BigInteger, Double, cast, delete, exists, func, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import insert

from data.metadata.dates import now
from data.store import Store
from data.tables import ended_sessions, meta, rate_buckets

SECRET_KEY, ACCESS_KEY, JOB_KEY = "server_secret", "server_access", "server_job"
"""In `meta`: what signs tokens of folders, who may log in, and the job of indexing."""
VECTORS_KEY = "vectors_name"
"""In `meta`: what the names of the library's collections in Milvus begin with."""
SERVER_KEYS = (SECRET_KEY, ACCESS_KEY, JOB_KEY, VECTORS_KEY)
_COPYING = 0x726574726F766563
"""The advisory lock of who copies vectors: "retrovec" in ASCII."""
_SECONDS = cast(func.extract("epoch", func.clock_timestamp()), Double)


def read_value(store: Store, key: str) -> tuple[str, float]:
    """Return a value, "" where there is none, and the database's time in seconds since 1970. Raises StoreError."""
    with store.glancing() as connection:
        value = select(meta.c.value).where(meta.c.key == key).scalar_subquery()
        row = connection.execute(select(func.coalesce(value, ""), _SECONDS)).one()
        return str(row[0]), float(row[1])


def change_value(store: Store, key: str, change: Callable[[str, float], str]) -> str:
    """Make `change` of a value, "" where there is none, and of the time; return it.

    No other server changes it meanwhile. Raises StoreError, and what `change` raises.
    """
    with store.coordinating() as connection:
        connection.execute(insert(meta).values(key=key, value="").on_conflict_do_nothing())
        stored = connection.scalar(select(meta.c.value).where(meta.c.key == key).with_for_update())
        value = change(str(stored), float(connection.scalar(select(_SECONDS)) or 0))
        if value != stored:
            connection.execute(update(meta).where(meta.c.key == key).values(value=value))
        return value


def server_secret(store: Store) -> bytes:
    """Return the secret that all servers of a library have, made by the first. Raises StoreError."""
    return bytes.fromhex(change_value(store, SECRET_KEY, lambda value, _: value or secrets.token_hex(32)))


def vectors_name(store: Store) -> str:
    """Return the name of the library in a database of vectors, made by the first who asks. Raises StoreError."""
    query = select(meta.c.value).where(meta.c.key == VECTORS_KEY)
    with store.glancing() as connection:
        name = connection.scalar(query)
    if name is None:
        insert_into = insert if store.shared else sqlite.insert
        row = insert_into(meta).values(key=VECTORS_KEY, value=f"retroflex_{secrets.token_hex(8)}")
        with store.coordinating() as connection:
            connection.execute(row.on_conflict_do_nothing())
            name = connection.scalar(query)
    return str(name)


@contextmanager
def only_copier(store: Store) -> Iterator[bool]:
    """Yield whether no other machine copies the vectors of a library in PostgreSQL; it stays so while this lasts.

    Where this process dies, the lock ends with its connection. Raises StoreError.
    """
    with store.coordinating() as connection:
        yield bool(connection.scalar(select(func.pg_try_advisory_xact_lock(cast(_COPYING, BigInteger)))))


def end_session(store: Store, session: str, life: timedelta) -> None:
    """Note that a session has ended, and forget those that ended more than its `life` ago. Raises StoreError."""
    with store.coordinating() as connection:
        connection.execute(delete(ended_sessions).where(ended_sessions.c.ended_at < now() - life))
        connection.execute(insert(ended_sessions).values(id=session, ended_at=now()).on_conflict_do_nothing())


def has_ended(store: Store, session: str) -> bool:
    """Return whether a session has ended. Raises StoreError."""
    with store.glancing() as connection:
        return bool(connection.scalar(select(exists().where(ended_sessions.c.id == session))))


def change_buckets(
    store: Store, ids: Collection[str], change: Callable[[float, Sequence[float]], Sequence[float] | None]
) -> None:
    """Make `change` of the time and what is stored of buckets; None changes nothing. Raises StoreError."""
    ordered = sorted(ids)  # so that two servers do not wait for each other
    with store.coordinating() as connection:
        rows = [{"id": one, "full_at": 0.0} for one in ordered]
        connection.execute(insert(rate_buckets).values(rows).on_conflict_do_nothing())
        query = select(rate_buckets).where(rate_buckets.c.id.in_(ordered)).order_by(rate_buckets.c.id)
        stored = dict(map(tuple, connection.execute(query.with_for_update())))
        seconds = float(connection.scalar(select(_SECONDS)) or 0)
        changed = change(seconds, [stored[one] for one in ids])
        for one, full_at in zip(ids, changed or (), strict=False):
            connection.execute(update(rate_buckets).where(rate_buckets.c.id == one).values(full_at=full_at))
