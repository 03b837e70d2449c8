"""The page of people, and faces on the other pages, without scripts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from data.faces.people import list_people
from retrieval.library import Library
from tests.webui.people import add_people

pytest.importorskip("sklearn")


@pytest.fixture
def ids(library: Library, photo_folder: Path) -> dict[str, int]:
    return add_people(library, photo_folder / "people")


def test_without_faces_the_page_says_how_to_find_them(client: FlaskClient) -> None:
    page = client.get("/people").text
    assert "retroflex index --faces" in page
    assert "Forget all faces" not in page
    assert "outlines" not in client.get("/picture/1").text


def test_people_are_named_joined_parted_hidden_and_undone(
    client: FlaskClient, library: Library, ids: dict[str, int]
) -> None:
    first, second = (one.id for one in list_people(library.store))

    def act(place: str, **fields: object) -> str:
        answer = client.post(place, data=fields, follow_redirects=True)
        assert answer.status_code == 200, answer.text
        return answer.text

    assert "The name was saved" in act("/people", do="name", person=first, name="Anna <b>")
    assert "Anna &lt;b&gt;" in client.get("/people").text
    assert "They are one person now" in act("/people", do="merge", people=[first, second])
    page = client.get(f"/people/{first}").text
    listed = re.findall(r'name="faces" value="(\d+)"', page)
    assert len(listed) == 4
    assert "a group of their own" in act(f"/people/{first}", do="split", faces=listed[:1])
    assert "Hidden from this page" in act(f"/people/{first}", do="hide")
    assert "Anna" not in re.sub(r"Undo: [^<]*", "", client.get("/people").text)
    assert "Anna &lt;b&gt;" in client.get("/people?hidden=true").text
    assert "Shown again" in act(f"/people/{first}", do="show")
    for _ in range(5):
        assert "The change was undone" in act("/people", do="undo")
    assert {one.name for one in list_people(library.store)} == {None}
    assert "were deleted" in act("/people", do="forget")
    assert list_people(library.store) == []


def test_a_picture_outlines_its_faces_and_takes_names(
    client: FlaskClient, library: Library, ids: dict[str, int]
) -> None:
    page = client.get(f"/picture/{ids['two']}").text
    assert page.count("<title>More of this person</title>") == 2
    address = re.findall(r'<a href="(/\?face=\d+)" tabindex', page)[0]
    face = address.rpartition("=")[2]
    hits = client.get(address).text
    assert "2 pictures of this person" in re.sub(r"\s+", " ", hits)
    assert "2 faces in it" in hits
    saved = client.post(f"/picture/{ids['two']}", data={"do": "who", "of": face, "name": "Anna"}, follow_redirects=True)
    assert "The name was saved" in saved.text
    assert 'value="Anna"' in saved.text
    assert [one.name for one in list_people(library.store)] == ["Anna", None]
    assert f'href="/picture/{ids["one"]}' in client.get("/?q=Anna").text
    assert client.post(f"/picture/{ids['two']}", data={"do": "who", "of": "x", "name": "A"}).status_code == 400
    assert client.post(f"/picture/{ids['two']}", data={"do": "who", "of": "999", "name": "A"}).status_code == 404


def test_a_search_by_words_after_one_by_a_face_leaves_the_face_out(client: FlaskClient, ids: dict[str, int]) -> None:
    page = client.get(f"/picture/{ids['two']}").text
    hits = client.get(re.findall(r'<a href="(/\?face=\d+)" tabindex', page)[0]).text
    assert 'name="face"' not in hits.split('id="words"')[1].split("</form>")[0]
