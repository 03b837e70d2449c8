"""The filters and the order that a request asks for, read from and written to its parameters; made from FIELDS."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from http import HTTPStatus
from typing import Annotated, Any, Literal

from werkzeug.datastructures import MultiDict

from data.roots import folder_id
from retrieval.search.fields import FIELDS, ChoiceField, DayRange, Field, FolderField, NumberRange, order_names
from retrieval.search.filters import Filters
from webui.openapi.operations import Parameter
from webui.problems import Problem
from webui.request.values import check_known, known_value, whole_number
from webui.services import services


def _schema(field: Field) -> Any:
    match field:
        case FolderField():
            return Annotated[str, {"pattern": "^[0-9a-f]{16}$"}]
        case DayRange():
            return Annotated[str, {"format": "date"}]
        case NumberRange():
            return Annotated[int, {"minimum": 1, "maximum": field.largest}]
        case ChoiceField():
            literal: Any = Literal
            value = literal[field.values]
            return list[value] if field.several else value  # type: ignore[valid-type]
    raise TypeError(f"no schema is known for {field!r}")


FILTERS = tuple(Parameter(option.name, _schema(field), option.help) for field in FIELDS for option in field.options)
"""What `read_filters` reads."""
SORT = Parameter(
    "sort", Literal[order_names(queried=True)], "Order of the hits; newest and oldest go by the date taken"
)
BROWSE_SORT = Parameter(
    "sort", Literal[order_names(queried=False)], "By the date taken, or as pictures were added, last first"
)
"""What `read_order` reads for a search, and without a query."""


def read_filters(fields: MultiDict[str, str]) -> Filters:
    """Return the filters; empty parameters count as not given. Raise Problem 400 or QueryError."""
    return Filters(**{option.name: _read(field, option.name, fields) for field in FIELDS for option in field.options})


def read_order(fields: Mapping[str, str], queried: bool) -> str:
    """Return the order in `sort`, or the default for hits or without a query. Raise Problem 400."""
    names = order_names(queried)
    return known_value(fields, "sort", names) or names[0]


def filter_parameters(filters: Filters) -> dict[str, str | list[str]]:
    """Return the parameters that ask for these filters."""
    return {name: _write(value) for name, value in filters.items()}


def _read(field: Field, name: str, fields: MultiDict[str, str]) -> Any:
    match field:
        case FolderField():
            given = fields.get(name)
            return services().library.collection.folder(given) if given else None
        case DayRange():
            return _day(fields, name)
        case NumberRange():
            return whole_number(fields, name, None, 1, field.largest)
        case ChoiceField(several=True):
            return tuple(check_known(name, given, field.values) for given in fields.getlist(name) if given)
        case ChoiceField():
            return known_value(fields, name, field.values)
    raise TypeError(f"no parameter is known for {field!r}")


def _write(value: Any) -> str | list[str]:
    if isinstance(value, bytes):
        return folder_id(value)
    return list(value) if isinstance(value, tuple) else str(value)


def _day(fields: Mapping[str, str], name: str) -> date | None:
    text = fields.get(name)
    if not text:
        return None
    try:
        # date.fromisoformat also accepts weeks and other forms.
        return date.fromisoformat(text if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else "")
    except ValueError as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"{name} must be a day such as 2024-07-31") from error
