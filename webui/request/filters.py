"""The filters and the order that a request asks for, read from and written to its parameters; made from FIELDS."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from http import HTTPStatus
from typing import Annotated, Any, Literal

from werkzeug.datastructures import MultiDict

from data.catalogue.values import BOOLEAN, DATE, DECIMAL, INTEGER
from data.roots import folder_id
from retrieval.search.catalogue import StoredField
from retrieval.search.declarations import Option
from retrieval.search.fields import (
    ALBUM_ORDER,
    FIELDS,
    AlbumField,
    ChoiceField,
    ConfidenceField,
    DayRange,
    Field,
    FolderField,
    NumberRange,
    order_names,
)
from retrieval.search.filters import Filters
from webui.openapi.operations import Declared, LibraryParameters, Parameter
from webui.problems import Problem
from webui.request.values import MAX_OFFSET, SHARE, check_known, check_text, known_value, share, whole_number
from webui.services import services

_STORED = {INTEGER: int, DECIMAL: float, DATE: Annotated[str, {"format": "date"}], BOOLEAN: Literal["yes", "no"]}


def _schema(field: Field, option: Option) -> Any:
    match field:
        case StoredField():
            value = _STORED.get(field.of.type, str)
            return list[value] if option == field.options[0] else value  # type: ignore[valid-type]
        case FolderField():
            return Annotated[str, {"pattern": "^[0-9a-f]{16}$"}]
        case AlbumField():
            return Annotated[int, {"minimum": 0, "maximum": MAX_OFFSET}]
        case DayRange():
            return Annotated[str, {"format": "date"}]
        case NumberRange():
            return Annotated[int, {"minimum": 1, "maximum": field.largest}]
        case ChoiceField():
            literal: Any = Literal
            one = literal[field.values]
            return list[one] if field.several else one  # type: ignore[valid-type]
        case ConfidenceField():
            return SHARE
    raise TypeError(f"no schema is known for {field!r}")


def _parameters(fields: Sequence[Field]) -> tuple[Parameter, ...]:
    return tuple(
        Parameter(option.name, _schema(field, option), option.help) for field in fields for option in field.options
    )


def _sort(queried: bool, about: str) -> LibraryParameters:
    literal: Any = Literal
    return LibraryParameters(lambda: (Parameter("sort", literal[order_names(queried, catalogue())], about),))


def catalogue() -> tuple[StoredField, ...]:
    """Return the fields of the library's catalogue. Raise StoreError."""
    return services().library.collection.catalogue()


FILTERS: tuple[Declared, ...] = (*_parameters(FIELDS), LibraryParameters(lambda: _parameters(catalogue())))
"""What `read_filters` reads."""
SORT = _sort(True, "Order of the hits; newest and oldest go by the date taken")
BROWSE_SORT = _sort(False, "By the date taken, or as pictures were added, last first")
"""What `read_order` reads for a search, and without a query."""


def read_filters(fields: MultiDict[str, str]) -> Filters:
    """Return the filters; empty parameters count as not given. Raise Problem 400 or QueryError."""
    own = services().library.collection.fields()
    return Filters(own, **{option.name: _read(field, option.name, fields) for field in own for option in field.options})


def read_order(fields: Mapping[str, str], queried: bool) -> str:
    """Return the order in `sort`, or the default for hits or without a query. Raise Problem 400."""
    names = order_names(queried, catalogue()) if fields.get("sort") else ()
    return known_value(fields, "sort", names) or default_order(bool(fields.get(ALBUM_ORDER.name)), queried)


def default_order(in_album: bool, queried: bool) -> str:
    """Return the order without `sort`: an album, without a query, is in its own."""
    return ALBUM_ORDER.name if in_album and not queried else order_names(queried)[0]


def filter_parameters(filters: Filters) -> dict[str, str | list[str]]:
    """Return the parameters that ask for these filters."""
    return {name: _write(value) for name, value in filters.items()}


def _read(field: Field, name: str, fields: MultiDict[str, str]) -> Any:
    match field:
        case StoredField():
            given = [check_text(name, one) for one in fields.getlist(name) if one.strip()]
            if name == field.options[0].name:
                return tuple(field.read(name, one) for one in given)
            return field.read(name, given[0]) if given else None
        case FolderField():
            folder = fields.get(name)
            return services().library.collection.folder(folder) if folder else None
        case AlbumField():
            album = whole_number(fields, name, None, 0, MAX_OFFSET)
            return None if album is None else services().library.collection.album(album)
        case DayRange():
            return _day(fields, name)
        case NumberRange():
            return whole_number(fields, name, None, 1, field.largest)
        case ChoiceField(several=True):
            return tuple(check_known(name, one, field.values) for one in fields.getlist(name) if one)
        case ChoiceField():
            return known_value(fields, name, field.values)
        case ConfidenceField():
            return share(fields, name)
    raise TypeError(f"no parameter is known for {field!r}")


def _write(value: Any) -> str | list[str]:
    if isinstance(value, bytes):
        return folder_id(value)
    return list(map(str, value)) if isinstance(value, tuple) else str(value)


def _day(fields: Mapping[str, str], name: str) -> date | None:
    text = fields.get(name)
    if not text:
        return None
    try:
        # date.fromisoformat also accepts weeks and other forms.
        return date.fromisoformat(text if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else "")
    except ValueError as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"{name} must be a day such as 2024-07-31") from error
