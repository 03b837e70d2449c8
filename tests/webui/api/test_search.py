"""Filters, browsing and counts over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from retrieval.library import Library
from tests.webui.api_checks import SEARCH, post, problem, valid

PICTURES, FACETS = "/api/v1/pictures", "/api/v1/facets"
BAD = [
    ("folder", "0" * 16),
    ("folder", "../etc"),
    ("taken_from", "yesterday"),
    ("taken_to", "2024-02-30"),
    ("taken_to", "20240101"),
    ("orientation", "LANDSCAPE"),
    ("min_side", "0"),
    ("max_side", "-1"),
    ("format", "JPG"),
    ("source", "me"),
    ("sort", "size"),
]


@pytest.fixture
def mixed(library: Library, add_picture: Any, painted: Any, photo_folder: Any) -> Library:
    """Two more pictures: a portrait, and a square in a folder of its own."""
    add_picture(library, photo_folder / "portrait.png", painted("red", (60, 200), seed=50))
    add_picture(library, photo_folder / "trip" / "square.png", painted("red", (90, 90), seed=51))
    return library


def test_browsing_goes_page_by_page(client: FlaskClient) -> None:
    whole = client.get(PICTURES).get_json()
    valid("Pictures", whole)
    assert whole["total"] == len(whole["pictures"]) == 12
    pages = [client.get(PICTURES, query_string={"limit": 5, "offset": offset}).get_json() for offset in (0, 5, 10)]
    assert [one for page in pages for one in page["pictures"]] == whole["pictures"]
    added = client.get(PICTURES, query_string={"sort": "added", "limit": 2}).get_json()
    assert [one["id"] for one in added["pictures"]] == [12, 11]


def test_filters_narrow_search_and_browsing(client: FlaskClient, mixed: Library) -> None:
    def total(address: str, **fields: Any) -> int:
        answer = client.get(address, query_string=fields).get_json()
        assert answer["total"] == len(answer.get("hits", answer.get("pictures")))
        return int(answer["total"])

    for fields, pictures, hits in (
        ({"orientation": "portrait"}, 1, 1),
        ({"orientation": ["", "square"]}, 14, 6),
        ({"format": ["PNG", "WEBP"]}, 10, 2),
        ({"format": "JPEG", "min_side": 120}, 4, 4),
        ({"max_side": 120}, 13, 5),
        ({"source": "user"}, 0, 0),
        ({"taken_from": "2000-01-01", "source": "model"}, 14, 6),
        ({"taken_to": "2000-01-01"}, 0, 0),
    ):
        assert (total(PICTURES, **fields), total(SEARCH, q="boat", **fields)) == (pictures, hits), fields


def test_facets_name_the_folders_to_filter_by(client: FlaskClient, mixed: Library) -> None:
    answer = client.get(FACETS).get_json()
    valid("Facets", answer)
    assert answer["total"] == 14
    assert {one["value"]: one["pictures"] for one in answer["orientation"]} == {
        "landscape": 12,
        "portrait": 1,
        "square": 1,
    }
    trip = next(one for one in answer["folder"] if one["path"].endswith("/trip"))
    found = client.get(PICTURES, query_string={"folder": trip["id"]}).get_json()
    assert [one["path"].rsplit("/", 1)[1] for one in found["pictures"]] == ["square.png"]
    narrowed = client.get(FACETS, query_string={"folder": trip["id"]}).get_json()
    assert narrowed["total"] == 1
    assert narrowed["folder"] == answer["folder"]


def test_an_upload_is_narrowed_too(client: FlaskClient, mixed: Library, painted: Any) -> None:
    answer = post(client, painted("red"), orientation="portrait", sort="newest").get_json()
    valid("SearchResult", answer)
    assert [(hit["width"], hit["height"]) for hit in answer["hits"]] == [(60, 200)]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_wrong_filter_is_400(client: FlaskClient, name: str, value: str) -> None:
    problem(client.get(SEARCH, query_string={"q": "red", name: value}), 400)
    problem(client.get(PICTURES, query_string={name: value}), 400)
    if name != "sort":
        problem(client.get(FACETS, query_string={name: value}), 400)


def test_a_range_the_wrong_way_round_is_400(client: FlaskClient) -> None:
    problem(client.get(PICTURES, query_string={"taken_from": "2024-02-01", "taken_to": "2024-01-31"}), 400)
    problem(client.get(PICTURES, query_string={"min_side": "3", "max_side": "2"}), 400)


def test_orders_belong_to_their_lists(client: FlaskClient) -> None:
    problem(client.get(PICTURES, query_string={"sort": "relevance"}), 400)
    problem(client.get(SEARCH, query_string={"q": "red", "sort": "added"}), 400)
