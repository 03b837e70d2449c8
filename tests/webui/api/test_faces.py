"""Faces and people over HTTP."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from data.errors import RetroflexError
from retrieval.library import Library
from tests.drawn_faces import DrawnFinder, draw_people, make_drawn_film
from tests.webui.api_checks import SEARCH, problem, valid
from tests.webui.people import add_people
from webui.describing import faces as describing

API = "/api/v1"

pytest.importorskip("sklearn")


@pytest.fixture
def ids(library: Library, photo_folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    monkeypatch.setattr(describing, "load_shipped", DrawnFinder)
    return add_people(library, photo_folder / "people")


def faces(client: FlaskClient, picture: int) -> list[dict[str, Any]]:
    answer = client.get(f"{API}/pictures/{picture}/faces").get_json()
    valid("FacesOf", answer)
    return list(answer["faces"])


def found(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.text
    valid("SearchResult", answer.get_json())
    return [hit["id"] for hit in answer.get_json()["hits"]]


def upload(client: FlaskClient, path: Path, **fields: object) -> Any:
    return client.post(SEARCH, data={"image": (io.BytesIO(path.read_bytes()), "x.png"), **fields})


def test_a_face_of_the_library_finds_the_person(client: FlaskClient, ids: dict[str, int]) -> None:
    anna, ben = faces(client, ids["two"])
    assert anna["box"] == [0.1, 0.125, 0.3, 0.375]
    answer = client.get(SEARCH, query_string={"face": anna["id"]})
    assert set(found(answer)) == {ids["one"], ids["two"]}
    hit = answer.get_json()["hits"][0]
    assert hit["face"]["box"] == faces(client, hit["id"])[0]["box"]
    assert answer.get_json()["query"]["face"] == {"number": 2, "box": anna["box"], "time": None}
    assert len(found(client.get(SEARCH, query_string={"face": ben["id"], "all": "true"}))) == 3
    assert len(found(client.get(SEARCH, query_string={"face": ben["id"], "limit": 1, "offset": 1}))) == 1
    assert found(client.get(SEARCH, query_string={"face": ben["id"], "min_side": 5000})) == []
    rows = client.get(f"{API}/export", query_string={"face": ben["id"], "format": "json"}).get_json()["pictures"]
    assert {row["id"] for row in rows} == {ids["two"], ids["three"]}


def test_an_uploaded_face_finds_the_person(client: FlaskClient, ids: dict[str, int], tmp_path: Path) -> None:
    sent = draw_people(tmp_path / "sent.png", {"ben": (5, 5, 70, 70), "anna": (80, 10, 90, 20)})
    assert set(found(upload(client, sent, face_number=1))) == {ids["two"], ids["three"]}
    second = upload(client, sent, face_number=2)
    assert set(found(second)) == {ids["one"], ids["two"]}
    assert [told["number"] for told in second.get_json()["query"]["faces"]] == [1, 2]
    assert "has 2 faces, so there is no face 3" in problem(upload(client, sent, face_number=3), 400)
    none = draw_people(tmp_path / "none.png", {})
    assert "no face is found in the picture" in problem(upload(client, none, face_number=1), 400)


def test_an_uploaded_film_finds_each_person_in_it(client: FlaskClient, ids: dict[str, int], tmp_path: Path) -> None:
    pytest.importorskip("av")
    sent = make_drawn_film(tmp_path / "sent.gif", tmp_path)
    largest = upload(client, sent, face_number=1)
    assert set(found(largest)) == {ids["one"], ids["two"]}
    assert [told["time"] for told in largest.get_json()["query"]["faces"]] == [2, 4]
    finder = client.application.extensions["retroflex"].faces._loaded
    seen = finder.seen
    assert set(found(upload(client, sent, face_number=2))) == {ids["two"], ids["three"]}
    assert finder.seen == seen
    assert "the film has 2 faces, so there is no face 3" in problem(upload(client, sent, face_number=3), 400)
    sent.write_bytes(sent.read_bytes()[:40])
    assert upload(client, sent, face_number=1).status_code in (400, 415, 422)


def test_films_are_not_searched_for_faces_without_bounds(
    client: FlaskClient, ids: dict[str, int], tmp_path: Path
) -> None:
    pytest.importorskip("av")
    sent = make_drawn_film(tmp_path / "sent.gif", tmp_path)
    for _ in range(describing.FILMS_AT_ONCE):
        client.application.extensions["retroflex"].faces._films.acquire()
    assert "other films are being searched" in problem(upload(client, sent, face_number=1), 429)


def test_bad_requests_for_faces_are_one_line(
    client: FlaskClient, ids: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no face has the id 99999" in problem(client.get(SEARCH, query_string={"face": 99999}), 400)
    assert "face must be a whole number" in problem(client.get(SEARCH, query_string={"face": "x"}), 400)
    both = client.get(SEARCH, query_string={"face": 1, "q": "dog"})
    assert "a face is searched for alone" in problem(both, 400)
    picture = draw_people(tmp_path / "one.png", {"anna": (5, 5, 20, 20)})
    assert "face_number must be a whole number" in problem(upload(client, picture, face_number=0), 400)
    nothing = client.post(SEARCH, data={"face_number": "1"}, content_type="multipart/form-data")
    assert "face_number needs one picture" in problem(nothing, 400)
    assert "no picture 999" in problem(client.get(f"{API}/pictures/999/faces"), 404)

    def fail() -> DrawnFinder:
        raise RetroflexError("faces need dlib-bin: pip install '.[faces]'")

    monkeypatch.setattr(describing, "load_shipped", fail)
    client.application.extensions["retroflex"].faces._loaded = None
    assert problem(upload(client, picture, face_number=1), 503) == "faces need dlib-bin: pip install '.[faces]'"


def test_a_library_without_faces_says_how_to_find_them(client: FlaskClient) -> None:
    assert "find them: retroflex index --faces" in problem(client.get(SEARCH, query_string={"face": 1}), 400)
    assert faces(client, 1) == []
    assert client.get(f"{API}/people").get_json() == {"people": [], "undo": None}


def test_people_are_named_merged_split_hidden_and_undone(client: FlaskClient, ids: dict[str, int]) -> None:
    anna, ben = faces(client, ids["two"])
    named = client.put(f"{API}/faces/{anna['id']}/name", json={"name": "Anna"}).get_json()
    valid("PersonInFull", named)
    assert (named["name"], named["faces"]) == ("Anna", 2)
    assert set(found(client.get(SEARCH, query_string={"q": "Anna"}))) == {ids["one"], ids["two"]}
    listed = client.get(f"{API}/people").get_json()
    valid("People", listed)
    assert [one["name"] for one in listed["people"]] == ["Anna", None]
    merged = client.post(f"{API}/people/merge", json={"people": [ben["person"], anna["person"]]}).get_json()
    assert (merged["id"], merged["faces"]) == (anna["person"], 4)
    split = client.post(f"{API}/people/{merged['id']}/split", json={"faces": [ben["id"]]}).get_json()
    assert [one["id"] for one in split["listed"]] == [ben["id"]]
    changed = client.patch(f"{API}/people/{split['id']}", json={"name": "Ben", "hidden": True}).get_json()
    assert (changed["name"], changed["hidden"]) == ("Ben", True)
    undone = [client.post(f"{API}/people/undo").get_json()["undo"] for _ in range(5)]
    assert undone[-1] is None
    assert "no change of people is left to undo" in problem(client.post(f"{API}/people/undo"), 409)
    assert {one["name"] for one in client.get(f"{API}/people").get_json()["people"]} == {None}


def test_impossible_changes_of_people_are_one_line(client: FlaskClient, ids: dict[str, int]) -> None:
    anna, ben = faces(client, ids["two"])
    client.put(f"{API}/faces/{anna['id']}/name", json={"name": "Anna"})
    assert "no face has the id 999" in problem(client.put(f"{API}/faces/999/name", json={"name": "A"}), 404)
    assert "a name needs letters" in problem(client.put(f"{API}/faces/{anna['id']}/name", json={"name": "?"}), 409)
    assert "no group of faces 999" in problem(client.get(f"{API}/people/999"), 404)
    taken = client.patch(f"{API}/people/{ben['person']}", json={"name": "anna"})
    assert "is group" in problem(taken, 409)
    assert "two different groups" in problem(client.post(f"{API}/people/merge", json={"people": [1]}), 409)
    for wrong in ([], ["x"], [-1], "1", None):
        assert "the field faces must be" in problem(
            client.post(f"{API}/people/{ben['person']}/split", json={"faces": wrong}), 400
        )


def test_all_faces_can_be_forgotten(client: FlaskClient, ids: dict[str, int]) -> None:
    answer = client.delete(f"{API}/faces").get_json()
    valid("ForgottenFaces", answer)
    assert answer == {"faces": 4, "people": 2}
    assert faces(client, ids["two"]) == []
    assert "no faces yet" in problem(client.get(SEARCH, query_string={"face": 1}), 400)
