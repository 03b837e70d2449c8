"""Which part of the hits a request asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, overload

from retrieval.search.search import DEFAULT_LIMIT, MAX_LIMIT
from webui.openapi.operations import Parameter
from webui.problems import Problem

MAX_OFFSET = 2**31 - 1

WINDOW = (
    Parameter("limit", Annotated[int, {"minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}], "How many hits"),
    Parameter(
        "offset", Annotated[int, {"minimum": 0, "maximum": MAX_OFFSET, "default": 0}], "How many to leave out first"
    ),
)
"""What `read_window` reads."""


@dataclass(frozen=True)
class Window:
    """`limit` hits (1 to 1,000) from the one numbered `offset` (0 or more)."""

    limit: int
    offset: int


def read_window(fields: Mapping[str, str]) -> Window:
    """Read `limit` and `offset` from a query string or form. Raises Problem 400."""
    limit = whole_number(fields, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
    return Window(limit, whole_number(fields, "offset", 0, 0, MAX_OFFSET))


def read_place(fields: Mapping[str, str]) -> int | None:
    """Read `at`, a picture's place among the hits, None where it is not given. Raises Problem 400."""
    return whole_number(fields, "at", None, 0, MAX_OFFSET)


@overload
def whole_number(fields: Mapping[str, str], name: str, default: int, low: int, high: int) -> int: ...


@overload
def whole_number(fields: Mapping[str, str], name: str, default: None, low: int, high: int) -> int | None: ...


def whole_number(fields: Mapping[str, str], name: str, default: int | None, low: int, high: int) -> int | None:
    """Read a number from `low` to `high`; an empty field counts as not given. Raises Problem 400."""
    text = fields.get(name, "").strip()
    if not text:
        return default
    # The length is checked first because int() refuses, or takes long over, thousands of digits.
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and low <= int(text) <= high):
        raise Problem(HTTPStatus.BAD_REQUEST, f"{name} must be a whole number from {low:,} to {high:,}")
    return int(text)
