"""The API's description, made from the routes."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator

from webui.openapi.operations import METHODS, describe, path_of
from webui.openapi.schemas import Schemas
from webui.problems import PROGRAMS
from webui.request.values import LONGEST_ID


class Inner(TypedDict):
    """An inner one,
    over two lines.

    And more.
    """

    name: NotRequired[str]
    kind: Literal["a", "b"]


class Outer(TypedDict):
    """An outer one."""

    inner: list[Inner]
    again: Outer | None
    size: Annotated[int | None, {"minimum": 0}]


@pytest.fixture
def document(app: Flask) -> dict[str, Any]:
    return describe(app)


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(path, method): one for path, item in document["paths"].items() for method, one in item.items()}


def test_every_route_is_described(app: Flask, document: dict[str, Any]) -> None:
    routes = {
        (path_of(rule), method.lower())
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith(PROGRAMS)
        for method in (rule.methods or set()).intersection(METHODS)
    }
    assert routes == operations(document).keys()


def test_the_document_is_served(client: FlaskClient, document: dict[str, Any]) -> None:
    assert client.get("/api/v1/openapi.json").get_json() == document | {"servers": [{"url": "/"}]}


def test_the_schemas_are_schemas(document: dict[str, Any]) -> None:
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    names = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(document)))
    assert names == set(document["components"]["schemas"])


def test_a_search_by_files_takes_all_that_a_search_by_words_takes(document: dict[str, Any]) -> None:
    search = document["paths"]["/api/v1/search"]
    named = {one["name"] for one in search["get"]["parameters"]}
    assert named >= {"q", "like", "unlike", "all", "limit", "offset"}
    form = search["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert set(form["properties"]) == named | {"image", "unlike_image", "face_number"}
    Draft202012Validator.check_schema(form)


def test_operations_have_names_and_summaries_of_their_own(document: dict[str, Any]) -> None:
    described = operations(document).values()
    for member in ("operationId", "summary"):
        told = [one[member] for one in described]
        assert len(set(told)) == len(told)
        assert all(told)


def test_path_parameters_are_those_of_the_route(document: dict[str, Any]) -> None:
    (parameter,) = document["paths"]["/api/v1/pictures/{picture_id}"]["get"]["parameters"]
    assert parameter["schema"] == {"type": "integer", "minimum": 0, "maximum": 10**LONGEST_ID - 1}
    assert (parameter["name"], parameter["in"], parameter["required"]) == ("picture_id", "path", True)


def test_schemas_are_made_of_types() -> None:
    schemas = Schemas()
    assert schemas.of(dict[str, list[float]]) == {
        "type": "object",
        "additionalProperties": {"type": "array", "items": {"type": "number"}},
    }
    assert schemas.of(Outer) == {"$ref": "#/components/schemas/Outer"}
    outer, inner = schemas.components["Outer"], schemas.components["Inner"]
    assert outer["properties"]["again"] == {"anyOf": [{"$ref": "#/components/schemas/Outer"}, {"type": "null"}]}
    assert outer["properties"]["size"] == {"type": ["integer", "null"], "minimum": 0}
    assert (inner["required"], inner["description"]) == (["kind"], "An inner one, over two lines.")
    assert inner["properties"]["kind"] == {"type": "string", "enum": ["a", "b"]}


def test_a_type_without_a_schema_is_refused() -> None:
    with pytest.raises(TypeError, match="no schema"):
        Schemas().of(object)
