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
    assert "Nothing close to <q>xyzzy</q> among 12 pictures" in response.text
    assert "nearest anyway" not in response.text  # Nothing speaks for any of them.


def test_nothing_close_offers_the_nearest(client: FlaskClient, knowing: Library) -> None:
    page = client.get("/?q=red+puppy").text
    assert "Nothing close to <q>red puppy</q> among 12 pictures" in page
    assert 'href="/?q=red+puppy&amp;all=true"' in page
    nearest = client.get("/?q=red+puppy&all=true").text
    assert nearest.count('class="hit"') == 12
    assert 'href="/?q=red+puppy" data-keep>Show close ones only' in nearest


def test_a_hit_leads_to_more_and_less_like_it(client: FlaskClient) -> None:
    page = client.get("/?q=red&like=2@2").text
    assert 'href="/?like=1">Find similar' in page
    assert 'href="/?q=red&amp;like=2@2&amp;like=1" data-keep>More like this' in page
    assert 'href="/?q=red&amp;like=2@2&amp;unlike=1" data-keep>Less like this' in page
    assert "<h3>Words</h3>" in page
    assert "<h3>Like 1</h3>" in page
    assert "Less like this" not in client.get("/").text


def test_chosen_pictures_are_shown_and_can_be_left_out(client: FlaskClient) -> None:
    page = client.get("/?q=red&like=2@2&unlike=3").text
    assert 'href="/?q=red&amp;unlike=3" data-keep title="Leave it out"' in page
    assert 'href="/?q=red&amp;like=2@2" data-keep title="Leave it out"' in page
    assert "More like, weight 2" in page
    for field in ('name="like" value="2@2"', 'name="unlike" value="3"'):
        assert f'<input type="hidden" {field}>' in page
    assert "like the chosen" in client.get("/?like=2").text


def test_a_picture_to_be_unlike_alone_is_the_start(client: FlaskClient) -> None:
    """What is left once the last picture to be like was left out."""
    assert "In your library" in client.get("/?unlike=3").text


def test_an_upload_may_have_words_and_pictures_beside_it(client: FlaskClient, painted: Any) -> None:
    data = {"image": (io.BytesIO(painted("blue")), "x.png"), "q": "boat", "like": "2"}
    page = client.post("/", data=data, content_type="multipart/form-data").text
    assert "Your picture, in words" in page
    assert "Like 2" in page
    assert 'href="/?q=boat&amp;like=2">Go on without it' in page


@pytest.mark.parametrize(
    ("address", "status"), [("/?q=", 400), ("/?q=red&limit=0", 400), ("/?like=99", 404), ("/nowhere", 404)]
)
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
