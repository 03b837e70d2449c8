"""A person's caption over HTTP: search uses it at once, and changes are taken back one by one."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from retrieval.library import Library
from tests.webui.api_checks import SEARCH, problem, valid

CAPTION = "/api/v1/pictures/2/caption"


def put(client: FlaskClient, text: str) -> Any:
    answer = client.put(CAPTION, json={"text": text}).get_json()
    valid("Picture", answer)
    return answer


def said(answer: Any) -> tuple[str, str, bool]:
    first = answer["captions"][0]
    return first["text"], first["source"], answer["can_undo"]


def test_search_uses_a_caption_at_once(client: FlaskClient) -> None:
    assert client.get(SEARCH, query_string={"q": "zeppelin"}).get_json()["total"] == 0
    assert said(put(client, " a zeppelin\n over Lake Constance ")) == ("a zeppelin over Lake Constance", "user", True)
    hits = client.get(SEARCH, query_string={"q": "zeppelin"}).get_json()["hits"]
    assert [(hit["id"], hit["caption"]) for hit in hits] == [(2, "a zeppelin over Lake Constance")]
    client.delete(CAPTION)
    assert client.get(SEARCH, query_string={"q": "zeppelin"}).get_json()["total"] == 0


def test_undo_goes_back_step_by_step(client: FlaskClient) -> None:
    own = said(client.get("/api/v1/pictures/2").get_json())
    assert own == ("a green field under a tree", "model", False)
    put(client, "first")
    put(client, "second")
    assert said(client.delete(CAPTION).get_json())[1:] == ("model", True)
    steps = [said(client.post(f"{CAPTION}/undo").get_json()) for _ in range(3)]
    assert steps == [("second", "user", True), ("first", "user", True), own]
    assert "never changed" in problem(client.post(f"{CAPTION}/undo"), 409)


@pytest.mark.parametrize("body", [{}, {"text": ""}, {"text": " \n"}, {"text": 3}, {"text": "x" * 1001}, [], "x"])
def test_a_bad_caption_is_400(client: FlaskClient, library: Library, body: Any) -> None:
    problem(client.put(CAPTION, json=body), 400)
    assert library.store.status().user_captions == 0


def test_a_body_that_is_no_json(client: FlaskClient) -> None:
    problem(client.put(CAPTION, data="text=x"), 415)
    problem(client.put(CAPTION, data="{", content_type="application/json"), 400)


def test_an_unknown_picture_is_404(client: FlaskClient) -> None:
    problem(client.put("/api/v1/pictures/99/caption", json={"text": "x"}), 404)
    problem(client.delete("/api/v1/pictures/99/caption"), 404)
    problem(client.post("/api/v1/pictures/99/caption/undo"), 404)
