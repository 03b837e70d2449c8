"""A library is copied from one database to another, with all ids; a copy that was stopped goes on where it was.

The source is read in one transaction, so it may be used meanwhile. Rows go over in the order of their keys, each table
after those that it refers to; what the target holds of a table tells where to go on. At the end the rows of both are
counted and hashed. Until then the target is marked, and no other command opens it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    bindparam,
    column,
    delete,
    func,
    insert,
    literal,
    select,
    table,
    text,
    tuple_,
)

from data.albums.membership import number_of_changes
from data.migrations import GENERATION_KEY, VERSION_KEY
from data.sharing.state import SERVER_KEYS
from data.soundness import count_damaged
from data.store import COPYING_KEY, Store
from data.store_errors import StoreDamaged, StoreError
from data.tables import claims, ended_sessions, generations, indexers, meta, metadata, pictures, rate_buckets

AT_ONCE = 500
"""Rows in one statement and transaction; a row has some kilobytes at most."""
PASSING = (indexers, claims, rate_buckets, ended_sessions)
"""Tables of what is going on; they are not copied."""
Progress = Callable[[str, int, int], None]
"""Gets what is done, "copying" or "verifying", the rows that are done, and all rows."""


def copy_store(source: Store, target: Store, progress: Progress = lambda what, done, total: None) -> int:
    """Copy all rows to `target`, opened with `unfinished`; return how many there are.

    Raises StoreError where the target holds another library, where the source is damaged, or the copies differ.
    """
    tables = [one for one in metadata.sorted_tables if one not in (*PASSING, meta)]
    with source.reading() as reader:
        _check_source(source, reader)
        _begin(reader, target)
        total, done = sum(_count(reader, one) for one in tables), 0
        for one in tables:
            done += _already(target, one)
            progress("copying", done, total)
            for rows in _batches(reader, one, _last_key(target, one)):
                with target.coordinating() as writer:
                    writer.execute(insert(one), rows)
                done += len(rows)
                progress("copying", done, total)
        _verify(reader, target, tables, lambda rows: progress("verifying", rows, total))
        _finish(reader, target, tables)
    return total


def identity_of(connection: Connection) -> str:
    """Return what tells a library from others: when it was first written, in microseconds; "" for a new one."""
    first = select(func.min(generations.c.generation)).where(generations.c.generation > 0)
    return str(connection.scalar(first) or "")


def _check_source(source: Store, reader: Connection) -> None:
    damaged = count_damaged(reader)
    if damaged:
        raise StoreDamaged(f"{source.name} has damaged rows ({damaged:,}); run `retroflex check` first")
    if not identity_of(reader):
        raise StoreError(f"{source.name} has nothing to copy yet")


def _begin(reader: Connection, target: Store) -> None:
    """Mark the target as the copy of this state of the source; what it has of an earlier state is dropped."""
    generation = reader.scalar(select(meta.c.value).where(meta.c.key == GENERATION_KEY))
    state = f"{identity_of(reader)} {generation} {number_of_changes(reader)}"
    with target.coordinating() as writer:
        marked = writer.scalar(select(meta.c.value).where(meta.c.key == COPYING_KEY))
        holds_pictures = writer.scalar(select(func.count()).select_from(pictures))
        if marked is None and (holds_pictures or identity_of(writer)):
            raise StoreError(f"{target.name} holds a library already; give the address of an empty database")
        if marked is not None and marked.split()[0] != state.split()[0]:
            raise StoreError(f"{target.name} holds part of the copy of another library; give an empty database")
        if marked != state:
            for one in reversed(metadata.sorted_tables):
                if one is not meta:
                    writer.execute(delete(one))
            writer.execute(delete(meta).where(meta.c.key == COPYING_KEY))
            writer.execute(insert(meta).values(key=COPYING_KEY, value=state))


def _count(connection: Connection, one: Table) -> int:
    return int(connection.scalar(select(func.count()).select_from(one)) or 0)


def _already(target: Store, one: Table) -> int:
    with target.reading() as connection:
        return _count(connection, one)


def _last_key(target: Store, one: Table) -> Sequence[Any] | None:
    """Return the key of the last row that the target has of a table."""
    keys = list(one.primary_key.columns)
    with target.reading() as connection:
        row = connection.execute(select(*keys).order_by(*(key.desc() for key in keys)).limit(1)).first()
    return None if row is None else tuple(row)


def _batches(connection: Connection, one: Table, after: Sequence[Any] | None) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of a table after a key, in the order of keys."""
    keys = list(one.primary_key.columns)
    while True:
        query = select(one).order_by(*keys).limit(AT_ONCE)
        query = query if after is None else query.where(_behind(keys, after))
        rows = [{name: _plain(value) for name, value in row._mapping.items()} for row in connection.execute(query)]
        if not rows:
            return
        yield rows
        after = tuple(rows[-1][key.name] for key in keys)


def _behind(keys: Sequence[ColumnElement[Any]], after: Sequence[Any]) -> ColumnElement[bool]:
    values = [literal(value, key.type) for key, value in zip(keys, after, strict=True)]
    return keys[0] > values[0] if len(keys) == 1 else tuple_(*keys) > tuple_(*values)


def _plain(value: Any) -> Any:
    """Return a value as either database keeps it: PostgreSQL has no NUL in texts."""
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value


def _verify(reader: Connection, target: Store, tables: Sequence[Table], progress: Callable[[int], None]) -> None:
    """Compare numbers and hashes of all rows. Raises StoreError."""
    done = 0
    with target.reading() as copied:
        for one in tables:
            counts, hashes = [0, 0], [hashlib.sha256(), hashlib.sha256()]
            for side, connection in enumerate((reader, copied)):
                for rows in _batches(connection, one, None):
                    counts[side] += len(rows)
                    for row in rows:
                        _feed(hashes[side], row)
                    progress(done + (counts[0] + counts[1]) // 2)
            if counts[0] != counts[1] or hashes[0].digest() != hashes[1].digest():
                raise StoreError(
                    f"{target.name} differs from its source in {one.name} ({counts[1]:,} rows instead of "
                    f"{counts[0]:,}, or other values); was it written meanwhile? Copy into a new database"
                )
            done += counts[0]


def _feed(digest: Any, row: dict[str, Any]) -> None:
    for value in row.values():
        content = value if isinstance(value, bytes) else repr(value).encode(errors="surrogatepass")
        digest.update(b"%c%d:" % (65 + isinstance(value, bytes), len(content)) + content)


def _finish(reader: Connection, target: Store, tables: Sequence[Table]) -> None:
    """Continue ids where the source would, take over its settings, and remove the mark."""
    kept = select(meta.c.key, meta.c.value).where(meta.c.key.not_in((VERSION_KEY, COPYING_KEY, *SERVER_KEYS)))
    values = [row._asdict() for row in reader.execute(kept)]
    with target.coordinating() as writer:
        for one in tables:
            last = _last_id(reader, one)
            if last is not None:
                _continue_ids(writer, one, last)
        writer.execute(delete(meta).where(meta.c.key != VERSION_KEY))
        writer.execute(insert(meta), values)


_SEQUENCES = table("sqlite_sequence", column("name"), column("seq"))
_SEQUENCE = text("SELECT pg_get_serial_sequence(:name, 'id')")


def _last_id(connection: Connection, one: Table) -> int | None:
    """Return the last id that a table gave to a row, which may be gone; None where it gives no ids."""
    if one.autoincrement_column is None:
        return None
    used = connection.scalar(select(func.max(one.autoincrement_column))) or 0
    if connection.dialect.name == "sqlite":
        given = connection.scalar(select(_SEQUENCES.c.seq).where(_SEQUENCES.c.name == one.name))
    else:
        sequence = connection.scalar(_SEQUENCE, {"name": one.name})
        given = connection.scalar(text(f"SELECT last_value - 1 + is_called::int FROM {sequence}"))
    return max(int(used), int(given or 0))


def _continue_ids(connection: Connection, one: Table, last: int) -> None:
    """Give the next row an id after `last`."""
    if connection.dialect.name != "sqlite":
        sequence = connection.scalar(_SEQUENCE, {"name": one.name})
        setting = text("SELECT setval(cast(:name AS regclass), :next, false)").bindparams(bindparam("next", last + 1))
        connection.execute(setting, {"name": sequence})
    elif one.dialect_kwargs.get("sqlite_autoincrement"):
        connection.execute(delete(_SEQUENCES).where(_SEQUENCES.c.name == one.name))
        connection.execute(insert(_SEQUENCES).values(name=one.name, seq=last))
