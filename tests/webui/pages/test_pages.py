"""The page as the server renders it: it must work without scripts."""

from __future__ import annotations

import io
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import ExifTags, Image
from sqlalchemy import update

import webui
from data.settings import load_settings
from data.tables import pictures
from retrieval.library import Library
from webui.app import create_app

STATIC = Path(webui.__file__).parent / "static"


def test_the_start_shows_the_library_and_examples(client: FlaskClient) -> None:
    page = client.get("/").text
    assert "1–<span data-last>12</span> of 12 pictures" in page
    assert page.count('class="hit ') == 12
    assert 'href="/?q=a+red+boat+on+the+water"' in page


def test_an_empty_library_leads_to_its_page(tmp_path: Path, captioner: Any) -> None:
    empty = Library.open(load_settings(library=tmp_path / "empty"), create=True)
    client = create_app(empty, lambda: captioner).test_client()
    assert 'href="/library?add=true#add">Choose a folder' in client.get("/").text
    for query in ("/?q=dog", "/?exclude=dog"):
        assert "<h1>The library is empty</h1>" in client.get(query).text
    assert "No picture passes the filters" in client.get("/?q=dog&format=PNG").text
    empty.close()


def test_words_give_hits_with_caption_relevance_and_alternative_text(client: FlaskClient) -> None:
    page = client.get("/?q=red+boat&limit=2").text
    assert page.count('class="hit ') == 2
    assert 'alt="a red boat on the water"' in page
    assert 'class="score"' in page
    assert 'rel="next" data-keep href="/?q=red+boat&amp;limit=2&amp;offset=2"' in page


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("q=red", "red"),
        ("unlike=1", "Unlike a picture"),
        ("q=red&unlike=1", "red, unlike a picture"),
        ("like=2&unlike=1", "Like a picture, unlike a picture"),
        ("exclude=red", "Without red"),
    ],
)
def test_the_title_says_what_was_asked_for(client: FlaskClient, query: str, title: str) -> None:
    assert f"<title>{title} · Retroflex</title>" in client.get(f"/?{query}").text


@pytest.mark.parametrize("query", ["q=red", "sort=oldest"])
def test_a_page_after_the_last_says_so(client: FlaskClient, query: str) -> None:
    page = client.get(f"/?{query}&offset=100000").text
    assert "There are no pictures on this page." in page
    assert "100,001" not in page
    assert f'href="/?{query}&amp;limit=30" data-keep>Go to the first page' in page


def test_an_upload_gives_hits_and_its_captions(client: FlaskClient, painted: Any) -> None:
    data = {"image": (io.BytesIO(painted("blue")), "x.png")}
    page = client.post("/", data=data, content_type="multipart/form-data").text
    assert "Captions of your picture" in page
    assert "a blue house by the sea" in page
    assert "data:image/webp;base64," in page


def test_no_known_word_is_said_plainly(client: FlaskClient) -> None:
    response = client.get("/?q=xyzzy")
    assert response.status_code == 200
    assert "No picture is close to <q>xyzzy</q>" in response.text
    assert "nearest anyway" not in response.text  # Nothing speaks for any of them.


def test_nothing_close_offers_the_nearest(client: FlaskClient, knowing: Library) -> None:
    page = client.get("/?q=red+puppy").text
    assert "No picture is close to <q>red puppy</q>" in page
    assert 'href="/?q=red+puppy&amp;all=true"' in page
    nearest = client.get("/?q=red+puppy&all=true").text
    assert nearest.count('class="hit ') == 12
    assert 'href="/?q=red+puppy" data-keep>Show close matches only' in nearest


def test_what_no_caption_says_is_told_above_the_hits(client: FlaskClient, knowing: Library) -> None:
    page = client.get("/?q=puppies&all=true").text
    assert page.count('<p class="notice">No caption says “puppies”; these look similar.</p>') == 1
    assert page.index('class="notice"') < page.index('class="hit ')
    assert "No caption says “puppy”; these say the other words" in client.get("/?q=red+puppy&all=true").text
    assert "<p>No caption says “puppy”.</p>" in client.get("/?q=red+puppy").text
    assert "No caption says" not in client.get("/?q=red+boats&all=true").text
    assert "“&lt;b&gt;" not in client.get("/?q=<b>&all=true").text


def test_a_picture_leads_to_more_and_less_like_it(client: FlaskClient) -> None:
    page = client.get("/picture/1?q=red&like=2@2").text
    assert 'href="/?like=1">More like this<' in page
    assert 'href="/?q=red&amp;like=2@2&amp;like=1" data-keep>Add to search' in page
    assert 'href="/?q=red&amp;like=2@2&amp;unlike=1" data-keep>Less like this' in page
    assert "Less like this" not in client.get("/picture/1").text


def test_a_picture_knows_its_neighbours_among_the_hits(client: FlaskClient) -> None:
    page = client.get("/picture/4?q=red+boat&at=1").text
    assert 'rel="prev" href="/picture/1?q=red+boat&amp;at=0"' in page
    assert 'rel="next" href="/picture/7?q=red+boat&amp;at=2"' in page
    assert "Relevance" in page
    moved = client.get("/picture/4?q=red+boat&at=7").text
    assert re.search('rel="prev" href="[^"]*" hidden', moved)
    assert "Relevance" not in moved


def test_chosen_pictures_are_shown_and_can_be_turned_or_left_out(client: FlaskClient) -> None:
    page = client.get("/?q=red&like=2@2&unlike=3").text
    assert 'href="/?q=red&amp;unlike=3" data-keep title="Remove"' in page
    assert 'href="/?q=red&amp;unlike=3&amp;unlike=2" data-keep title="Avoid it instead"' in page
    assert "×2" in page
    for field in ('name="like" value="2@2"', 'name="unlike" value="3"'):
        assert f'<input type="hidden" {field}>' in page
    assert "like the chosen" in client.get("/?like=2").text


def test_a_picture_to_be_unlike_alone_brings_what_looks_least_like_it(client: FlaskClient) -> None:
    page = client.get("/?unlike=3").text
    assert ", least like the avoided one first" in page
    assert "Unlike a picture · Retroflex" in page


def test_words_left_empty_show_the_library(client: FlaskClient) -> None:
    assert "In your library" in client.get("/?q=").text


def test_an_order_that_only_browsing_knows_does_not_stop_a_search(client: FlaskClient) -> None:
    assert client.get("/?q=red&sort=added").status_code == 200
    assert client.get("/?sort=relevance").status_code == 200
    assert client.get("/?sort=size").status_code == 400


def test_an_upload_may_have_words_and_pictures_beside_it(client: FlaskClient, painted: Any) -> None:
    data = {"image": (io.BytesIO(painted("blue")), "x.png"), "q": "boat", "like": "2", "why": "true"}
    page = client.post("/", data=data, content_type="multipart/form-data").text
    assert "Captions of your picture" in page
    assert "Like 2" in page


def test_matched_words_are_marked_in_whatever_form(client: FlaskClient) -> None:
    page = client.get("/?q=Boats+under+waters&why=true").text
    assert "a red <mark>boat</mark> on the <mark>water</mark>" in page
    assert "<mark>" not in client.get("/?q=Boats+under+waters").text


def test_buttons_of_the_library_that_do_not_exist_are_refused(client: FlaskClient) -> None:
    assert client.post("/library", data={"do": "burn"}).status_code == 400
    assert client.post("/library", data={"do": "add", "place": "/etc"}).status_code == 404
    assert client.post("/library", data={"do": "stop"}).status_code == 409


@pytest.mark.parametrize(
    ("address", "status"),
    [("/?q=red&limit=0", 400), ("/picture/99", 404), ("/?q=red&why=maybe", 400), ("/?like=99", 404), ("/nowhere", 404)],
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
    page = client.get("/?q=boat&why=true").text + client.get("/picture/13?q=boat&at=0").text
    assert "onerror=alert" in page
    assert "<img src=x" not in page
    assert "<b>" not in page.replace('<b aria-current="page">', "")


def test_the_page_asks_nothing_of_other_hosts(client: FlaskClient) -> None:
    sources = client.get("/?q=red").text + "".join(path.read_text() for path in STATIC.glob("*.[cjs][sv]*"))
    assert "https://" not in sources
    assert {part.split('"')[0] for part in sources.split("http://")[1:]} <= {"www.w3.org/2000/svg"}


def test_copies_are_kept_and_undone_by_plain_forms(
    client: FlaskClient, library: Library, photo_folder: Path, add_picture: Any, painted: Any
) -> None:
    for place in "ab":
        add_picture(library, photo_folder / place / "copy.png", painted("red", seed=50))
    page = client.get("/duplicates").text
    key = re.findall(r'name="key" value="([^"]+)"', page)[0]
    copies = re.findall(r'name="keep" value="([^"]+)"', page)
    assert len(copies) == 2
    kept = client.post("/duplicates", data={"key": key, "kind": "exact", "do": "keep", "keep": copies[1]})
    assert kept.status_code == 303, kept.text
    assert client.get("/duplicates").text.count('class="passed"') == 1
    client.post("/duplicates", data={"key": key, "kind": "exact", "do": "undo"})
    assert 'class="passed"' not in client.get("/duplicates").text


def test_a_group_that_is_not_there_is_said(client: FlaskClient) -> None:
    assert client.post("/duplicates", data={"key": "near-0", "kind": "near", "do": "keep"}).status_code == 404
    assert client.get("/duplicates?kind=other").status_code == 400


def test_a_hit_says_where_it_matched_and_a_picture_when_it_was_taken(
    client: FlaskClient, library: Library, add_picture: Any, painted: Any, photo_folder: Path
) -> None:
    add_picture(library, photo_folder / "Screenshot <b> 2019-05-04 10-11-12.png", painted("blue", (90, 90), seed=60))
    page = client.get("/?q=screenshot").text
    assert "Name: Screenshot &lt;b&gt; 2019-05-04 10-11-12.png" in page
    (hit,) = client.get("/api/v1/search?q=May+2019").get_json()["hits"]
    assert hit["matched"] == [{"field": "date", "text": "4 May 2019, 10:11 (by the file's name)"}]
    assert (hit["taken_at"], hit["taken_from"]) == ("2019-05-04T10:11:12", "name")
    assert "4 May 2019, 10:11 (by the file&#39;s name)" in client.get(f"/picture/{hit['id']}").text
    assert "(by the file&#39;s own time)" in client.get("/picture/1").text


def test_a_picture_whose_file_tells_a_month_is_shown_with_it(
    client: FlaskClient, library: Library, add_picture: Any, painted: Any, photo_folder: Path
) -> None:
    exif, content = Image.Exif(), io.BytesIO()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2018:05:00 00:00:00"
    Image.open(io.BytesIO(painted("blue", (90, 90), seed=61))).save(content, "PNG", exif=exif.tobytes())
    add_picture(library, photo_folder / "scan.png", content.getvalue())
    (hit,) = client.get("/api/v1/search?q=May+2018").get_json()["hits"]
    assert (hit["taken_at"], hit["taken_from"]) == ("2018-05-01T00:00:00", "month")
    assert "May 2018 (by a month in the file&#39;s data)" in client.get(f"/picture/{hit['id']}").text
    assert not client.get("/api/v1/search?q=1+May+2018").get_json()["hits"]


@pytest.mark.parametrize("address", ["/?q=red&shade=blue", "/picture/1?shade=blue", "/library?shade=blue"])
def test_a_page_names_the_parameters_that_it_ignores(client: FlaskClient, address: str) -> None:
    answer = client.get(address)
    assert (answer.status_code, "Ignored: there is no parameter &#39;shade&#39;" in answer.text) == (200, True)
    assert "Ignored" not in client.get(address.replace("shade=blue", "")).text


def test_years_lead_to_the_pages_that_begin_with_their_pictures(client: FlaskClient, library: Library) -> None:
    assert 'aria-label="Years"' not in client.get("/").text, "all are of one year"
    with library.store.writing() as connection:
        for first, year in ((1, 2019), (5, 2021), (9, 2020)):
            theirs = pictures.c.id.between(first, first + 3)
            connection.execute(update(pictures).where(theirs).values(taken_at=datetime(year, 5, 4)))
    found = re.findall(r'<li><a href="([^"]+)" data-keep title="4 pictures">(\d{4})</a>', client.get("/").text)
    assert [year for _, year in found] == ["2021", "2020", "2019"]
    for address, year in found:
        first = re.search(r'name="ids" value="(\d+)"', client.get(address.replace("&amp;", "&")).text)
        assert first is not None
        assert (int(first[1]) - 1) // 4 == {"2019": 0, "2021": 1, "2020": 2}[year]
    assert "Years" not in client.get("/?sort=added").text
    assert "Years" not in client.get("/?taken_from=2020-01-01").text
