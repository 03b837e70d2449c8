"""Exclusions and literal spelling over HTTP, and the page that tells of them."""

from __future__ import annotations

from flask.testing import FlaskClient

from retrieval.library import Library
from tests.webui.api_checks import SEARCH, problem, valid


def test_excluded_words_are_in_no_hit(client: FlaskClient) -> None:
    answer = client.get(SEARCH, query_string={"q": "boat -red", "all": "true"}).get_json()
    valid("SearchResult", answer)
    assert answer["without"] == ["red"]
    assert not [hit for hit in answer["hits"] if "red" in " ".join(hit["captions"]).split()]
    same = client.get(SEARCH, query_string={"q": "boat", "exclude": "red", "all": "true"}).get_json()
    assert [hit["id"] for hit in same["hits"]] == [hit["id"] for hit in answer["hits"]]
    only = client.get(SEARCH, query_string={"exclude": "red"}).get_json()
    assert only["query"] == {"captions": []}


def test_corrections_are_told_and_can_be_refused(client: FlaskClient, library: Library) -> None:
    library.store.set_user_caption(1, "a lighthouse")
    answer = client.get(SEARCH, query_string={"q": "ligthouse"}).get_json()
    valid("SearchResult", answer)
    assert answer["corrected"] == {"from": "ligthouse", "to": "lighthouse"}
    assert answer["hits"][0]["id"] == 1
    assert client.get(SEARCH, query_string={"q": "ligthouse", "verbatim": "true"}).get_json()["corrected"] is None
    page = client.get("/", query_string={"q": "ligthouse"}).text
    assert "Showing <em>lighthouse</em>" in page
    assert "verbatim=true" in page


def test_the_words_searched_for_are_marked_also_where_they_were_typed_otherwise(
    client: FlaskClient, library: Library
) -> None:
    library.store.set_user_caption(1, "a lighthouse beside a car")
    for typed in ("ligthouse", "lighthouses"):
        page = client.get("/", query_string={"q": typed, "why": "true"}).text
        assert "a <mark>lighthouse</mark> beside a car" in page
        viewer = client.get("/picture/1", query_string={"q": typed, "at": 0}).text
        assert "Says <mark>lighthouse</mark>;" in viewer
    assert "a lighthouse beside a <mark>car</mark>" in client.get("/?q=automobile&why=true").text
    assert "Says <mark>car</mark>;" in client.get("/picture/1?q=automobile&at=0").text


def test_bad_values_are_400(client: FlaskClient) -> None:
    problem(client.get(SEARCH, query_string={"q": "dog", "verbatim": "yes"}), 400)
    problem(client.get(SEARCH, query_string={"q": "dog", "exclude": ["x"] * 51}), 400)
    problem(client.get(SEARCH, query_string={"exclude": "-"}), 400)
