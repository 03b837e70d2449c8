"""Single values of a request: whole numbers, known values, pages of a list, picture ids and fields of a JSON body."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, TypeVar, overload

from flask import request
from werkzeug.datastructures import MultiDict
from werkzeug.routing import IntegerConverter, Map

from data.store import StoredPicture
from retrieval.search.search import DEFAULT_LIMIT, MAX_LIMIT
from webui.openapi.operations import Parameter
from webui.problems import Problem
from webui.services import services

T = TypeVar("T")

MAX_OFFSET = 2**31 - 1
LONGEST_FILM = 9_999_999
"""Seconds: a hundred days."""
TIME = Annotated[float, {"minimum": 0, "maximum": LONGEST_FILM}]
LONGEST_ID = 18
"""Digits; a database's ids are not longer."""
PICTURE = "/pictures/<id:picture_id>"
"""The address of a picture in the API."""

WINDOW = (
    Parameter("limit", Annotated[int, {"minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}], "How many"),
    Parameter("offset", Annotated[int, {"minimum": 0, "maximum": MAX_OFFSET, "default": 0}], "How many to skip first"),
)
"""What `read_window` reads."""
SHARE = Annotated[float, {"minimum": 0, "maximum": 1}]
"""The type of what `share` reads."""
WINDOW_NAMES = tuple(one.name for one in WINDOW)

_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_NAMES: dict[type, str] = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    list: "a list",
    dict: "an object",
}


@dataclass(frozen=True)
class Window:
    """The page of a list: `limit` entries (1 to 1,000) from number `offset` (0 or more)."""

    limit: int
    offset: int


class PictureId(IntegerConverter):
    """A whole number in an address that a database may use as an id; a longer one matches no route.

    With `int(max=...)` a longer one would match, and be answered as an address with other methods.
    """

    regex = rf"\d{{1,{LONGEST_ID}}}"

    def __init__(self, map: Map) -> None:
        super().__init__(map, max=10**LONGEST_ID - 1)


def find_picture(picture_id: int) -> StoredPicture:
    """Return the picture of this id. Raise Problem 404."""
    found = services().library.picture(picture_id)
    if found is None:
        raise no_picture(picture_id)
    return found


def no_picture(picture_id: int | str) -> Problem:
    """Return the answer to an id that no picture has."""
    return Problem(HTTPStatus.NOT_FOUND, f"there is no picture {picture_id} in the library")


def read_window(fields: Mapping[str, str]) -> Window:
    """Read `limit` and `offset` from a query string or form. Raise Problem 400."""
    limit = whole_number(fields, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
    return Window(limit, whole_number(fields, "offset", 0, 0, MAX_OFFSET))


def read_position(fields: Mapping[str, str]) -> int | None:
    """Read `at`, a picture's position among the hits, None where it is not given. Raise Problem 400."""
    return whole_number(fields, "at", None, 0, MAX_OFFSET)


@overload
def whole_number(fields: Mapping[str, str], name: str, default: int, low: int, high: int) -> int: ...


@overload
def whole_number(fields: Mapping[str, str], name: str, default: None, low: int, high: int) -> int | None: ...


def whole_number(fields: Mapping[str, str], name: str, default: int | None, low: int, high: int) -> int | None:
    """Read a number from `low` to `high`; an empty parameter counts as not given. Raise Problem 400."""
    text = fields.get(name, "").strip()
    if not text:
        return default
    # The length is checked first because int() refuses, or takes long over, thousands of digits.
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and low <= int(text) <= high):
        raise Problem(HTTPStatus.BAD_REQUEST, f"{name} must be a whole number from {low:,} to {high:,}")
    return int(text)


def share(fields: Mapping[str, str], name: str) -> float | None:
    """Read a number from 0 to 1, None where it is empty. Raise Problem 400."""
    text = fields.get(name, "").strip()
    if not text:
        return None
    # Plain digits only: float() also accepts "nan" and figures of other scripts.
    if not re.fullmatch(r"[01]|[01]?\.[0-9]{1,12}", text) or float(text) > 1:
        raise Problem(HTTPStatus.BAD_REQUEST, f"{name} must be a number from 0 to 1, such as 0.8")
    return float(text)


def read_time(fields: Mapping[str, str]) -> float | None:
    """Read `time`, seconds from the beginning of a film, None where it is not given. Raise Problem 400."""
    text = fields.get("time", "").strip()
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,7}(\.[0-9]{1,9})?", text):  # float() also takes "nan" and figures of other scripts
        raise Problem(HTTPStatus.BAD_REQUEST, f"time must be a number of seconds from 0 to {LONGEST_FILM:,}")
    return float(text)


def read_ids(fields: MultiDict[str, str], name: str) -> list[int]:
    """Read the ids of a repeated field of a form. Raise Problem 400."""
    given = fields.getlist(name)
    if not all(one.isascii() and one.isdigit() and len(one) <= LONGEST_ID for one in given):
        raise Problem(HTTPStatus.BAD_REQUEST, f"the fields {name} must be ids")
    return list(map(int, given))


def known_value(fields: Mapping[str, str], name: str, values: Sequence[str]) -> str | None:
    """Read a parameter that has a few known values, None where it is empty. Raise Problem 400."""
    text = fields.get(name)
    return check_known(name, text, values) if text else None


def check_known(name: str, text: str, values: Sequence[str]) -> str:
    """Return `text`. Raise Problem 400 where it is none of `values`."""
    if text not in values:
        raise Problem(HTTPStatus.BAD_REQUEST, f"{name} must be one of {', '.join(values)}")
    return text


def read_body() -> dict[str, Any]:
    """Return the JSON object that was sent. Raise Problem 415 for another type, 400 for anything but an object."""
    if request.mimetype != "application/json":
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the fields as JSON, with the type application/json")
    try:
        body = request.get_json(silent=True)
    except RecursionError:  # nested a thousand deep
        body = None
    if not isinstance(body, dict):
        raise Problem(HTTPStatus.BAD_REQUEST, "the body must be one JSON object")
    return body


def optional_field(body: dict[str, Any], name: str, kind: type[T]) -> T | None:
    """Return a field of the body, None where it is missing or null. Raise Problem 400 where it has another type."""
    return None if body.get(name) is None else body_field(body, name, kind)


def body_field(body: dict[str, Any], name: str, kind: type[T]) -> T:
    """Return a field of the body. Raise Problem 400 where it is missing, or has another type."""
    value = body.get(name)
    if type(value) is not kind:  # isinstance would take true for a number
        raise Problem(HTTPStatus.BAD_REQUEST, f"the field {name} must be {_NAMES[kind]}")
    return value


def body_ids(body: dict[str, Any], name: str, most: int) -> list[int]:
    """Read a list of ids in a body. Raise Problem 400 where it is none, or too long."""
    given = body_field(body, name, list)
    if not 1 <= len(given) <= most or not all(type(one) is int and 0 <= one < 2**53 for one in given):
        raise Problem(HTTPStatus.BAD_REQUEST, f"the field {name} must be a list of 1 to {most:,} ids")
    return given


def check_text(name: str, text: str) -> str:
    """Return `text`. Raise Problem 400 for characters that no text has: NUL and lone surrogates."""
    if _NO_TEXT.search(text):
        raise Problem(HTTPStatus.BAD_REQUEST, f"{name} has characters that are no text, such as NUL; leave them out")
    return text


def size_in_words(size: int) -> str:
    """Return a number of bytes as people write it: 20 MiB, 64 KiB, 300 bytes."""
    for unit, length in (("MiB", 2**20), ("KiB", 2**10)):
        if size >= length:
            return f"{size / length:.3g} {unit}"
    return f"{size} bytes"
