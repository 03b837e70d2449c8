"""The API against a real store: every kind of bad input is a problem document, never a crash."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image

from data.store import Store, StoreLocked
from retrieval.library import Library
from tests.webui.api_checks import MULTIPART, SEARCH, post, problem

BAD_WEIGHTS = ("", "x", "0", "-1", "nan", "1e2", "101", "٣")


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


def test_a_picture_without_any_pixels_is_422(client: FlaskClient, painted: Callable[..., bytes]) -> None:
    content = painted("red", (400, 400), picture_format="JPEG")
    problem(post(client, content[: content.index(b"\xff\xda") + 14]), 422)


def test_a_decompression_bomb_is_413(client: FlaskClient) -> None:
    buffer = io.BytesIO()
    Image.new("1", (30_000, 3_000)).save(buffer, "PNG")
    problem(post(client, buffer.getvalue()), 413)


def test_an_upload_over_the_cap_is_413_and_names_the_cap(client: FlaskClient) -> None:
    assert "293 KiB" in problem(post(client, b"x" * 300_001), 413)
    assert "293 KiB" in problem(post(client, b"x" * 3_000_000), 413)


def test_the_other_formats_are_taken(client: FlaskClient, painted: Callable[..., bytes]) -> None:
    for picture_format in ("JPEG", "GIF", "BMP", "TIFF", "WEBP", "AVIF"):
        assert post(client, painted("blue", picture_format=picture_format)).status_code == 200, picture_format


def test_an_upload_without_the_field_is_400(client: FlaskClient) -> None:
    problem(client.post(SEARCH, data={"limit": "3"}, content_type=MULTIPART), 400)


@pytest.mark.parametrize("given", ["x", "", "-1", "1.5", "٣", "@2", *(f"1@{one}" for one in BAD_WEIGHTS)])
@pytest.mark.parametrize("field", ["like", "unlike"])
def test_a_bad_id_or_weight_is_400(client: FlaskClient, field: str, given: str) -> None:
    problem(client.get(SEARCH, query_string={"q": "red", field: given}), 400)
    problem(post(client, b"not looked at", **{field: given}), 400)


def test_the_weight_of_a_picture_to_be_unlike_is_1_at_most(client: FlaskClient) -> None:
    assert "at most 1" in problem(client.get(SEARCH, query_string={"q": "red", "unlike": "1@1.01"}), 400)


@pytest.mark.parametrize("number", ["0", "99", "9" * 18, "9" * 30])
@pytest.mark.parametrize("field", ["like", "unlike"])
def test_an_unknown_picture_to_be_like_is_404(client: FlaskClient, field: str, number: str) -> None:
    problem(client.get(SEARCH, query_string={"q": "red", field: number}), 404)


def test_more_than_20_pictures_are_400(client: FlaskClient) -> None:
    assert client.get(SEARCH, query_string={"like": ["1"] * 15, "unlike": ["2"] * 5}).status_code == 200
    problem(client.get(SEARCH, query_string={"like": ["1"] * 15, "unlike": ["2"] * 6}), 400)
    problem(post(client, b"not looked at", like=["1"] * 20), 400)


def test_an_empty_query_is_400(client: FlaskClient) -> None:
    assert "the query is empty" in problem(client.get(SEARCH, query_string={"q": " "}), 400)
    problem(client.post(SEARCH, data={"q": ""}, content_type=MULTIPART), 400)


@pytest.mark.parametrize("given", ["1", "yes", "TRUE"])
def test_all_is_true_or_false(client: FlaskClient, given: str) -> None:
    assert "true or false" in problem(client.get(SEARCH, query_string={"q": "red", "all": given}), 400)


def test_the_cap_holds_for_all_uploads_together(client: FlaskClient) -> None:
    """Each is under the cap; both are, with what a form adds, under what is read of a body."""
    data = {name: (io.BytesIO(b"x" * 160_000), "x.png") for name in ("image", "unlike_image")}
    assert "293 KiB" in problem(client.post(SEARCH, data=data, content_type=MULTIPART), 413)


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


def test_a_picture_that_another_process_removes_meanwhile_is_404(
    client: FlaskClient, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = type(library.store).set_user_caption

    def after_removal(store: Any, picture_id: int, text: str) -> None:
        write(store, 10**6, text)

    monkeypatch.setattr(type(library.store), "set_user_caption", after_removal)
    response = client.put("/api/v1/pictures/1/caption", json={"text": "a boat"})
    assert "no picture has the id" in problem(response, 404)


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


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "x \udfff"])
def test_characters_that_are_no_text_are_400(client: FlaskClient, text: str) -> None:
    assert "no text" in problem(client.put("/api/v1/pictures/1/caption", json={"text": text}), 400)
    query = "q=a%00b" if "\0" in text else "q=%ED%A0%80"
    for address in (SEARCH, "/api/v1/export"):
        problem(client.get(f"{address}?format=csv&{query}" if "export" in address else f"{address}?{query}"), 400)
    assert client.get(f"/?{query}").status_code == 400


def test_a_caption_of_the_page_with_nul_is_400(client: FlaskClient) -> None:
    assert client.post("/picture/1", data={"text": "a\0b"}).status_code == 400


@pytest.mark.parametrize("body", ["[" * 1000, '{"text":' * 1000, "[" * 100_000, "9" * 5000, "nul", '{"text": NaN}'])
def test_json_that_no_program_would_send_is_400(client: FlaskClient, body: str) -> None:
    problem(client.put("/api/v1/pictures/1/caption", data=body, content_type="application/json"), 400)


@pytest.mark.parametrize(
    ("address", "nearest"),
    [
        (f"{SEARCH}?q=red&limt=3", "limit"),
        (f"{SEARCH}?q=red&Limit=3", "limit"),
        (f"{SEARCH}?query=red", "q"),
        (f"{SEARCH}?q=red&orientaton=portrait", "orientation"),
        ("/api/v1/pictures?ofset=3", "offset"),
        ("/api/v1/facets?fodler=x", "folder"),
        ("/api/v1/export?format=csv&unlik=3", "unlike"),
        ("/api/v1/library/skipped?limits=3", "limit"),
        ("/api/v1/duplicates?kid=near", "kind"),
        ("/api/v1/pictures/1?v=3", "takes none"),
        ("/api/v1/pictures/1/file?version=3", "v"),
        ("/api/v1/library?x=%F0%9F%90%B6", "takes none"),
    ],
)
def test_an_unknown_parameter_is_400_and_names_the_nearest(client: FlaskClient, address: str, nearest: str) -> None:
    assert problem(client.get(address), 400).endswith(f" {nearest}")


def test_an_unknown_field_of_a_form_is_400(client: FlaskClient) -> None:
    assert "nearest is limit" in problem(post(client, b"not looked at", limitt="3"), 400)
    problem(client.post(f"{SEARCH}?limit=3", data={"q": "red"}, content_type=MULTIPART), 400)
