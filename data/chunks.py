"""Cut a run of values into pieces that fit one SQL statement."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

SIZE = 500
"""Well under the least number of bound values that a database allows in one statement (999 in old SQLite)."""


def chunks(values: Collection[T]) -> Iterator[list[T]]:
    """Yield the values in order, in lists of at most SIZE."""
    rest = iter(values)
    while piece := list(islice(rest, SIZE)):
        yield piece
