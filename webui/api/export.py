"""Taking pictures out of the library: hits, a filtered library, or a selection, as CSV, JSON or ZIP."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Annotated, Any, Literal, TypedDict

from flask import Blueprint, Response, request

from data import limits
from data.store import Store
from retrieval.search.fields import RELEVANCE, order_names
from webui.api.answers import query_of
from webui.api.exports import FIELD_COLUMNS, Exported, as_csv, as_json, as_zip
from webui.api.turns import Turns
from webui.openapi.operations import Parameter, operation
from webui.openapi.schemas import COUNT
from webui.problems import Problem
from webui.request.filters import read_filters, read_order
from webui.request.search_request import SEARCH, read_search_request
from webui.request.values import body_field, known_value, read_body
from webui.services import services

FORMATS = ("csv", "json", "zip")
MIMETYPES = {"csv": "text/csv", "json": "application/json", "zip": "application/zip"}
MOST_FILES = 10_000
"""Pictures in one archive, and ids in one request."""
AT_ONCE = 2
"""Each takes a thread of the server until it is through, and the memory of one file."""
CHUNK = 200

export = Blueprint("export", __name__, url_prefix="/api/v1")
_turns = Turns(AT_ONCE, "others are being exported; try again when they are through")
_FORMAT = Parameter(
    "format",
    Annotated[list[Literal[(*FORMATS, *limits.FORMATS)]], {"minItems": 1}],  # type: ignore[valid-type]
    "One of csv and json, what is known, and zip, the files; beside it formats of pictures to filter by",
    required=True,
)
_PROBLEMS = (404, 503)


class Selected(TypedDict):
    """Pictures of the library, and the form to give them in."""

    format: Literal[FORMATS]  # type: ignore[valid-type]
    ids: Annotated[list[COUNT], {"maxItems": MOST_FILES}]


ExportedPicture = TypedDict(  # type: ignore[misc]
    "ExportedPicture",
    {"id": COUNT, "paths": list[str], "caption": str, "captions": list[str], "score": float | None}
    | {column.name: column.type for column in FIELD_COLUMNS},
)
ExportedPicture.__doc__ = "What is known of a picture; the score is that of a search."


class ExportedPictures(TypedDict):
    """An export as JSON."""

    pictures: list[ExportedPicture]


_ANSWER = {MIMETYPES["csv"]: str, MIMETYPES["json"]: ExportedPictures, MIMETYPES["zip"]: bytes}


@export.get("/export")
@operation(
    answer=_ANSWER,
    problems=_PROBLEMS,
    query=(_FORMAT, *(one for one in SEARCH if one.name != "format")),
)
def export_hits() -> Response:
    """All hits of a search, or without a query all pictures that the filters keep, as a file."""
    fields = request.args.copy()
    given = fields.poplist("format")
    forms = [one for one in given if one in FORMATS]
    fields.setlist("format", [one for one in given if one not in FORMATS])
    form = _form(forms[0] if len(forms) == 1 else None)
    library = services().library
    if not request.args.keys() & {"q", "like"}:
        order = read_order(fields, queried=True)
        order = order_names(queried=False)[0] if order == RELEVANCE.name else order
        return exported(form, library.collection.browse(read_filters(fields), order).tolist())
    search = read_search_request(fields)
    selection = library.collection.select(search.filters, search.order)
    hits = library.searcher().hits(query_of(search), search.distant, selection)
    return exported(form, hits.ids.tolist(), hits.scores.tolist())


@export.post("/export")
@operation(answer=_ANSWER, body=Selected, problems=(415, *_PROBLEMS))
def export_selection() -> Response:
    """A selection of pictures as a file, in the order of their ids in the request; unknown ids are left out."""
    body = read_body()
    form, ids = _form(known_value(body, "format", FORMATS)), body_field(body, "ids", list)
    if not all(type(one) is int and 0 <= one < 2**63 for one in ids):
        raise Problem(HTTPStatus.BAD_REQUEST, "the field ids must list ids of pictures")
    if len(ids) > MOST_FILES:
        raise Problem(HTTPStatus.BAD_REQUEST, f"{len(ids):,} pictures were chosen; choose {MOST_FILES:,} at most")
    return exported(form, list(dict.fromkeys(ids)))


def _form(given: str | None) -> str:
    if given is None:
        raise Problem(HTTPStatus.BAD_REQUEST, f"format must name one of {', '.join(FORMATS)}")
    return given


def exported(form: str, ids: Sequence[int], scores: Sequence[float] | None = None) -> Response:
    """Return pictures as a file to be kept. Raises Problem 400 for too many files."""
    if form == "zip" and len(ids) > MOST_FILES:
        raise Problem(HTTPStatus.BAD_REQUEST, f"{len(ids):,} files are too many for one archive; filter more")
    pictures = _pictures(services().library.store, ids, scores)
    limits = services().library.settings.limits
    made = {"csv": as_csv, "json": as_json}[form](pictures) if form != "zip" else as_zip(pictures, limits)
    response = Response(_turns.stream(made), mimetype=MIMETYPES[form])
    response.headers["Content-Disposition"] = f'attachment; filename="retroflex.{form}"'
    response.headers["Cache-Control"] = "no-store"
    return response


def _pictures(store: Store, ids: Sequence[int], scores: Sequence[float] | None) -> Iterator[Exported]:
    """Read the pictures a few at a time; one that was removed meanwhile is left out."""
    for start in range(0, len(ids), CHUNK):
        piece = ids[start : start + CHUNK]
        score_of: dict[int, Any] = dict(zip(piece, scores[start : start + CHUNK], strict=True)) if scores else {}
        for picture in store.pictures(piece).values():
            yield Exported(picture, score_of.get(picture.id))
