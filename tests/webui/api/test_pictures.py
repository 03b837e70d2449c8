"""One picture over HTTP: what is stored about it, what its camera wrote, and its captions."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import ExifTags, Image

from retrieval.library import Library
from tests.webui.api_checks import SEARCH, problem, valid


def picture(client: FlaskClient, number: int) -> Any:
    answer = client.get(f"/api/v1/pictures/{number}").get_json()
    valid("Picture", answer)
    return answer


@pytest.fixture
def shot() -> bytes:
    """A picture with a camera and a place."""
    exif = Image.Exif()
    exif.update({ExifTags.Base.Make: "Canon", ExifTags.Base.Model: "EOS 5D"})
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (47.0, 39.0, 0.0)})
    content = io.BytesIO()
    Image.new("RGB", (40, 30), (200, 30, 30)).save(content, "JPEG", exif=exif)
    return content.getvalue()


def test_the_camera_is_told_but_not_the_place(
    client: FlaskClient, library: Library, photo_folder: Path, add_picture: Any, shot: bytes
) -> None:
    add_picture(library, photo_folder / "shot.jpg", shot)
    answer = picture(client, 13)
    assert answer["exif"]["camera"] == "Canon EOS 5D"
    assert "47" not in str(answer["exif"])
    (photo_folder / "shot.jpg").unlink()
    assert set(picture(client, 13)["exif"].values()) == {None}


def test_the_folder_filters_searches(client: FlaskClient, photo_folder: Path) -> None:
    folder = picture(client, 2)["folder"]
    assert folder["path"] == str(photo_folder)
    assert client.get("/api/v1/pictures", query_string={"folder": folder["id"]}).get_json()["total"] == 12


def test_copies_are_told(
    client: FlaskClient, library: Library, photo_folder: Path, add_picture: Any, painted: Any
) -> None:
    add_picture(library, photo_folder / "zz copy.jpg", (photo_folder / "red 0.jpg").read_bytes())
    add_picture(library, photo_folder / "resaved.webp", painted("red", seed=0, picture_format="WEBP"))
    copies = picture(client, 1)["copies"]
    assert copies["exact"] == [str(photo_folder / "zz copy.jpg")]
    near = {one["id"]: one["cosine"] for one in copies["near"]}
    assert next(iter(near)) == 13
    assert list(near.values()) == sorted(near.values(), reverse=True)
    assert 1 not in near
    assert 2 not in near


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
