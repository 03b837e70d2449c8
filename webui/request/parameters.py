"""The parameters in a request's address: the API refuses those it does not know, a page says that it ignores them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

from flask import Flask, current_app, request

from webui.openapi.operations import Declared, LibraryParameters, Operation, expanded
from webui.problems import Problem

View = TypeVar("View", bound=Callable[..., Any])

LONGEST_SHOWN = 40
"""Characters of an unknown name that a message repeats."""


def takes(*names: str | Declared) -> Callable[[View], View]:
    """Declare the parameters of a page, so that it can name the others."""

    def declare(view: View) -> View:
        vars(view)["parameters"] = names
        return view

    return declare


def check_parameters(app: Flask) -> None:
    """Make `app` check each address; templates get `ignored`, a line about each parameter that the page ignores."""
    app.before_request(_check)
    app.context_processor(lambda: {"ignored": _ignored()})


def check_fields(given: Iterable[str | None], known: Iterable[str | Declared]) -> None:
    """Raise Problem 400 for the first unknown name of a form's field; Werkzeug returns None for one without a name."""
    for name in unknown_names(given, known):
        raise Problem(HTTPStatus.BAD_REQUEST, name)


def unknown_names(given: Iterable[str | None], known: Iterable[str | Declared]) -> list[str]:
    """Return a line about each name in `given` that is not known; it names the nearest known one."""
    declared = list(known)
    names = [one if isinstance(one, str) else one.name for one in declared if not isinstance(one, LibraryParameters)]
    unknown = [name for name in given if name not in names]
    if unknown:  # only then the library is asked
        names += [one.name for one in expanded(one for one in declared if isinstance(one, LibraryParameters))]
    return [_unknown(name or "", names) for name in unknown if name not in names]


def _check() -> None:
    try:
        unquote_to_bytes(request.query_string).decode()
    except UnicodeDecodeError as error:
        raise Problem(HTTPStatus.BAD_REQUEST, "the parameters in the address must be encoded as UTF-8") from error
    operation: Operation | None = _declared("operation")
    if operation is not None and request.path.startswith("/api/"):
        check_fields(request.args, operation.query)


def _ignored() -> list[str]:
    known: tuple[str | Declared, ...] | None = _declared("parameters")
    return [] if known is None else unknown_names(request.args, known)


def _declared(name: str) -> Any:
    view = current_app.view_functions.get(request.endpoint or "")
    return vars(view).get(name) if view else None


def _unknown(name: str, known: list[str]) -> str:
    shown = ascii(re.sub(r"\s+", " ", name)[:LONGEST_SHOWN])
    advice = f"the nearest is {_nearest(name, known)}" if known else "this address takes none"
    return f"there is no parameter {shown}; {advice}"


def _nearest(name: str, known: list[str]) -> str:
    """Return the name that was probably meant: spelled alike, an abbreviation or the beginning, or the least unlike."""
    name = name[:LONGEST_SHOWN].lower()
    alike = get_close_matches(name, known, 1)
    begins = [one for one in known if name and (name.startswith(one) or one.startswith(name))]
    return [*alike, *begins, *get_close_matches(name, known, 1, cutoff=0.0)][0]
