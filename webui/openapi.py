"""The description of the API. Kept by hand; a test holds it against the routes and their answers."""

from __future__ import annotations

from typing import Any

from retrieval.query import MAX_PICTURES
from retrieval.search import DEFAULT_LIMIT, MAX_LIMIT
from webui.uploads import FIELD, UNLIKE_FIELD
from webui.window import MAX_OFFSET

Schema = dict[str, Any]
Parameters = tuple[Schema, ...]

_TEXT: Schema = {"type": "string"}
_NUMBER: Schema = {"type": "number"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_BINARY: Schema = {"type": "string", "format": "binary"}
_LIMIT: Schema = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
_OFFSET: Schema = {"type": "integer", "minimum": 0, "maximum": MAX_OFFSET, "default": 0}


def _list_of(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def _object(properties: dict[str, Schema], optional: tuple[str, ...] = ()) -> Schema:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "required": required, "properties": properties}


def _named(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _or_null(kind: str, **more: Any) -> Schema:
    return {"type": [kind, "null"], **more}


SCHEMAS: dict[str, Schema] = {
    "Problem": _object({"type": _TEXT, "title": _TEXT, "status": {"type": "integer"}, "detail": _TEXT}),
    "Links": _object({"file": _TEXT, "thumbnail": _TEXT}),
    "Hit": _object(
        {
            "id": _COUNT,
            "path": _TEXT,
            "caption": _TEXT,
            "captions": _list_of(_TEXT),
            "score": _NUMBER,
            "scores": {
                "type": "object",
                "additionalProperties": _NUMBER,
                "description": "The parts of the score by name: bleu, cosine, embedding; with words., like1., like2., "
                "unlike1. and so on before it where several things were asked for, uploads first",
            },
            "width": _COUNT,
            "height": _COUNT,
            "links": _named("Links"),
        }
    ),
    "SearchResult": _object(
        {
            "query": _object({"text": _TEXT, "captions": _list_of(_TEXT)}, optional=("text",)),
            "total": _COUNT,
            "closest": _or_null("number")
            | {"description": "The best score of any picture, close enough for a hit or not; null where there is none"},
            "hits": _list_of(_named("Hit")),
        }
    ),
    "Caption": _object(
        {
            "text": _TEXT,
            "source": {"enum": ["model", "user"]},
            "logprob": _or_null("number"),
            "model_version": _or_null("string"),
        }
    ),
    "Picture": _object(
        {
            "id": _COUNT,
            "paths": _list_of(_TEXT),
            "width": _COUNT,
            "height": _COUNT,
            "format": _TEXT,
            "bytes": _COUNT,
            "taken_at": _or_null("string", format="date-time"),
            "captions": _list_of(_named("Caption")),
            "can_undo": {"type": "boolean", "description": "Whether a change of a person's caption can be undone"},
            "links": _named("Links"),
        }
    ),
    "Health": _object({"status": _TEXT}),
    "Readiness": _object({"status": _TEXT, "model_version": _TEXT}),
}

_REASONS = {
    "400": "A field is missing or wrong, or the query is empty or too long",
    "403": "The request names another host, or another web site sent it",
    "404": "There is no such picture in the library",
    "409": "The caption was never changed",
    "410": "The picture's file was moved, changed or deleted since it was indexed",
    "413": "The upload has too many bytes or pixels",
    "415": "The upload is no form, or its file is no picture",
    "422": "The uploaded picture is damaged",
    "503": "Not ready, busy, or the library cannot be used now; try again after Retry-After",
}


def _query(name: str, schema: Schema, about: str) -> Schema:
    return {"name": name, "in": "query", "required": False, "description": about, "schema": schema}


def _get(
    name: str, about: str, media: str, schema: Schema, reasons: str, parameters: tuple[Schema, ...] = ()
) -> Schema:
    operation: Schema = {
        "operationId": name,
        "summary": about,
        "responses": {"200": {"description": "Found", "content": {media: {"schema": schema}}}} | _problems(reasons),
    }
    return operation | ({"parameters": list(parameters)} if parameters else {})


def _problems(reasons: str) -> Schema:
    content = {"application/problem+json": {"schema": _named("Problem")}}
    return {code: {"description": _REASONS[code], "content": content} for code in ["403", *reasons.split()]}


_JSON = "application/json"
_WINDOW = (_query("limit", _LIMIT, "How many hits"), _query("offset", _OFFSET, "How many hits to leave out first"))
_ID: Schema = {"name": "picture_id", "in": "path", "required": True, "schema": _COUNT}
_VERSION = _query("v", _TEXT, "Start of the content hash; with it a browser may keep the answer for good")
_CHOSEN: Schema = _list_of({"type": "string", "pattern": r"^[0-9]+(@[0-9.]+)?$"}) | {"maxItems": MAX_PICTURES}
_UPLOADED: Schema = _list_of(_BINARY) | {"maxItems": MAX_PICTURES}
_DISTANT: Schema = {"type": "boolean", "default": False}
_ASKED = (
    _query("q", _TEXT, "The words, at most 1,000; q or like must be given"),
    _query("like", _CHOSEN, "Ids of pictures to be like; 7@2 lets one count twice as much, 100 times at most"),
    _query("unlike", _CHOSEN, "Ids of pictures to be unlike; 7@0.5 takes half as much away, the weight is 1 at most"),
    _query("all", _DISTANT, "Whether to give pictures that are not close to the words, too"),
)
_UPLOAD: Schema = {
    "type": "object",
    "description": f"The fields of a search by GET, and files; {MAX_PICTURES} pictures at most in all",
    "properties": {FIELD: _UPLOADED, UNLIKE_FIELD: _UPLOADED}
    | {one["name"]: one["schema"] for one in (*_ASKED, *_WINDOW)},
}

_BY_WORDS = _get(
    "searchByWords",
    "Pictures by words, by pictures of the library to be like or unlike, or by both",
    _JSON,
    _named("SearchResult"),
    "400 404 503",
    (*_ASKED, *_WINDOW),
)
_BY_PICTURE = _get(
    "searchByPicture",
    "Pictures by uploaded pictures, and by all that a search by GET takes",
    _JSON,
    _named("SearchResult"),
    "400 404 413 415 422 503",
) | {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _UPLOAD}}}}
_FILE = _get("pictureFile", "The picture's file as it is on disk", "image/*", _BINARY, "404 410 503", (_VERSION,))
_THUMBNAIL = _get(
    "pictureThumbnail",
    "The picture as WebP, its shorter side at most 320 pixels",
    "image/webp",
    _BINARY,
    "404 410 413 415 422 503",
    (_VERSION,),
)

_TEXT_BODY = {
    "required": True,
    "content": {"application/json": {"schema": _object({"text": _TEXT | {"minLength": 1, "maxLength": 1000}})}},
}
_SET_CAPTION = _get("setCaption", "Give the picture a caption", _JSON, _named("Picture"), "400 404 415 503") | {
    "requestBody": _TEXT_BODY
}
_REMOVE_CAPTION = _get("removeCaption", "Take a person's caption away", _JSON, _named("Picture"), "404 503")
_UNDO_CAPTION = _get("undoCaption", "Take the last change of it back", _JSON, _named("Picture"), "404 409 503")

DOCUMENT: Schema = {
    "openapi": "3.1.0",
    "info": {
        "title": "Retroflex",
        "version": "1",
        "description": "Find pictures by words or by another picture. Every error is an RFC 9457 problem document.",
    },
    "paths": {
        "/api/v1/search": {"get": _BY_WORDS, "post": _BY_PICTURE},
        "/api/v1/pictures/{picture_id}": {
            "parameters": [_ID],
            "get": _get("picture", "All that is known of one picture", _JSON, _named("Picture"), "404 503"),
        },
        "/api/v1/pictures/{picture_id}/caption": {
            "parameters": [_ID],
            "put": _SET_CAPTION,
            "delete": _REMOVE_CAPTION,
        },
        "/api/v1/pictures/{picture_id}/caption/undo": {"parameters": [_ID], "post": _UNDO_CAPTION},
        "/api/v1/pictures/{picture_id}/file": {"parameters": [_ID], "get": _FILE},
        "/api/v1/pictures/{picture_id}/thumbnail": {"parameters": [_ID], "get": _THUMBNAIL},
        "/api/v1/openapi.json": {"get": _get("openapi", "This document", _JSON, {"type": "object"}, "")},
        "/healthz": {"get": _get("healthz", "Whether the server answers", _JSON, _named("Health"), "")},
        "/readyz": {"get": _get("readyz", "Whether every kind of search works", _JSON, _named("Readiness"), "503")},
    },
    "components": {"schemas": SCHEMAS},
}
