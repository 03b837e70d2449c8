"""The API's description against the application's routes."""

from __future__ import annotations

import re

from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator

from webui.openapi import DOCUMENT, SCHEMAS

NOT_API = {"static", "pages.by_words", "pages.by_picture"}
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}


def test_every_route_is_described_and_nothing_else(app: Flask) -> None:
    routes = {
        (re.sub(r"<(?:[^<>]*:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        if rule.endpoint not in NOT_API
        for method in (rule.methods or set()) & METHODS
    }
    described = {
        (path, method) for path, item in DOCUMENT["paths"].items() for method in item if method != "parameters"
    }
    assert described == routes


def test_the_schemas_are_schemas() -> None:
    for schema in SCHEMAS.values():
        Draft202012Validator.check_schema(schema)


def test_the_document_is_served(client: FlaskClient) -> None:
    assert client.get("/api/v1/openapi.json").get_json() == DOCUMENT


def test_a_search_by_files_takes_all_that_a_search_by_words_takes() -> None:
    search = DOCUMENT["paths"]["/api/v1/search"]
    named = {one["name"] for one in search["get"]["parameters"]}
    assert named == {"q", "like", "unlike", "all", "limit", "offset"}
    form = search["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert set(form["properties"]) == named | {"image", "unlike_image"}
    Draft202012Validator.check_schema(form)


def test_every_reference_leads_somewhere() -> None:
    names = re.findall(r"#/components/schemas/(\w+)", repr(DOCUMENT))
    assert set(names) <= set(SCHEMAS)


def test_operations_have_names_of_their_own() -> None:
    names = re.findall(r"'operationId': '(\w+)'", repr(DOCUMENT))
    assert len(names) == len(set(names)) == 11
