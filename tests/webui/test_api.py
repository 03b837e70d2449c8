"""The API against a real store: answers, paging, and each kind of bad input."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from PIL import Image
from werkzeug.test import TestResponse

from captioner.errors import BundleError
from data.store import Store, StoreLocked
from retrieval.library import Library
from webui.app import create_app
from webui.describer import PLACES
from webui.openapi import DOCUMENT

SEARCH = "/api/v1/search"
MULTIPART = "multipart/form-data"


def post(client: FlaskClient, content: bytes, **fields: str) -> TestResponse:
    data = {"image": (io.BytesIO(content), "../../etc/x.jpg"), **fields}
    return client.post(SEARCH, data=data, content_type=MULTIPART)


def problem(response: TestResponse, status: int) -> str:
    """Check that the response is a problem document of this status, and return its detail."""
    assert response.status_code == status, response.text
    assert response.mimetype == "application/problem+json"
    document = response.get_json(force=True)
    assert set(document) == {"type", "title", "status", "detail"}
    assert document["status"] == status
    assert document["detail"]
    assert "\n" not in document["detail"]
    return str(document["detail"])


def valid(name: str, answer: Any) -> None:
    """Check an answer against the schema of this name in the API's own description."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    Draft202012Validator(schema).validate(answer)


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


def test_the_next_page_of_a_picture_does_not_run_the_model_again(
    client: FlaskClient, captioner: Any, painted: Callable[..., bytes]
) -> None:
    first = post(client, painted("red"), limit="2").get_json()
    second = post(client, painted("red"), limit="2", offset="2").get_json()
    assert captioner.calls == 1
    assert not {hit["id"] for hit in first["hits"]} & {hit["id"] for hit in second["hits"]}


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


@pytest.mark.parametrize("query", ["", "   ", "?!", "word " * 10_000])
def test_an_empty_or_endless_query_is_400(client: FlaskClient, query: str) -> None:
    problem(client.get(SEARCH, query_string={"q": query}), 400)


def test_a_missing_query_is_400(client: FlaskClient) -> None:
    problem(client.get(SEARCH), 400)


def test_no_known_word_is_an_empty_answer(client: FlaskClient) -> None:
    answer = client.get(SEARCH, query_string={"q": "xyzzy"}).get_json()
    assert (answer["total"], answer["hits"]) == (0, [])


@pytest.mark.parametrize("field", ["limit", "offset"])
@pytest.mark.parametrize("value", ["-1", "x", "1.5", "9" * 5000, "٣", "1e3"])
def test_a_bad_window_is_400(client: FlaskClient, field: str, value: str) -> None:
    assert field in problem(client.get(SEARCH, query_string={"q": "red", field: value}), 400)


@pytest.mark.parametrize("limit", ["0", "1001"])
def test_the_limit_is_from_1_to_1000(client: FlaskClient, limit: str) -> None:
    problem(client.get(SEARCH, query_string={"q": "red", "limit": limit}), 400)


@pytest.mark.parametrize("content", [b"no picture at all", b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>"])
def test_an_upload_that_is_no_picture_is_415(client: FlaskClient, content: bytes) -> None:
    assert problem(post(client, content), 415).startswith("the file ")


def test_a_truncated_picture_is_422(client: FlaskClient, painted: Callable[..., bytes]) -> None:
    problem(post(client, painted("red", (400, 400), picture_format="JPEG")[:900]), 422)


def test_a_decompression_bomb_is_413(client: FlaskClient) -> None:
    buffer = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(buffer, "PNG")
    problem(post(client, buffer.getvalue()), 413)


def test_an_upload_over_the_cap_is_413_and_names_the_cap(client: FlaskClient) -> None:
    assert "293 KiB" in problem(post(client, b"x" * 300_001), 413)
    assert "293 KiB" in problem(post(client, b"x" * 3_000_000), 413)


def test_the_other_formats_are_taken(client: FlaskClient, painted: Callable[..., bytes]) -> None:
    for picture_format in ("JPEG", "GIF", "BMP", "TIFF", "WEBP", "AVIF"):
        assert post(client, painted("blue", picture_format=picture_format)).status_code == 200, picture_format


def test_an_upload_without_the_field_is_400(client: FlaskClient) -> None:
    problem(client.post(SEARCH, data={"limit": "3"}, content_type=MULTIPART), 400)


def test_a_body_that_is_no_form_is_415(client: FlaskClient) -> None:
    problem(client.post(SEARCH, json={"image": "x"}), 415)


@pytest.mark.parametrize("number", ["0", "999", str(2**63 - 1), str(2**63), "9" * 30, "x", "-1", "../1"])
@pytest.mark.parametrize("what", ["", "/file", "/thumbnail"])
def test_an_unknown_id_is_404(client: FlaskClient, number: str, what: str) -> None:
    problem(client.get(f"/api/v1/pictures/{number}{what}"), 404)


@pytest.mark.parametrize("path", ["../../../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%2e%2e/app.py", "/etc/passwd"])
@pytest.mark.parametrize("root", ["/static/", "/api/v1/pictures/", "/api/v1/pictures/1/file/"])
def test_a_path_traversal_is_404(client: FlaskClient, root: str, path: str) -> None:
    assert client.get(root + path).status_code == 404


def test_a_wrong_method_is_405_and_says_which_are_right(client: FlaskClient) -> None:
    response = client.delete("/api/v1/pictures/1")
    problem(response, 405)
    assert "GET" in response.headers["Allow"]


def test_a_file_that_is_gone_is_410(client: FlaskClient, photo_folder: Path) -> None:
    (photo_folder / "green 1.png").unlink()
    problem(client.get("/api/v1/pictures/2/file"), 410)
    problem(client.get("/api/v1/pictures/2/thumbnail"), 410)


def test_whatever_took_the_place_of_a_picture_is_not_served(client: FlaskClient, photo_folder: Path) -> None:
    (photo_folder / "green 1.png").unlink()
    (photo_folder / "green 1.png").symlink_to(__file__)
    problem(client.get("/api/v1/pictures/2/file"), 410)


def test_a_copy_stands_in_for_a_file_that_is_gone(
    client: FlaskClient, library: Library, photo_folder: Path, add_picture: Any
) -> None:
    content = (photo_folder / "green 1.png").read_bytes()
    add_picture(library, photo_folder / "copy.png", content)
    (photo_folder / "green 1.png").unlink()
    assert client.get("/api/v1/pictures/2/file").data == content


def test_a_locked_store_is_503(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*_: object) -> None:
        raise StoreLocked("the library is in use by another program; try again")

    monkeypatch.setattr(Store, "pictures", locked)
    response = client.get("/api/v1/pictures/1")
    assert "another program" in problem(response, 503)
    assert response.headers["Retry-After"]


def test_a_fault_is_told_without_its_insides(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(*_: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(Store, "pictures", fault)
    assert "secret" not in problem(client.get("/api/v1/pictures/1"), 500)


def test_words_work_while_the_captioner_loads(library: Library, captioner: Any, eventually: Any) -> None:
    gate = threading.Event()

    def load() -> Any:
        gate.wait(10)
        return captioner

    client = create_app(library, load).test_client()
    assert client.get("/healthz").status_code == 200
    waiting = client.get("/readyz")
    assert "loading" in problem(waiting, 503)
    assert waiting.headers["Retry-After"]
    assert client.get(SEARCH, query_string={"q": "red"}).status_code == 200
    problem(post(client, b"anything"), 503)
    gate.set()
    eventually(lambda: client.get("/readyz").status_code == 200)
    valid("Readiness", client.get("/readyz").get_json())


@pytest.mark.parametrize("error", [BundleError("the bundle is damaged; install again"), ValueError("inner")])
def test_a_captioner_that_does_not_load_leaves_words_working(
    library: Library, error: Exception, eventually: Any
) -> None:
    def load() -> Any:
        raise error

    client = create_app(library, load).test_client()
    eventually(lambda: "still loading" not in client.get("/readyz").text)
    detail = problem(client.get("/readyz"), 503)
    assert ("bundle is damaged" in detail) == isinstance(error, BundleError)
    assert "inner" not in detail
    assert client.get(SEARCH, query_string={"q": "red"}).status_code == 200


def test_a_busy_captioner_turns_the_surplus_away(app: Flask, captioner: Any, painted: Any, eventually: Any) -> None:
    gate, describe = threading.Event(), captioner.describe

    def slow(pictures: Any) -> Any:
        gate.wait(10)
        return describe(pictures)

    captioner.describe = slow
    statuses: list[int] = []

    def search(seed: int) -> None:
        statuses.append(post(app.test_client(), painted("red", seed=seed)).status_code)

    threads = [threading.Thread(target=search, args=(seed,)) for seed in range(PLACES + 3)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(statuses) == 3)
    assert app.test_client().get(SEARCH, query_string={"q": "red"}).status_code == 200
    gate.set()
    for thread in threads:
        thread.join(10)
    assert sorted(statuses) == [200] * PLACES + [503] * 3
