"""The OpenAPI document, made from the routes: each operation is declared at its view function.

    @api.get("/pictures/<int:picture_id>/near")
    @operation(answer=SearchResult, problems=(404,), query=(*WINDOW, Parameter("colour", str, "Only of this colour")))
    def near(picture_id: int) -> Response:
        \"\"\"Pictures near to one of the library.\"\"\"

- The summary is the docstring's first paragraph, the operation's id the function's name (`near`, `by_words` becomes
  `byWords`), and path parameters are those of the route.
- `answer` is a type that `schemas` supports, usually a TypedDict with a docstring (see `documents`); `bytes` for a
  file, `str` for text, None for no content. `media` is its media type, or `answer` maps media types to types;
  `status` is its status.
- `problems` are the statuses of its errors, besides those of every operation (`EVERYWHERE`).
- `kept`: the answer has an ETag, so it may be 304.
- `query` are the parameters of the query string, `form` the fields of a multipart form, `body` the type of a JSON
  body. Parameters of the library's catalogue are `LibraryParameters`, so the document fits the library.

Add a new blueprint to `webui.app.BLUEPRINTS`. A test fails for a route that is not declared, and schemathesis for an
answer that is not as declared.

Why not a library: APIFlask starts 0.2 s slower than Flask alone (0.13 s) and requires each field declared again in
marshmallow; here the types suffice, in about 200 lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Flask
from werkzeug.routing import BaseConverter, IntegerConverter, Rule

from webui.openapi.documents import Problem
from webui.openapi.schemas import Schema, Schemas, about

View = TypeVar("View", bound=Callable[..., Any])

JSON = "application/json"
EVERYWHERE = (400, 401, 403)
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

_REASONS = {
    400: "A field is missing or wrong, or the query is empty or too long",
    401: "A password or a token is needed",
    403: "The request names another host, or another web site sent it",
    404: "Not in the library",
    409: "In conflict with the present state",
    410: "The picture's file was moved, changed or deleted since it was indexed",
    413: "The upload has too many bytes or pixels",
    415: "The body has another type, or its file is no picture",
    416: "The file is shorter than the range that was asked for",
    422: "The uploaded picture is damaged, or takes too long to decode",
    429: "Too many requests; try again after Retry-After",
    503: "Not ready, busy, or the library is unavailable; try again after Retry-After",
}


@dataclass(frozen=True)
class Parameter:
    """A parameter of a query string or field of a form: name, type (see `schemas`) and description."""

    name: str
    kind: Any
    about: str
    required: bool = False


@dataclass(frozen=True)
class LibraryParameters:
    """Parameters that depend on the open library, such as those of its catalogue; `made` makes them in a context of
    the application."""

    made: Callable[[], tuple[Parameter, ...]]


Declared = Parameter | LibraryParameters


def expanded(declared: Iterable[Declared]) -> list[Parameter]:
    """Return all parameters, those of the open library among them. Raise StoreError."""
    parameters: list[Parameter] = []
    for one in declared:
        parameters.extend((one,) if isinstance(one, Parameter) else one.made())
    return parameters


@dataclass(frozen=True)
class Operation:
    """What `operation` declares about a view function; `answers` by media type."""

    answers: dict[str, Any]
    status: int
    problems: tuple[int, ...]
    query: tuple[Declared, ...]
    form: tuple[Declared, ...]
    body: Any
    kept: bool


def operation(
    answer: Any,
    media: str = JSON,
    status: int = 200,
    problems: tuple[int, ...] = (),
    query: tuple[Declared, ...] = (),
    form: tuple[Declared, ...] = (),
    body: Any = None,
    kept: bool = False,
) -> Callable[[View], View]:
    """Declare a view function as an operation of the API; see the top of this file."""
    answers = answer if isinstance(answer, dict) else {media: answer} if answer is not None else {}
    declared = Operation(answers, status, problems, query, form, body, kept)

    def declare(view: View) -> View:
        vars(view)["operation"] = declared
        return view

    return declare


def describe(app: Flask) -> Schema:
    """Return the OpenAPI document of all operations that are declared on the routes of `app`."""
    schemas, paths = Schemas(), dict[str, Schema]()
    for rule, view in _declared(app):
        item = paths.setdefault(path_of(rule), {})
        for method in sorted((rule.methods or set()).intersection(METHODS)):
            with app.app_context():
                item[method.lower()] = _operation(view, rule, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Retroflex",
            "version": "1",
            "description": "Find pictures by words or by another picture. Every error is an RFC 9457 problem document.",
        },
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": dict(sorted(schemas.components.items())), "securitySchemes": _SECURITY},
        "security": [{}, *({name: []} for name in _SECURITY)],
    }


_SECURITY = {
    "token": {"type": "http", "scheme": "bearer", "description": "From `retroflex token` or RETROFLEX_TOKEN"},
    "session": {"type": "apiKey", "in": "cookie", "name": "retroflex", "description": "From the page's login"},
}


def path_of(rule: Rule) -> str:
    """Return a route in OpenAPI's notation, with its parameters in braces."""
    return re.sub(r"<(?:[^<>]*:)?(\w+)>", r"{\1}", rule.rule)


def _declared(app: Flask) -> Iterator[tuple[Rule, Callable[..., Any]]]:
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        if hasattr(view, "operation"):
            yield rule, view


def _operation(view: Callable[..., Any], rule: Rule, schemas: Schemas) -> Schema:
    declared: Operation = vars(view)["operation"]
    parameters = [*_of_path(rule), *(_parameter(one, "query", schemas) for one in expanded(declared.query))]
    described: Schema = {
        "operationId": re.sub(r"_(\w)", lambda found: found[1].upper(), view.__name__),
        "summary": about(view),
        "responses": _answers(declared, schemas),
    }
    if parameters:
        described["parameters"] = parameters
    if declared.form:
        described["requestBody"] = _body("multipart/form-data", _fields(expanded(declared.form), schemas))
    elif declared.body is not None:
        described["requestBody"] = _body(JSON, schemas.of(declared.body))
    return described


def _answers(declared: Operation, schemas: Schemas) -> Schema:
    answer: Schema = {"description": "Done"}
    if declared.answers:
        answer["content"] = {media: {"schema": schemas.of(kind)} for media, kind in declared.answers.items()}
    problem = {"application/problem+json": {"schema": schemas.of(Problem)}}
    codes = sorted({*EVERYWHERE, *declared.problems})
    unchanged: Schema = {"304": {"description": "Unchanged since the ETag that was sent"}} if declared.kept else {}
    return (
        {str(declared.status): answer}
        | unchanged
        | {str(code): {"description": _REASONS[code], "content": problem} for code in codes}
    )


def _body(media: str, schema: Schema) -> Schema:
    return {"required": True, "content": {media: {"schema": schema}}}


def _fields(form: list[Parameter], schemas: Schemas) -> Schema:
    required = [one.name for one in form if one.required]
    properties = {one.name: {"description": one.about} | schemas.of(one.kind) for one in form}
    return {"type": "object", "properties": properties} | ({"required": required} if required else {})


def _parameter(one: Parameter, place: str, schemas: Schemas) -> Schema:
    named = {"name": one.name, "in": place, "required": one.required, "description": one.about}
    return named | {"schema": schemas.of(one.kind)}


def _of_path(rule: Rule) -> Iterator[Schema]:
    for name, converter in sorted(rule._converters.items()):
        yield {"name": name, "in": "path", "required": True, "schema": _of_converter(converter)}


def _of_converter(converter: BaseConverter) -> Schema:
    if isinstance(converter, IntegerConverter):
        bounds = {"minimum": converter.min or 0} | ({"maximum": converter.max} if converter.max else {})
        return {"type": "integer", **bounds}
    return {"type": "string"}
