"""While Milvus does not answer, the API and the page answer by captions and say so."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus

import pytest
from flask.testing import FlaskClient

from data.settings import Settings
from retrieval.vectors.base import UNREACHABLE
from tests.webui.api_checks import valid


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, vectors="milvus://127.0.0.1:1")


def test_words_pictures_and_pages_are_answered(client: FlaskClient) -> None:
    for query in ("q=red", "like=1"):
        answer = client.get(f"/api/v1/search?{query}")
        assert answer.status_code == HTTPStatus.OK
        valid("SearchResult", answer.get_json())
        assert answer.get_json()["degraded"] == UNREACHABLE
        assert answer.get_json()["hits"]
    assert "By captions only, vectors unreachable." in client.get("/?q=red").text
    assert client.get("/api/v1/pictures/1").status_code == HTTPStatus.OK


def test_what_needs_vectors_is_refused_in_one_line(client: FlaskClient) -> None:
    answer = client.get("/api/v1/search?like=1&by=vgg16")
    assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert "vectors of the kind 'vgg16' cannot be searched now" in answer.get_json()["detail"]
