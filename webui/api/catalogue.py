"""The catalogue: its fields, what a person says of a picture, and rows that a program sends."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, NotRequired, TypedDict

from flask import Blueprint, Response, jsonify

from data.catalogue.fields import NoSuchField, counts_by_field, field_named, remove_user_fact, set_user_fact
from data.catalogue.files import as_text
from data.catalogue.profile import NameProblem
from data.catalogue.upsert import Upserted, upsert_rows
from data.catalogue.values import LONGEST_TEXT, TYPES, CatalogueField, Value, ValueProblem, parse
from retrieval.search.catalogue import built_in_names
from retrieval.search.fields import COUNT
from webui.api.answers import picture_document
from webui.openapi.documents import FIELD_TYPE, Picture
from webui.openapi.operations import operation
from webui.problems import Problem
from webui.request.filters import catalogue as stored_fields
from webui.request.values import PICTURE, body_field, check_text, find_picture, optional_field, read_body
from webui.services import services

MOST_ROWS = 1000
"""Rows of one request."""
_FIELD = f"{PICTURE}/fields/<path:name>"

catalogue = Blueprint("catalogue", __name__, url_prefix="/api/v1")


class ListedField(TypedDict):
    """A field of the catalogue; rows are matched to pictures by one that is a `key`."""

    name: str
    label: str
    type: FIELD_TYPE
    key: bool
    pictures: Annotated[int, {"minimum": 0, "description": "How many pictures have a value"}]


class Fields(TypedDict):
    """The fields of the catalogue, in order."""

    fields: list[ListedField]


class NewValue(TypedDict):
    """What a person says a field's value is; null or an empty text for none."""

    value: Annotated[Any, {"description": "A text, a number or true/false, as the type of the field needs it"}]


class Rows(TypedDict):
    """Rows of a table. `types` has the types of columns that shall become new fields."""

    key: Annotated[str, {"description": "The column whose value names each row's picture", "minLength": 1}]
    rows: Annotated[
        list[dict[str, Any]],
        {"maxItems": MOST_ROWS, "description": "By column; null or an empty text removes a value"},
    ]
    types: NotRequired[dict[str, FIELD_TYPE] | None]


class RowError(TypedDict):
    """A row that was not stored, by its number from 0, and why."""

    row: COUNT
    detail: str


class Stored(TypedDict):
    """What became of the rows: how many pictures they are of, how many values changed, and which rows were refused."""

    pictures: COUNT
    added: COUNT
    updated: COUNT
    removed: COUNT
    kept: Annotated[int, {"minimum": 0, "description": "Values of persons that differ from the rows, and stay"}]
    errors: list[RowError]


@catalogue.get("/catalogue")
@operation(answer=Fields, problems=(503,))
def fields() -> Response:
    """The fields of the catalogue, and how many pictures have a value of each."""
    counts = counts_by_field(services().library.store)
    listed = [
        {"name": of.name, "label": of.label, "type": of.type, "key": of.is_key, "pictures": counts.get(of.id, 0)}
        for of in (field.of for field in stored_fields())
    ]
    return jsonify({"fields": listed})


@catalogue.put("/catalogue/rows")
@operation(answer=Stored, body=Rows, problems=(413, 415, 503))
def put_rows() -> Response:
    """Store rows of a table as `retroflex import` does; only differences are written.

    Rows are matched by the values of the key's field, else by names of files. A row with an error is left out whole.
    """
    body = read_body()
    key, rows = check_text("key", body_field(body, "key", str)), body_field(body, "rows", list)
    types = optional_field(body, "types", dict) or {}
    if len(rows) > MOST_ROWS:
        raise Problem(HTTPStatus.BAD_REQUEST, f"{len(rows):,} rows were sent; send at most {MOST_ROWS:,} at once")
    if not all(isinstance(kind, str) and kind in TYPES for kind in types.values()):
        raise Problem(HTTPStatus.BAD_REQUEST, f"the field types must name types: {', '.join(TYPES)}")
    library = services().library
    library.store.check_writable()
    try:
        stored = upsert_rows(library.store, library.collection.columns, key, rows, types, built_in_names())
    except (NameProblem, NoSuchField) as error:
        raise Problem(HTTPStatus.BAD_REQUEST, str(error)) from error
    return jsonify(_as_json(stored))


def _as_json(stored: Upserted) -> Mapping[str, Any]:
    errors = [{"row": row, "detail": detail} for row, detail in sorted(stored.errors.items())]
    return {"pictures": stored.pictures, **stored.changed.values, "errors": errors}


@catalogue.put(_FIELD)
@operation(answer=Picture, body=NewValue, problems=(404, 415, 503))
def set_field(picture_id: int, name: str) -> Response:
    """Say what a field's value is for a picture; no import overwrites it."""
    find_picture(picture_id)
    of, body = _field(name), read_body()
    if "value" not in body:
        raise Problem(HTTPStatus.BAD_REQUEST, "the field value is missing; null says that there is no value")
    given = body["value"]
    if isinstance(given, dict | list):
        raise Problem(HTTPStatus.BAD_REQUEST, "the field value must be a text, a number, true, false or null")
    set_user_fact(services().library.store, picture_id, of, read_value(of, as_text(given)))
    return jsonify(picture_document(find_picture(picture_id)))


@catalogue.delete(_FIELD)
@operation(answer=Picture, problems=(404, 503))
def remove_field(picture_id: int, name: str) -> Response:
    """Take a person's value away; what was imported counts again."""
    find_picture(picture_id)
    remove_user_fact(services().library.store, picture_id, _field(name))
    return jsonify(picture_document(find_picture(picture_id)))


def read_value(of: CatalogueField, raw: str) -> Value | None:
    """Return the value of a field that a person gives. Raise Problem 400."""
    try:
        return parse(of.type, check_text(of.name, raw))
    except ValueProblem as error:
        shown = raw[:40] + ("…" if len(raw) > 40 else "")
        detail = f"{of.label}: {shown!r} {error}" if len(raw) <= LONGEST_TEXT else f"{of.label} {error}"
        raise Problem(HTTPStatus.BAD_REQUEST, detail) from error


def _field(name: str) -> CatalogueField:
    try:
        return field_named([field.of for field in stored_fields()], name)
    except NoSuchField as error:
        raise Problem(HTTPStatus.NOT_FOUND, str(error)) from error
