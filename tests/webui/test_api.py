"""The API against a real store: its answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from retrieval.library import Library
from tests.webui.api_checks import SEARCH, post, valid


def test_words_find_the_pictures_whose_captions_hold_them(client: FlaskClient) -> None:
    answer = client.get(SEARCH, query_string={"q": "Red boat!"}).get_json()
    valid("SearchResult", answer)
    assert answer["query"]["text"] == "Red boat!"
    assert {hit["caption"] for hit in answer["hits"][:4]} == {"a red boat on the water"}
    scores = [hit["score"] for hit in answer["hits"]]
    assert scores == sorted(scores, reverse=True)


def test_pages_join_without_gap_or_overlap(client: FlaskClient) -> None:
    whole = client.get(SEARCH, query_string={"q": "a red field"}).get_json()
    parts = [
        client.get(SEARCH, query_string={"q": "a red field", "limit": 5, "offset": offset}).get_json()
        for offset in (0, 5, 10, 15)
    ]
    assert [hit["id"] for part in parts for hit in part["hits"]] == [hit["id"] for hit in whole["hits"]]
    assert {part["total"] for part in parts} == {whole["total"]}


def test_a_picture_finds_itself_and_its_captions_come_back(client: FlaskClient, photo_folder: Path) -> None:
    answer = post(client, (photo_folder / "green 4.png").read_bytes(), limit="3").get_json()
    valid("SearchResult", answer)
    assert answer["query"]["captions"][0] == "a green field under a tree"
    assert answer["hits"][0]["path"].endswith("green 4.png")
    assert len(answer["hits"]) == 3


def test_one_picture_by_id(client: FlaskClient) -> None:
    answer = client.get("/api/v1/pictures/2").get_json()
    valid("Picture", answer)
    assert (answer["width"], answer["height"], answer["format"]) == (120, 90, "PNG")
    assert answer["captions"][0]["source"] == "model"


def test_a_users_caption_comes_first(client: FlaskClient, library: Library) -> None:
    library.store.set_user_caption(2, "my own words")
    answer = client.get("/api/v1/pictures/2").get_json()
    valid("Picture", answer)
    assert (answer["captions"][0]["text"], answer["captions"][0]["source"]) == ("my own words", "user")


def test_the_file_is_the_very_file(client: FlaskClient, photo_folder: Path) -> None:
    response = client.get("/api/v1/pictures/2/file")
    assert response.data == (photo_folder / "green 1.png").read_bytes()
    assert response.mimetype == "image/png"


def test_links_may_be_kept_for_good_and_plain_addresses_are_asked_for_again(client: FlaskClient) -> None:
    link = client.get("/api/v1/pictures/2").get_json()["links"]["thumbnail"]
    kept = client.get(link)
    assert "immutable" in kept.headers["Cache-Control"]
    plain = client.get("/api/v1/pictures/2/thumbnail")
    assert plain.headers["Cache-Control"] == "private, no-cache"
    again = client.get("/api/v1/pictures/2/thumbnail", headers={"If-None-Match": plain.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_odd_file_names_are_shown_in_one_clean_line(
    client: FlaskClient, library: Library, tmp_path: Path, add_picture: Any, painted: Callable[..., bytes]
) -> None:
    add_picture(library, tmp_path / "two\nlines \udcff.png", painted("blue", seed=99))
    answer = client.get("/api/v1/pictures/13").get_json()
    assert answer["paths"][0].endswith("two\\nlines \\xff.png")
    assert client.get("/api/v1/pictures/13/file").status_code == 200
