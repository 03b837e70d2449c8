"""The page of places, and the place on a picture's page."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from data.catalogue.values import CATEGORY, LOCATED, Value
from data.catalogue.writes import NewField, declare_fields, put_facts
from data.metadata.gazetteer import CITY, COUNTRY, REGION
from retrieval.indexing.places import FIELDS
from retrieval.library import Library


@pytest.fixture
def placed(library: Library) -> Library:
    """Two pictures of Lyon, one of the country alone."""
    with library.store.writing() as connection:
        made = declare_fields(connection, [NewField(name, CATEGORY, name) for name in (COUNTRY, REGION, CITY)])
        lyon = {COUNTRY: "France", REGION: "Rhône <b>", CITY: "Lyon"}
        rows = {1: lyon, 2: lyon, 3: {COUNTRY: "France"}}
        put_facts(
            connection,
            {item: {made[name].id: Value(text) for name, text in own.items()} for item, own in rows.items()},
            LOCATED,
        )
    return library


def test_without_places_the_page_says_how_to_get_them(client: FlaskClient) -> None:
    assert "retroflex[places]" in client.get("/places").text


def test_places_lead_to_their_pictures(placed: Library, client: FlaskClient) -> None:
    page = client.get("/places").text

    assert "1 country" in page
    assert "3 pictures" in page
    assert "Rhône &lt;b&gt;<br>2 pictures" in page
    assert "GeoNames" in page
    found = client.get("/api/v1/pictures", query_string={"field.place_city": "Lyon", "field.place_country": "France"})
    assert found.json is not None
    assert {one["id"] for one in found.json["pictures"]} == {1, 2}
    assert client.get("/?field.place_country=France&field.place_city=Lyon").status_code == 200


def test_a_picture_says_where_it_was_taken(placed: Library, client: FlaskClient) -> None:
    page = client.get("/picture/1").text
    assert "<dt>Place</dt>" in page
    assert "by its GPS data" in page
    assert ">Lyon</a>, <a" in page
    assert "<dt>Place</dt>" not in client.get("/picture/4").text


def test_words_find_places(placed: Library, client: FlaskClient) -> None:
    found = client.get("/api/v1/search?q=lyon").json
    assert found is not None
    assert {one["id"] for one in found["hits"][:2]} == {1, 2}


def test_labels_of_places_are_in_the_language_of_the_page(library: Library, client: FlaskClient) -> None:
    with library.store.writing() as connection:
        made = declare_fields(connection, FIELDS)
        put_facts(connection, {1: {made[COUNTRY].id: Value("France")}}, LOCATED)
    german = {"Accept-Language": "de"}
    found = client.get("/?q=red", headers=german).text
    assert "<legend>Land</legend>" in found
    assert '<option value="place_country">Land</option>' in found
    assert ">Land: France<" in client.get("/?q=red&field.place_country=France", headers=german).text
    assert "<dt>Land</dt>" in client.get("/picture/1", headers=german).text
