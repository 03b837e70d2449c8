"""Which rows of a store are sound: SQLite keeps any value in any column, so damage may leave what no type allows.

The conditions are made of `data.tables`: one for each column by its type, and a few limits. Listings leave out the rows
that do not meet them, and `retroflex check` mends these. Other databases check types themselves.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    Boolean,
    Case,
    Column,
    ColumnElement,
    Connection,
    DateTime,
    Float,
    Integer,
    Label,
    LargeBinary,
    String,
    Table,
    case,
    cast,
    literal_column,
    select,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from data.tables import metadata, roots

IS_TEXT = "retroflex_is_text"
"""The function of SQLite connections that says whether bytes, in hexadecimal, are valid UTF-8."""

_LIMITS = {
    "pictures.width": "BETWEEN 0 AND 2147483647",
    "pictures.height": "BETWEEN 0 AND 2147483647",
    "pictures.bytes": ">= 0",
    "pictures.digest": "<> ''",
    "files.size": ">= 0",
    "captions.text": "<> ''",
    "captions.source": "IN ('model', 'user')",
    "features.dimensions": "> 0",
    "choices.keep": "IN (0, 1)",
}
_TWO = "[0-9][0-9]"
_MOMENT = (
    "(typeof({0}) = 'text' AND substr({0}, 1, 4) >= '0001' AND date(substr({0}, 1, 10), '+0 days') = substr({0}, 1, 10)"
    f" AND ({{0}} GLOB '{_TWO}{_TWO}-{_TWO}-{_TWO}' OR (substr({{0}}, 11, 9) GLOB ' {_TWO}:[0-5][0-9]:[0-5][0-9]'"
    f" AND substr({{0}}, 12, 2) < '24' AND substr({{0}}, 20) GLOB '.{_TWO * 3}')"
    f" OR ({{0}} GLOB '{_TWO}{_TWO}-{_TWO}-{_TWO} {_TWO}:[0-5][0-9]:[0-5][0-9]' AND substr({{0}}, 12, 2) < '24')))"
)
_TEXT = "typeof({0}) = 'text' AND ({0} NOT GLOB '*[^ -~]*' OR " + IS_TEXT + "(hex({0})))"
_BY_TYPE: Sequence[tuple[type, str]] = (
    (DateTime, _MOMENT),
    (Boolean, "typeof({0}) = 'integer'"),
    (Float, "typeof({0}) IN ('real', 'integer')"),
    (LargeBinary, "typeof({0}) = 'blob'"),
    (String, _TEXT),
    (Integer, "typeof({0}) = 'integer'"),
)

ROW = literal_column("rowid", Integer)
"""Where SQLite has a row, whatever its columns hold."""

logger = logging.getLogger(__name__)
_told: set[tuple[str, object]] = set()


class _OnSqlite(FunctionElement[bool]):
    """A condition in SQLite's dialect, true in others."""

    inherit_cache = True
    name = "on_sqlite"


@compiles(_OnSqlite)
def _true(element: _OnSqlite, compiler: Any, **options: Any) -> str:
    return "(1 = 1)"


@compiles(_OnSqlite, "sqlite")
def _condition(element: _OnSqlite, compiler: Any, **options: Any) -> str:
    return f"({compiler.process(element.clauses, **options)})"


def sound(table: Table, *columns: str) -> ColumnElement[bool]:
    """Return the condition that a row of the table, or these columns of it, can be read."""
    checked = [table.c[name] for name in columns] or list(table.c)
    conditions = [_condition_of(column) for column in checked]
    if table.name == "features" and not columns:
        conditions.append("(features.dimensions IS NULL OR length(features.value) = 2 * features.dimensions)")
    return _OnSqlite(literal_column(" AND ".join(conditions)))


def _condition_of(column: Column[Any]) -> str:
    name = f"{column.table.name}.{column.name}"
    form = next(form for kind, form in _BY_TYPE if isinstance(column.type, kind))
    limit = f" AND {name} {_LIMITS[name]}" if name in _LIMITS else ""
    condition = f"coalesce({form.format(name)}{limit}, 0)"  # NULL, where a function fails, is no answer
    return f"({name} IS NULL OR {condition})" if column.nullable else condition


def guarded(table: Table, *columns: str) -> list[ColumnElement[Any]]:
    """Return these columns, NULL in a damaged row, whose values may not even be read, and `sound`."""
    condition = sound(table)
    values: list[Label[Any] | Case[Any]] = [case((condition, table.c[name])).label(name) for name in columns]
    return [*values, condition.label("sound")]


def tell_damage(table: Table, key: object) -> None:
    """Log once that a row is left out; `key` names it."""
    if (table.name, key) not in _told:
        _told.add((table.name, key))
        logger.warning(
            "damage in the library: a row of %s (%s) is left out; `retroflex check` mends it", table.name, key
        )


def is_text(content: str) -> bool:
    """Return whether bytes, in hexadecimal, are valid UTF-8."""
    try:
        bytes.fromhex(content).decode()
    except UnicodeDecodeError:
        return False
    return True


def patterns_of(text: str | None) -> tuple[str, ...] | None:
    """Return the patterns that a root's `exclude` holds, None where it is damaged."""
    try:
        patterns = json.loads(text or "")
    except ValueError:
        return None
    whole = isinstance(patterns, list) and all(isinstance(pattern, str) for pattern in patterns)
    return tuple(patterns) if whole else None


class Damage(NamedTuple):
    """A damaged row: its table, SQLite's row id, and the columns that cannot be read."""

    table: Table
    row: int
    columns: tuple[str, ...]


def at_row(row: int) -> ColumnElement[bool]:
    """Return the condition that a row is at this ROW."""
    return ROW == row  # noqa: SIM300  ROW is a column


def bytes_at(connection: Connection, table: Table, column: str, row: int) -> bytes | None:
    """Return what a column of the row at ROW holds, as bytes, of whatever type it is."""
    return connection.scalar(select(cast(table.c[column], LargeBinary)).where(at_row(row)))


def damaged_rows(connection: Connection, table: Table) -> list[Damage]:
    """Return the rows of a table that listings leave out."""
    if connection.dialect.name != "sqlite":
        return []
    flags = [case((_OnSqlite(literal_column(_condition_of(column))), 1), else_=0) for column in table.c]
    rows = connection.execute(select(ROW, *flags).select_from(table).where(~sound(table))).all()
    names = [column.name for column in table.c]
    damages = [
        Damage(table, row[0], tuple(name for name, ok in zip(names, row[1:], strict=True) if not ok)) for row in rows
    ]
    if table is roots:
        query = select(ROW, roots.c.exclude).select_from(roots).where(sound(roots))
        lost = [row for row, exclude in connection.execute(query) if patterns_of(exclude) is None]
        damages += [Damage(roots, row, ("exclude",)) for row in lost]
    return damages


def count_damaged(connection: Connection) -> int:
    """Return how many rows of all tables are damaged."""
    return sum(len(damaged_rows(connection, table)) for table in metadata.sorted_tables)
