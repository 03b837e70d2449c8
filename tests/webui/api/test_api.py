"""The API against a real store: its answers."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from retrieval.library import Library
from tests.webui.api_checks import MULTIPART, SEARCH, post, valid


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


def test_pictures_of_the_library_join_the_words(client: FlaskClient) -> None:
    answer = client.get(SEARCH, query_string={"q": "boat", "like": ["2", "3@0.5"], "unlike": "4"}).get_json()
    valid("SearchResult", answer)
    names = answer["hits"][0]["scores"]
    assert {name.split(".")[0] for name in names} == {"words", "like1", "like2", "unlike1"}
    alone = client.get(SEARCH, query_string={"like": "2"}).get_json()
    valid("SearchResult", alone)
    assert (alone["hits"][0]["id"], alone["hits"][0]["scores"]["cosine"]) == (2, 1.0)
    assert alone["query"] == {"captions": ["a green field under a tree", "something green"]}


def test_pictures_of_the_library_need_no_captioner(client: FlaskClient, captioner: Any) -> None:
    assert client.get(SEARCH, query_string={"like": "2", "unlike": "3"}).get_json()["total"] == 12
    assert captioner.calls == 0


def test_a_picture_of_the_library_answers_as_its_upload_does(client: FlaskClient, photo_folder: Path) -> None:
    uploaded = post(client, (photo_folder / "green 1.png").read_bytes()).get_json()
    known = client.get(SEARCH, query_string={"like": "2"}).get_json()
    assert [hit["id"] for hit in known["hits"]] == [hit["id"] for hit in uploaded["hits"]]


def test_uploads_join(client: FlaskClient, painted: Callable[..., bytes]) -> None:
    files = {"image": ["red", "blue"], "unlike_image": ["green"]}
    data = {field: [(io.BytesIO(painted(one)), "x.png") for one in colours] for field, colours in files.items()}
    answer = client.post(SEARCH, data={**data, "q": "boat", "like": "2"}, content_type=MULTIPART).get_json()
    valid("SearchResult", answer)
    sources = {name.split(".")[0] for name in answer["hits"][0]["scores"]}
    assert sources == {"words", "like1", "like2", "like3", "unlike1"}
    assert answer["query"]["captions"][0] == "a red boat on the water"


def test_words_that_no_caption_says_are_listed(client: FlaskClient, knowing: Library) -> None:
    answer = client.get(SEARCH, query_string={"q": "A Puppy on two boats", "all": "true"}).get_json()
    valid("SearchResult", answer)
    assert answer["unsaid"] == ["puppy"]
    assert client.get(SEARCH, query_string={"q": "red boats"}).get_json()["unsaid"] == []
    assert client.get(SEARCH, query_string={"like": "2"}).get_json()["unsaid"] == []


def test_what_is_not_close_is_told_and_given_where_asked_for(client: FlaskClient, knowing: Library) -> None:
    nothing = client.get(SEARCH, query_string={"q": "red puppy"}).get_json()
    valid("SearchResult", nothing)
    assert (nothing["total"], nothing["hits"]) == (0, [])
    assert 0 < nothing["closest"] < 0.2
    everything = client.get(SEARCH, query_string={"q": "red puppy", "all": "true"}).get_json()
    assert everything["total"] == 12
    assert everything["closest"] == everything["hits"][0]["score"] == nothing["closest"]


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
