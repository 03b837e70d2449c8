"""Small pieces of SQL shared by what reads and what writes the store."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice
from typing import TypeVar

from sqlalchemy import ColumnElement, Table, or_

T = TypeVar("T")

_PIECE = 200
"""Few enough for the limits of every database: SQLite allows 999 bound values or terms in old builds."""


def chunks(values: Collection[T]) -> Iterator[list[T]]:
    """Yield the values in order, in lists short enough for one statement."""
    rest = iter(values)
    while piece := list(islice(rest, _PIECE)):
        yield piece


def at_or_below(table: Table, path: bytes) -> ColumnElement[bool]:
    """A condition on `table.path`; what lies below a folder sorts between "folder/" and "folder0"."""
    folder = path.rstrip(b"/")
    column = table.c.path
    return or_(column == folder, (column >= folder + b"/") & (column < folder + b"0"))
