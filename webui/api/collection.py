"""The library without a query: pictures in order, and counts for the filters."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from flask import Blueprint, Response, jsonify, request

from data.paths import clean_text
from retrieval.search.collection import BROWSED
from retrieval.search.filters import ORIENTATIONS, SOURCES
from webui.api.listed import as_hit
from webui.openapi.documents import Listed
from webui.openapi.operations import Parameter, operation
from webui.openapi.schemas import COUNT
from webui.request.narrowed import FILTERS, read_filters, read_narrowed
from webui.request.window import WINDOW, read_window
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


class Facets(TypedDict):
    """Counts by value. The filters of other facets hold, so each says what choosing it would give."""

    total: Annotated[COUNT, {"description": "How many pictures all filters keep"}]
    format: list[Value]
    orientation: Annotated[list[Value], {"description": f"Of {', '.join(ORIENTATIONS)}"}]
    source: Annotated[list[Value], {"description": f"Of {', '.join(SOURCES)}"}]
    year: Annotated[list[Value], {"description": "Latest first"}]
    folder: Annotated[list[FolderValue], {"description": "By path"}]


@collection.get("/pictures")
@operation(
    answer=Pictures,
    problems=(503,),
    query=(
        *FILTERS,
        Parameter("sort", Literal[BROWSED], "By the date taken, or as they were added, last first"),
        *WINDOW,
    ),
)
def browse() -> Response:
    """The library's pictures in order, without a query."""
    narrowed, window = read_narrowed(request.args, BROWSED), read_window(request.args)
    library = services().library
    ids = library.collection.browse(narrowed.filters, narrowed.order)
    page = library.store.pictures(ids[window.offset : window.offset + window.limit].tolist())
    return jsonify({"total": len(ids), "pictures": [as_hit(picture) for picture in page.values()]})


@collection.get("/facets")
@operation(answer=Facets, problems=(503,), query=FILTERS)
def facets() -> Response:
    """How many pictures have each format, orientation, source of caption, year and folder."""
    found = services().library.collection.facets(read_filters(request.args))
    folders = [one._asdict() | {"path": clean_text(one.path)} for one in found.folder]
    return jsonify(
        {name: [one._asdict() for one in counts] for name, counts in found._asdict().items() if name != "total"}
        | {"total": found.total, "folder": folders}
    )
