"""What the API's tests share: sending a picture, and checks of an answer's shape."""

from __future__ import annotations

import io
from functools import cache
from types import SimpleNamespace
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from werkzeug.test import TestResponse

from webui.app import BLUEPRINTS
from webui.openapi.operations import describe
from webui.openapi.schemas import Schema
from webui.request.values import PictureId
from webui.services import EXTENSION

SEARCH = "/api/v1/search"
MULTIPART = "multipart/form-data"


def post(client: FlaskClient, content: bytes, **fields: str | list[str]) -> TestResponse:
    """Search by a picture, under a file name that must not matter."""
    data = {"image": (io.BytesIO(content), "../../etc/x.jpg"), **fields}
    return client.post(SEARCH, data=data, content_type=MULTIPART)


def problem(response: TestResponse, status: int) -> str:
    """Check that the response is a problem document of this status, and return its detail."""
    assert response.status_code == status, response.text
    assert response.mimetype == "application/problem+json"
    document = response.get_json(force=True)
    valid("Problem", document)
    assert document["instance"] == f"urn:uuid:{response.headers['X-Request-Id']}"
    assert document["status"] == status
    assert document["detail"]
    assert "\n" not in document["detail"]
    return str(document["detail"])


def valid(name: str, answer: Any) -> None:
    """Check an answer against the schema of this name in the API's own description; nothing may be undocumented."""
    components = {"schemas": {one: schema | {"additionalProperties": False} for one, schema in _schemas().items()}}
    Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": components}).validate(answer)


@cache
def _schemas() -> dict[str, Schema]:
    app = Flask(__name__)
    app.url_map.converters["id"] = PictureId
    no_catalogue = SimpleNamespace(collection=SimpleNamespace(catalogue=lambda: ()))
    app.extensions[EXTENSION] = SimpleNamespace(library=no_catalogue)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    schemas: dict[str, Schema] = describe(app)["components"]["schemas"]
    return schemas
