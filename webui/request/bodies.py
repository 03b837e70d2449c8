"""The JSON body of a request: an object with known fields, each of the right kind."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, TypeVar

from flask import request

from webui.problems import Problem

T = TypeVar("T")
_NAMES: dict[type, str] = {str: "a text", bool: "true or false", int: "a whole number", list: "a list"}


def read_body() -> dict[str, Any]:
    """Return the JSON object that was sent. Raises Problem 415 for another type, 400 for anything but an object."""
    if request.mimetype != "application/json":
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the fields as JSON, with the type application/json")
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise Problem(HTTPStatus.BAD_REQUEST, "the body must be one JSON object")
    return body


def optional(body: dict[str, Any], name: str, kind: type[T]) -> T | None:
    """Return a field, None where it is left out or null. Raises Problem 400 where it is of another kind."""
    return None if body.get(name) is None else field(body, name, kind)


def field(body: dict[str, Any], name: str, kind: type[T]) -> T:
    """Return a field that must be there. Raises Problem 400 where it is not, or is of another kind."""
    value = body.get(name)
    if type(value) is not kind:  # isinstance would take true for a number
        raise Problem(HTTPStatus.BAD_REQUEST, f"the field {name} must be {_NAMES[kind]}")
    return value
