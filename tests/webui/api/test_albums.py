"""Favourites and albums over HTTP: filters, orders, facets, exports and completion know them at once."""

from __future__ import annotations

import csv
import io
from typing import Any
from zipfile import ZipFile

from flask.testing import FlaskClient

from retrieval.library import Library
from tests.webui.api_checks import SEARCH, problem, valid

API = "/api/v1"
ALBUMS = f"{API}/albums"


def listed(client: FlaskClient, **query: object) -> list[int]:
    answer = client.get(f"{API}/pictures", query_string=query).get_json()
    valid("Pictures", answer)
    return [one["id"] for one in answer["pictures"]]


def found(client: FlaskClient, **query: object) -> list[int]:
    answer = client.get(SEARCH, query_string=query).get_json()
    valid("SearchResult", answer)
    return [one["id"] for one in answer["hits"]]


def made(client: FlaskClient, **body: object) -> dict[str, Any]:
    answer = client.post(ALBUMS, json=body)
    assert answer.status_code == 201, answer.text
    valid("Album", answer.get_json())
    return dict(answer.get_json())


def test_favourites_are_marked_filtered_counted_exported_and_completed(client: FlaskClient) -> None:
    picture = client.put(f"{API}/pictures/4/favourite").get_json()
    valid("Picture", picture)
    assert picture["favourite"]
    answer = client.post(f"{API}/favourites", json={"pictures": [4, 7, 2], "favourite": True}).get_json()
    valid("ChangedFavourites", answer)
    assert answer == {"changed": [7, 2], "favourite": True}
    assert sorted(listed(client, favourite="yes")) == [2, 4, 7]
    assert len(listed(client, favourite="no")) == 9
    assert sorted(found(client, q="red boat", favourite="yes")) == [4, 7]
    hits = client.get(SEARCH, query_string={"q": "red boat"}).get_json()["hits"]
    assert {hit["id"]: hit["favourite"] for hit in hits} == {1: False, 4: True, 7: True, 10: False}
    counts = client.get(f"{API}/facets").get_json()
    valid("Facets", counts)
    assert {one["value"]: one["pictures"] for one in counts["favourite"]} == {"no": 9, "yes": 3}
    rows = csv.DictReader(io.StringIO(client.get(f"{API}/export?format=csv").text))
    assert {int(row["id"]) for row in rows if row["favourite"] == "True"} == {2, 4, 7}
    completed = client.get(f"{API}/complete?q=favo").get_json()
    valid("Completions", completed)
    assert completed["completions"][0]["filter"] == {"name": "favourite", "value": "yes"}
    assert not client.delete(f"{API}/pictures/4/favourite").get_json()["favourite"]
    assert sorted(listed(client, favourite="yes")) == [2, 7]


def test_an_album_is_made_opened_searched_changed_and_undone(client: FlaskClient) -> None:
    album = made(client, name="Boats", pictures=[7, 1, 5])
    number, cover = album["id"], album["cover"]
    assert (album["pictures"], album["query"], cover["id"]) == (3, None, 7)
    assert client.get(cover["links"]["thumbnail"]).mimetype == "image/webp"
    assert listed(client, album=number) == [7, 1, 5]
    assert listed(client, album=number, sort="oldest") == [1, 5, 7]
    assert sorted(found(client, q="red boat", album=number)) == [1, 7]
    added = client.post(f"{ALBUMS}/{number}/pictures", json={"pictures": [2, 5], "before": 1}).get_json()
    valid("ChangedAlbum", added)
    assert added["changed"] == [2]
    assert listed(client, album=number) == [7, 2, 5, 1]
    assert found(client, q="red boat", album=number, sort="album") == [7, 1]
    facet = client.get(f"{API}/facets?orientation=landscape").get_json()["album"]
    assert facet == [{"id": number, "name": "Boats", "pictures": 4}]
    archive = ZipFile(io.BytesIO(client.get(f"{API}/export?format=zip&album={number}").data))
    assert archive.namelist()[:2] == ["red 6.jpg", "green 1.png"]
    assert client.get(f"{API}/pictures/2").get_json()["albums"] == [{"id": number, "name": "Boats"}]
    renamed = client.patch(f"{ALBUMS}/{number}", json={"name": "Sea", "cover": 1}).get_json()
    assert (renamed["name"], renamed["cover"]["id"]) == ("Sea", 1)
    completed = client.get(f"{API}/complete?q=se").get_json()["completions"]
    assert {"name": "album", "value": str(number)} in [one["filter"] for one in completed]
    removed = client.post(f"{ALBUMS}/{number}/pictures/remove", json={"pictures": [7, 12]}).get_json()
    assert removed["changed"] == [7]
    assert listed(client, album=number) == [2, 5, 1]
    deleted = client.delete(f"{ALBUMS}/{number}").get_json()
    valid("Albums", deleted)
    assert deleted == {"albums": [], "undo": "the deletion of the album Sea"}
    assert f"there is no album {number}" in problem(client.get(f"{API}/pictures?album={number}"), 400)
    for _ in range(2):
        undone = client.post(f"{ALBUMS}/undo")
    valid("Albums", undone.get_json())
    assert listed(client, album=number) == [7, 2, 5, 1]


def test_a_saved_search_finds_what_there_is_now(client: FlaskClient, library: Library) -> None:
    album = made(client, name="Red ones", query="?why=true&q=red+boat&favourite=yes&offset=30")
    assert (album["query"], album["pictures"], album["cover"]) == ("q=red+boat&favourite=yes", 0, None)
    client.put(f"{API}/pictures/10/favourite")
    album = client.get(f"{ALBUMS}/{album['id']}").get_json()
    assert (album["pictures"], album["cover"]["id"]) == (1, 10)
    by_filter = made(client, name="Kept", query="favourite=yes&sort=oldest")
    assert (by_filter["query"], by_filter["pictures"]) == ("favourite=yes&sort=oldest", 1)
    within = made(client, name="Few", pictures=[10])
    lost = made(client, name="In few", query=f"album={within['id']}")
    client.delete(f"{ALBUMS}/{within['id']}")
    lost = client.get(f"{ALBUMS}/{lost['id']}").get_json()
    assert (lost["pictures"], lost["problem"]) == (
        None,
        f"there is no album {within['id']} in the library; take an id from its albums",
    )
    assert "Red ones is a saved search" in problem(client.get(f"{API}/pictures?album={album['id']}"), 400)
    assert "Red ones is a saved search" in problem(
        client.post(f"{ALBUMS}/{album['id']}/pictures", json={"pictures": [1]}), 409
    )


def test_wrong_requests_are_one_clear_line(client: FlaskClient) -> None:
    number = made(client, name="Boats", pictures=[1])["id"]
    for body, status, said in (
        ({}, 400, "the field name must be a text"),
        ({"name": "boats"}, 409, "there is an album boats already"),
        ({"name": "x", "pictures": [99]}, 404, "no picture has the id 99"),
        ({"name": "x", "pictures": [1.5]}, 400, "the field pictures must be a list of 1 to 10,000 ids"),
        ({"name": "x", "pictures": [1], "query": "q=red"}, 400, "leave one of them out"),
        ({"name": "x", "query": "why=true"}, 400, "there is nothing to save"),
        ({"name": "x", "query": "taken_from=never"}, 400, "taken_from must be a day"),
        ({"name": "x\ud800"}, 400, "characters that are no text"),
    ):
        assert said in problem(client.post(ALBUMS, json=body), status)
    assert "picture 2 is not in the album Boats" in problem(client.patch(f"{ALBUMS}/{number}", json={"cover": 2}), 409)
    assert "there is no album 99" in problem(client.patch(f"{ALBUMS}/99", json={"name": "x"}), 404)
    assert "must be true or false" in problem(
        client.post(f"{API}/favourites", json={"pictures": [1], "favourite": 1}), 400
    )
    assert "no picture has the id 99" in problem(client.put(f"{API}/pictures/99/favourite"), 404)
    client.post(f"{ALBUMS}/undo")
    assert "no change of albums is left to undo" in problem(client.post(f"{ALBUMS}/undo"), 409)
