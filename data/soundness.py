"""Which rows of a store are sound: SQLite keeps any value in any column, so damage may leave what no type allows.

The conditions are made of `data.tables`: one for each column by its type, and a few limits. Listings leave out the rows
that do not meet them, and `retroflex check` mends these. Other databases check types themselves.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    Boolean,
    Case,
    Column,
    ColumnElement,
    DateTime,
    Float,
    Integer,
    Label,
    LargeBinary,
    String,
    Table,
    case,
    literal_column,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

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
_MOMENT = (
    "(typeof({0}) = 'text' AND {0} >= '0001' AND substr({0}, 1, 19) GLOB"
    " '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9]'"
    " AND strftime('%Y-%m-%d %H:%M:%S', substr({0}, 1, 19)) = substr({0}, 1, 19)"
    " AND (length({0}) = 19 OR (length({0}) = 26 AND substr({0}, 20) GLOB '.[0-9][0-9][0-9][0-9][0-9][0-9]')))"
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
    conditions = [column_condition(column) for column in checked]
    if table.name == "features" and not columns:
        conditions.append("(features.dimensions IS NULL OR length(features.value) = 2 * features.dimensions)")
    return _OnSqlite(literal_column(" AND ".join(conditions)))


def column_condition(column: Column[Any]) -> str:
    """Return in SQLite's dialect the condition that the column of a row can be read."""
    name = f"{column.table.name}.{column.name}"
    form = next(form for kind, form in _BY_TYPE if isinstance(column.type, kind))
    limit = f" AND {name} {_LIMITS[name]}" if name in _LIMITS else ""
    condition = f"({form.format(name)}{limit})"
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
