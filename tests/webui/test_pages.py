"""The page as the server makes it: it must work without scripts."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

import webui
from data.settings import load_settings
from retrieval.library import Library
from webui.app import create_app

STATIC = Path(webui.__file__).parent / "static"


def test_the_start_shows_the_library_and_examples(client: FlaskClient) -> None:
    page = client.get("/").text
    assert "12 pictures" in page
    assert page.count('class="hit"') == 12
    assert 'href="/?q=a+red+boat+on+the+water"' in page


def test_an_empty_library_says_what_to_do(tmp_path: Path, captioner: Any) -> None:
    empty = Library.open(load_settings(library=tmp_path / "empty"), create=True)
    client = create_app(empty, lambda: captioner).test_client()
    assert "retroflex index" in client.get("/").text
    assert client.get("/?q=dog").status_code == 200
    empty.close()


def test_words_give_hits_with_caption_score_and_alternative_text(client: FlaskClient) -> None:
    page = client.get("/?q=red+boat&limit=2").text
    assert page.count('class="hit"') == 2
    assert 'alt="a red boat on the water"' in page
    assert 'class="score"' in page
    assert "offset=2" in page


def test_an_upload_gives_hits_and_its_captions(client: FlaskClient, painted: Any) -> None:
    data = {"image": (io.BytesIO(painted("blue")), "x.png")}
    page = client.post("/", data=data, content_type="multipart/form-data").text
    assert "Your picture, in words" in page
    assert "a blue house by the sea" in page
    assert "data:image/webp;base64," in page


def test_no_known_word_is_said_plainly(client: FlaskClient) -> None:
    response = client.get("/?q=xyzzy")
    assert response.status_code == 200
    assert "No picture for" in response.text


@pytest.mark.parametrize(("address", "status"), [("/?q=", 400), ("/?q=red&limit=0", 400), ("/nowhere", 404)])
def test_errors_are_messages_on_the_page(client: FlaskClient, address: str, status: int) -> None:
    response = client.get(address)
    assert response.status_code == status
    assert 'role="alert"' in response.text


def test_an_upload_that_is_no_picture_is_a_message_on_the_page(client: FlaskClient) -> None:
    data = {"image": (io.BytesIO(b"text"), "x.jpg")}
    response = client.post("/", data=data, content_type="multipart/form-data")
    assert response.status_code == 415
    assert 'role="alert"' in response.text


def test_what_people_type_or_name_is_text_and_never_markup(
    client: FlaskClient, library: Library, photo_folder: Path, add_picture: Any, painted: Any
) -> None:
    evil = "<script>alert(1)</script>"
    assert evil not in client.get("/", query_string={"q": evil}).text
    assert evil not in client.get("/", query_string={"q": evil, "limit": "x"}).text
    add_picture(library, photo_folder / "<img src=x onerror=alert(1)>.png", painted("red", seed=77))
    library.store.set_user_caption(13, '"><b>boat</b>')
    page = client.get("/?q=boat").text
    assert "onerror=alert" in page
    assert "<img src=x" not in page
    assert "<b>boat" not in page


def test_the_page_asks_nothing_of_other_hosts(client: FlaskClient) -> None:
    sources = client.get("/?q=red").text + "".join(path.read_text() for path in STATIC.iterdir())
    assert "https://" not in sources
    assert {part.split('"')[0] for part in sources.split("http://")[1:]} <= {"www.w3.org/2000/svg"}


def test_script_and_style_stay_small() -> None:
    assert sum(path.stat().st_size for path in STATIC.iterdir()) < 40_000
