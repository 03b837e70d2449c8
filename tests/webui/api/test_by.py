"""Pictures compared by one kind of vectors, over HTTP and on the page."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from captioner.pipeline import VectorDescriber
from retrieval.indexing.indexer import index
from retrieval.library import Library
from tests.tiny_encoder import MeanColour, mean_colour
from tests.webui.api_checks import SEARCH, problem, valid
from tests.webui.conftest import draw

BY = MeanColour.name


@pytest.fixture(autouse=True)
def coloured(library: Library, photo_folder: Any) -> Iterator[None]:
    """The library with a second kind of vectors, whose encoder is there."""
    index(library.store, VectorDescriber(MeanColour()), [photo_folder], library.settings.limits)
    with mean_colour():
        yield


def upload(client: FlaskClient, **fields: str) -> Any:
    return client.post(SEARCH, data={"image": (io.BytesIO(draw("green", seed=99)), "x.png"), **fields})


def test_pictures_of_the_library_and_uploads_are_compared_by_one_kind(client: FlaskClient) -> None:
    stored = client.get(SEARCH, query_string={"like": "2", "by": BY, "limit": "4"}).get_json()
    sent = upload(client, by=BY, limit="4").get_json()
    for answer in (stored, sent, upload(client, by=BY, limit="4").get_json()):
        valid("SearchResult", answer)
        assert {hit["caption"] for hit in answer["hits"]} == {"a green field under a tree"}
        assert all(set(hit["scores"]) == {BY} for hit in answer["hits"])
    own = client.get(SEARCH, query_string={"like": "2", "by": "vgg16"}).get_json()
    assert all(set(hit["scores"]) == {"vgg16"} for hit in own["hits"])
    assert "bleu" in client.get(SEARCH, query_string={"like": "2"}).get_json()["hits"][0]["scores"]


def test_an_unknown_kind_is_400_with_the_nearest(client: FlaskClient) -> None:
    for answer in (client.get(SEARCH, query_string={"like": "2", "by": "mean_color"}), upload(client, by="mean_color")):
        assert "did you mean mean_colour" in problem(answer, 400)


def test_an_encoder_that_cannot_be_used_is_503_in_one_line(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MeanColour, "model_version", "mean-colour-2")
    detail = problem(upload(client, by=BY), 503)
    assert "made by mean-colour-1, and this is mean-colour-2" in detail
    assert client.get(SEARCH, query_string={"like": "2", "by": BY}).status_code == 200  # which needs no encoder


def test_the_page_offers_the_kinds_where_pictures_are_compared(client: FlaskClient) -> None:
    page = client.get("/", query_string={"like": "2", "by": BY, "why": "true"}).text
    assert "Compare by" in page
    assert f'<option value="{BY}" selected>' in page
    assert f"by={BY}" in page  # the addresses of hits and exports keep it
    assert "Compare by" not in client.get("/", query_string={"q": "boat"}).text
