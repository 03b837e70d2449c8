"""Search, and the library without a query: pictures in order, and counts by facet."""

from __future__ import annotations

from typing import Annotated, Any, TypedDict

from flask import Blueprint, Response, jsonify, request

from data.paths import clean_text
from retrieval.search.declarations import AlbumCount, Count, FolderCount
from retrieval.search.fields import COUNT, FIELDS, AlbumField, ChoiceField, DayRange, Field, FolderField
from webui.api import answers
from webui.openapi.documents import Listed, SearchResult
from webui.openapi.operations import operation
from webui.request.filters import BROWSE_SORT, FILTERS, catalogue, read_filters, read_order
from webui.request.parameters import check_fields
from webui.request.search_request import SEARCH, UPLOADS, read_search_request, read_uploads
from webui.request.values import WINDOW, read_window
from webui.services import services

search = Blueprint("search", __name__, url_prefix="/api/v1")


class Pictures(TypedDict):
    """One page of pictures, and how many there are in all."""

    total: COUNT
    pictures: list[Listed]


class Value(TypedDict):
    """How many pictures have a value."""

    value: str
    pictures: COUNT


class FolderValue(TypedDict):
    """How many pictures a folder holds at any depth; `above` is the id of its parent folder."""

    id: str
    path: str
    above: str | None
    pictures: COUNT


class AlbumValue(TypedDict):
    """How many of the pictures are in an album."""

    id: COUNT
    name: str
    pictures: COUNT


def _counts(field: Field) -> Any:
    match field:
        case FolderField():
            return Annotated[list[FolderValue], {"description": "By path"}]
        case AlbumField():
            return Annotated[list[AlbumValue], {"description": "By name; saved searches are left out"}]
        case DayRange():
            return Annotated[list[Value], {"description": "Latest first"}]
        case ChoiceField():
            return Annotated[list[Value], {"description": f"Of {', '.join(field.values)}"}]
    raise TypeError(f"no facet is known for {field!r}")


_TOTAL = {"total": Annotated[COUNT, {"description": "How many pictures all filters keep"}]}
_OF_CATALOGUE = {
    "fields": Annotated[
        dict[str, list[Value]],
        {
            "description": "Of each field of the catalogue that is no text: categories and yes/no most frequent first, "
            "numbers by value, dates by year; empty where there are more than 200 different numbers"
        },
    ]
}
_MEMBERS = _TOTAL | {field.facet: _counts(field) for field in FIELDS if field.facet} | _OF_CATALOGUE
Facets = TypedDict("Facets", _MEMBERS)  # type: ignore[misc]
Facets.__doc__ = "Counts by value. The filters of all other facets apply, so each is what choosing it would give."


@search.get("/search")
@operation(answer=SearchResult, problems=(404, 410, 413, 415, 422, 429, 503), query=(*SEARCH, *WINDOW))
def search_by_words() -> Response:
    """Pictures by words, by pictures of the library to be like or unlike, or by both."""
    return jsonify(answers.search(read_search_request(request.args), read_window(request.args)).document)


@search.post("/search")
@operation(answer=SearchResult, problems=(404, 410, 413, 415, 422, 429, 503), form=(*UPLOADS, *SEARCH, *WINDOW))
def search_by_picture() -> Response:
    """Pictures by uploaded pictures, and by all that a search by GET takes."""
    uploads = read_uploads(request, services().library.settings.max_upload_bytes)
    check_fields((*request.form, *request.files), (*UPLOADS, *SEARCH, *WINDOW))
    return jsonify(answers.search(read_search_request(request.form, uploads), read_window(request.form)).document)


@search.get("/pictures")
@operation(answer=Pictures, problems=(503,), query=(*FILTERS, BROWSE_SORT, *WINDOW))
def browse() -> Response:
    """The library's pictures in order, without a query."""
    filters, order, window = read_filters(request.args), read_order(request.args, False), read_window(request.args)
    library = services().library
    ids = library.collection.browse(filters, order)
    page = library.store.pictures(ids[window.offset : window.offset + window.limit].tolist())
    return jsonify({"total": len(ids), "pictures": answers.as_hits(page.values())})


@search.get("/facets")
@operation(answer=Facets, problems=(503,), query=FILTERS)
def facets() -> Response:
    """How many pictures have each value of each facet."""
    total, facets = services().library.collection.facets(read_filters(request.args))
    counted = {name: [_value(count) for count in counts] for name, counts in facets.items()}
    stored = {field.of.name: counted.pop(field.facet) for field in catalogue() if field.facet in counted}
    return jsonify({"total": total} | counted | {"fields": stored})


def _value(count: Count | FolderCount | AlbumCount) -> dict[str, Any]:
    return count._asdict() | ({"path": clean_text(count.path)} if isinstance(count, FolderCount) else {})
