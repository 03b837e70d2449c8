"""The library without a query: pictures in order, and counts for the filters."""

from __future__ import annotations

from typing import Annotated, Any, TypedDict

from flask import Blueprint, Response, jsonify, request

from data.paths import clean_text
from retrieval.search.fields import FIELDS, ChoiceField, Count, DayRange, Field, FolderCount, FolderField
from webui.api.listed import as_hit
from webui.openapi.documents import Listed
from webui.openapi.operations import operation
from webui.openapi.schemas import COUNT
from webui.request.filters import BROWSE_SORT, FILTERS, read_filters, read_order
from webui.request.values import WINDOW, read_window
from webui.services import services

collection = Blueprint("collection", __name__, url_prefix="/api/v1")


class Pictures(TypedDict):
    """One page of pictures, and how many there are in all."""

    total: COUNT
    pictures: list[Listed]


class Value(TypedDict):
    """How many pictures have a value."""

    value: str
    pictures: COUNT


class FolderValue(TypedDict):
    """How many pictures lie in a folder at any depth; `above` is the id of the folder above it."""

    id: str
    path: str
    above: str | None
    pictures: COUNT


def _counts(field: Field) -> Any:
    match field:
        case FolderField():
            return Annotated[list[FolderValue], {"description": "By path"}]
        case DayRange():
            return Annotated[list[Value], {"description": "Latest first"}]
        case ChoiceField():
            return Annotated[list[Value], {"description": f"Of {', '.join(field.values)}"}]
    raise TypeError(f"no facet is known for {field!r}")


_TOTAL = {"total": Annotated[COUNT, {"description": "How many pictures all filters keep"}]}
_MEMBERS = _TOTAL | {field.facet: _counts(field) for field in FIELDS if field.facet}
Facets = TypedDict("Facets", _MEMBERS)  # type: ignore[misc]
Facets.__doc__ = "Counts by value. The filters of all other facets apply, so each is what choosing it would give."


@collection.get("/pictures")
@operation(
    answer=Pictures,
    problems=(503,),
    query=(*FILTERS, BROWSE_SORT, *WINDOW),
)
def browse() -> Response:
    """The library's pictures in order, without a query."""
    filters, order, window = read_filters(request.args), read_order(request.args, False), read_window(request.args)
    library = services().library
    ids = library.collection.browse(filters, order)
    page = library.store.pictures(ids[window.offset : window.offset + window.limit].tolist())
    return jsonify({"total": len(ids), "pictures": [as_hit(picture) for picture in page.values()]})


@collection.get("/facets")
@operation(answer=Facets, problems=(503,), query=FILTERS)
def facets() -> Response:
    """How many pictures have each value of each facet."""
    total, facets = services().library.collection.facets(read_filters(request.args))
    return jsonify({"total": total} | {name: [_value(count) for count in counts] for name, counts in facets.items()})


def _value(count: Count | FolderCount) -> dict[str, Any]:
    return count._asdict() | ({"path": clean_text(count.path)} if isinstance(count, FolderCount) else {})
