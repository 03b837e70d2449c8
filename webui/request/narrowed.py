"""Which pictures of the library a request is about, and in which order it wants them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from http import HTTPStatus
from typing import Annotated, Literal

from werkzeug.datastructures import MultiDict

from data.limits import FORMATS
from retrieval.search.filters import ORDERS, ORIENTATIONS, SOURCES, Filters
from webui.openapi.operations import Parameter
from webui.problems import Problem
from webui.request.window import whole_number
from webui.services import services

LONGEST_SIDE = 1_000_000
_FOLDER = Annotated[str, {"pattern": "^[0-9a-f]{16}$"}]
_DAY = Annotated[str, {"format": "date"}]
_SIDE = Annotated[int, {"minimum": 1, "maximum": LONGEST_SIDE}]

FILTERS = (
    Parameter("folder", _FOLDER, "Only pictures in this folder, at any depth; ids are those of facets and library"),
    Parameter("taken_from", _DAY, "Taken on this day or later; where unknown, the file's time counts"),
    Parameter("taken_to", _DAY, "Taken on this day or earlier"),
    Parameter("orientation", Literal[ORIENTATIONS], "How the picture is held"),
    Parameter("min_side", _SIDE, "The longer side has at least so many pixels"),
    Parameter("max_side", _SIDE, "The longer side has at most so many pixels"),
    Parameter("format", list[Literal[FORMATS]], "Format of the file; several are alternatives"),  # type: ignore[valid-type]
    Parameter("source", Literal[SOURCES], "user: captioned by a person; model: not"),
)
"""What `read_filters` reads."""
SORT = Parameter("sort", Literal[ORDERS], "Order of the hits; newest and oldest go by the date taken")


@dataclass(frozen=True)
class Narrowed:
    """Filters and an order, and the fields of a request that say so."""

    filters: Filters = field(default_factory=Filters)
    order: str = "relevance"
    fields: Mapping[str, str | list[str]] = field(default_factory=dict)


def read_narrowed(fields: MultiDict[str, str], orders: Sequence[str] = ORDERS) -> Narrowed:
    """Read the filters and `sort`, by default the first of `orders`; empty fields count as not given.

    Raises Problem 400 or QueryError.
    """
    names = [*(one.name for one in FILTERS), SORT.name]
    given = {name: values for name in names if (values := [one for one in fields.getlist(name) if one])}
    plain: dict[str, str | list[str]] = {
        name: values if name == "format" else values[0] for name, values in given.items()
    }
    return Narrowed(read_filters(fields), known_value(fields, "sort", orders) or orders[0], plain)


def read_filters(fields: MultiDict[str, str]) -> Filters:
    """Read the filters alone. Raises Problem 400 or QueryError."""
    folder = fields.get("folder")
    return Filters(
        services().library.collection.folder(folder) if folder else None,
        _day(fields, "taken_from"),
        _day(fields, "taken_to"),
        known_value(fields, "orientation", ORIENTATIONS),
        whole_number(fields, "min_side", None, 1, LONGEST_SIDE),
        whole_number(fields, "max_side", None, 1, LONGEST_SIDE),
        tuple(_known("format", one, FORMATS) for one in fields.getlist("format") if one),
        known_value(fields, "source", SOURCES),
    )


def _day(fields: Mapping[str, str], name: str) -> date | None:
    text = fields.get(name)
    if not text:
        return None
    try:
        # date.fromisoformat takes weeks and other forms, too.
        return date.fromisoformat(text if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else "")
    except ValueError as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"{name} must be a day such as 2024-07-31") from error


def known_value(fields: Mapping[str, str], name: str, values: Sequence[str]) -> str | None:
    """Read a field that has a few known values, None where it is empty. Raises Problem 400."""
    text = fields.get(name)
    return _known(name, text, values) if text else None


def _known(name: str, text: str, values: Sequence[str]) -> str:
    if text not in values:
        raise Problem(HTTPStatus.BAD_REQUEST, f"{name} must be one of {', '.join(values)}")
    return text
