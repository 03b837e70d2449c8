"""The catalogue in the API: filters, facets, orders, exports, and values that people and programs send."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from data.catalogue.values import PREDICTED, Value, parse
from data.catalogue.writes import NewField, declare_fields, put_facts
from retrieval.commands.catalogue import import_catalogue
from retrieval.library import Library
from tests.webui.api_checks import problem, valid

API = "/api/v1"
FIELDS = [
    NewField("sku", "text", "SKU", True),
    NewField("colour", "category", "Colour"),
    NewField("year", "integer", "Year"),
    NewField("price", "decimal", "Price"),
    NewField("since", "date", "Since"),
    NewField("sale", "boolean", "On sale"),
    NewField("title", "text", "Title"),
]
ROWS: dict[int, dict[str, str]] = {
    1: {"sku": "A1", "colour": "Navy Blue", "year": "2011", "price": "2.5", "since": "2020-05-04", "sale": "yes"},
    2: {"sku": "A2", "colour": "Red", "year": "2012", "price": "10", "title": "=1+1 <script>alert(1)</script>"},
    3: {"sku": "A3", "colour": "Navy Blue", "year": "2013", "sale": "no"},
}


@pytest.fixture
def shop(library: Library) -> Library:
    """The library with a catalogue; pictures 1 to 3 have values, 4 a predicted one."""
    with library.store.writing() as connection:
        fields = declare_fields(connection, FIELDS)
        values = {
            item: {fields[name].id: parse(fields[name].type, raw) for name, raw in own.items()}
            for item, own in ROWS.items()
        }
        put_facts(connection, values)
        guess = fields["colour"].id
        put_facts(connection, {4: {guess: Value("Red")}}, PREDICTED, confidences={(4, guess): 0.75})
    return library


@pytest.fixture
def client(shop: Library, client: FlaskClient) -> FlaskClient:
    return client


def ids(client: FlaskClient, address: str) -> list[int]:
    answer = client.get(f"{API}/{address}")
    assert answer.status_code == 200, answer.text
    document = answer.get_json()
    valid("Pictures" if address.startswith("pictures") else "SearchResult", document)
    return [one["id"] for one in document.get("pictures", document.get("hits"))]


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("field.colour=navy+blue", [3, 1]),
        ("field.colour=Red&field.colour=Navy+Blue", [4, 3, 2, 1]),
        ("field.year=2012", [2]),
        ("field.year.from=2012", [3, 2]),
        ("field.year.from=2012&field.year.to=2012", [2]),
        ("field.price.to=9.99", [1]),
        ("field.since.from=2020-05-04", [1]),
        ("field.sale=yes", [1]),
        ("field.sku=a3", [3]),
        ("field.sku=", [*range(12, 0, -1)]),
    ],
)
def test_deep_links_list_pictures(client: FlaskClient, query: str, kept: list[int]) -> None:
    assert ids(client, f"pictures?sort=added&{query}") == kept


def test_pictures_are_sorted_by_fields(client: FlaskClient) -> None:
    assert ids(client, "pictures?sort=field.year.desc&limit=3") == [3, 2, 1]
    assert ids(client, "search?q=something&all=true&sort=field.year&field.year.from=2012") == [2, 3]


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("field.color=Red", "there is no parameter 'field.color'; the nearest is field.colour"),
        ("field.year=soon", "field.year: 'soon' is no whole number of at most 15 digits"),
        ("field.year.from=2", ""),
        ("field.year.from=3&field.year.to=2", "nothing has year from 3 to 2; give the smaller one first"),
        ("field.since=31.02.2020", "is a day that no calendar has"),
        ("sort=field.size", "sort must be one of "),
    ],
)
def test_bad_filters_are_one_line(client: FlaskClient, query: str, detail: str) -> None:
    answer = client.get(f"{API}/pictures?{query}")
    if detail:
        assert detail in problem(answer, 400)
    else:
        assert answer.status_code == 200


def test_facets_have_the_catalogue(client: FlaskClient) -> None:
    facets = client.get(f"{API}/facets?field.colour=Navy+Blue").get_json()
    valid("Facets", facets)
    assert facets["total"] == 2
    assert facets["fields"]["colour"] == [{"value": "Navy Blue", "pictures": 2}, {"value": "Red", "pictures": 2}]
    assert facets["fields"]["year"] == [{"value": "2011", "pictures": 1}, {"value": "2013", "pictures": 1}]
    assert set(facets["fields"]) == {"colour", "year", "price", "since", "sale"}


def test_a_picture_and_hits_have_the_values(client: FlaskClient) -> None:
    document = client.get(f"{API}/pictures/4").get_json()
    valid("Picture", document)
    assert document["fields"] == [
        {"name": "colour", "label": "Colour", "type": "category", "value": "Red"}
        | {"source": "predicted", "confidence": 0.75}
    ]
    (hit,) = client.get(f"{API}/pictures?field.sku=A1").get_json()["pictures"]
    assert hit["fields"] == {
        "sku": "A1",
        "colour": "Navy Blue",
        "year": 2011,
        "price": 2.5,
        "since": "2020-05-04",
        "sale": True,
    }


def test_search_says_which_field_has_the_words(client: FlaskClient) -> None:
    document = client.get(f"{API}/search?q=navy+blue").get_json()
    valid("SearchResult", document)
    matched = {hit["id"]: hit["matched"] for hit in document["hits"]}
    assert matched[1] == [{"field": "field.colour", "text": "Navy Blue"}]


def test_exports_have_the_columns_and_no_formula(client: FlaskClient) -> None:
    rows = list(csv.DictReader(io.StringIO(client.get(f"{API}/export?format=csv&field.year.from=2012").text)))
    assert [*rows[0]][-7:] == [field.name for field in FIELDS]
    by_id = {row["id"]: row for row in rows}
    assert by_id["2"]["title"] == "'=1+1 <script>alert(1)</script>"
    assert (by_id["3"]["sale"], by_id["3"]["price"]) == ("False", "")
    document = client.get(f"{API}/export?format=json&field.sku=A1").get_json()
    valid("ExportedPictures", document)
    assert document["pictures"][0]["fields"]["year"] == 2011


def test_the_description_fits_the_library(client: FlaskClient) -> None:
    paths = client.get(f"{API}/openapi.json").get_json()["paths"]
    for address in ("search", "pictures", "facets", "export"):
        schemas = {one["name"]: one["schema"] for one in paths[f"{API}/{address}"]["get"]["parameters"]}
        assert schemas["field.colour"] == {"type": "array", "items": {"type": "string"}}
        assert schemas["field.year.from"] == {"type": "integer"}
        assert schemas["field.since.to"] == {"type": "string", "format": "date"}
        assert schemas["field.sale"]["items"] == {"type": "string", "enum": ["yes", "no"]}
        assert address == "facets" or "field.price.desc" in schemas["sort"]["enum"]


def test_fields_are_listed(client: FlaskClient) -> None:
    document = client.get(f"{API}/catalogue").get_json()
    valid("Fields", document)
    assert document["fields"][1] == {
        "name": "colour",
        "label": "Colour",
        "type": "category",
        "key": False,
        "pictures": 4,
    }


def test_a_person_says_what_a_value_is_and_takes_it_back(client: FlaskClient) -> None:
    address = f"{API}/pictures/1/fields/year"
    changed = client.put(address, json={"value": 1999}).get_json()
    valid("Picture", changed)
    year = next(one for one in changed["fields"] if one["name"] == "year")
    assert (year["value"], year["source"]) == (1999, "user")
    assert ids(client, "pictures?field.year=1999") == [1]
    client.put(address, json={"value": None})
    assert ids(client, "pictures?field.year=2011") == []
    assert client.delete(address).status_code == 200
    assert ids(client, "pictures?field.year=2011") == [1]
    assert client.put(f"{API}/pictures/1/fields/sale", json={"value": False}).status_code == 200
    assert ids(client, "pictures?field.sale=no&sort=added") == [3, 1]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "detail"),
    [
        ("PUT", "1/fields/year", {"value": "soon"}, 400, "Year: 'soon' is no whole number"),
        ("PUT", "1/fields/year", {"value": [1]}, 400, "must be a text, a number"),
        ("PUT", "1/fields/year", {}, 400, "the field value is missing"),
        ("PUT", "1/fields/title", {"value": "x" * 10_001}, 400, "Title has 10,001 characters"),
        ("PUT", "1/fields/title", {"value": "a\0"}, 400, "no text, such as NUL"),
        ("PUT", "1/fields/yaer", {"value": 1}, 404, "no field 'yaer'; the nearest is year"),
        ("DELETE", "1/fields/yaer", None, 404, "no field 'yaer'"),
        ("PUT", "99/fields/year", {"value": 1}, 404, "no picture 99"),
    ],
)
def test_values_that_cannot_be(
    client: FlaskClient, method: str, path: str, body: Any, status: int, detail: str
) -> None:
    answer = client.open(f"{API}/pictures/{path}", method=method, json=body)
    assert detail in problem(answer, status)


def put(client: FlaskClient, rows: list[Any], key: str = "sku", **more: Any) -> dict[str, Any]:
    answer = client.put(f"{API}/catalogue/rows", json={"key": key, "rows": rows, **more})
    assert answer.status_code == 200, answer.text
    valid("Stored", answer.get_json())
    return dict(answer.get_json())


def test_rows_are_stored_by_key_and_only_differences(client: FlaskClient, shop: Library) -> None:
    rows = [{"sku": "A1", "price": 3, "colour": None}, {"sku": "A2", "sale": True}, {"sku": "A3", "year": 2013}]
    assert put(client, rows) == {"pictures": 3, "added": 1, "updated": 1, "removed": 1, "kept": 0, "errors": []}
    assert ids(client, "pictures?field.price=3") == [1]
    generation = shop.store.generation()
    assert put(client, rows)["updated"] == 0
    changes = shop.store.changes(generation)
    assert changes is not None
    assert len(changes.changed) == 0


def test_a_persons_value_stays(client: FlaskClient) -> None:
    client.put(f"{API}/pictures/1/fields/colour", json={"value": "Teal"})
    assert put(client, [{"sku": "A1", "colour": "Black"}])["kept"] == 1
    assert ids(client, "pictures?field.colour=Teal") == [1]


def test_rows_without_a_value_of_the_key_are_matched_by_files(client: FlaskClient) -> None:
    assert put(client, [{"sku": "red 6", "colour": "Ruby"}])["added"] == 2
    assert ids(client, "pictures?field.colour=Ruby") == ids(client, "pictures?field.sku=red+6") == [7]


def test_a_row_with_an_error_is_left_out_whole_and_the_others_are_stored(client: FlaskClient) -> None:
    rows = [
        {"sku": "A1", "year": "soon", "colour": "Pink"},
        {"sku": "A2", "year": 2020},
        {"year": 2020},
        ["A3"],
        {"sku": "A3", "size": 5},
        {"sku": "../../x"},
        {"sku": "A2", "year": 2021},
        {"sku": "red 0", "year": 2021},
        {"sku": "A3", "a=b": 1},
        {"sku": "A1", "year": 2022},
    ]
    stored = put(client, rows)
    assert {one["row"]: one["detail"] for one in stored["errors"]} == {
        0: "year is no whole number of at most 15 digits",
        2: "has no sku, which names its picture",
        3: "is no object; send the values by column",
        4: "'size' is no field (sku, colour, year, price, since, sale, title); send its type in `types` to make it one",
        5: "no picture has the sku '../../x', nor a file of that name",
        6: "has the sku of row 1 again",
        8: stored["errors"][6]["detail"],
        9: stored["errors"][7]["detail"],
    }
    assert stored["errors"][6]["detail"].startswith("'a=b' cannot be the name of a field")
    assert stored["errors"][7]["detail"] == "its picture is that of row 7 too"
    assert stored["pictures"] == 2
    assert ids(client, "pictures?field.year=2020") == [2]
    assert ids(client, "pictures?field.colour=Pink") == []


def test_new_fields_need_their_types(client: FlaskClient) -> None:
    row = {"ean": "blue 2", "width": 5}
    assert put(client, [row], key="ean", types={"ean": "text", "width": "integer"})["added"] == 2
    assert ids(client, "pictures?field.catalogue_width.from=5") == [3]
    names = [one["name"] for one in client.get(f"{API}/catalogue").get_json()["fields"] if one["key"]]
    assert names == ["sku", "ean"]


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        ({"key": "skus", "rows": []}, 400, "no field 'skus'; the nearest is sku"),
        ({"key": "", "rows": []}, 400, "cannot be the name of a field"),
        ({"key": "sku", "rows": {}}, 400, "the field rows must be a list"),
        ({"rows": []}, 400, "the field key must be a text"),
        ({"key": "sku", "rows": [{}] * 1001}, 400, "1,001 rows were sent; send at most 1,000 at once"),
        ({"key": "sku", "rows": [], "types": {"x": ["text"]}}, 400, "must name types: boolean, integer"),
        ({"key": "sku", "rows": [], "types": {"a<b": "text"}}, 400, "cannot be the name of a field"),
        ({"key": "sku", "rows": [{"sku": "x" * 400_000}]}, 413, "larger than the server accepts"),
    ],
)
def test_requests_that_cannot_be(client: FlaskClient, body: Any, status: int, detail: str) -> None:
    assert detail in problem(client.put(f"{API}/catalogue/rows", json=body), status)


def test_rows_must_be_json_of_this_site(client: FlaskClient) -> None:
    assert "as JSON" in problem(client.put(f"{API}/catalogue/rows", data="key=sku"), 415)
    headers = {"Origin": "https://elsewhere.example"}
    problem(client.put(f"{API}/catalogue/rows", json={"key": "sku", "rows": []}, headers=headers), 403)


def test_the_page_filters_by_the_catalogue(client: FlaskClient) -> None:
    page = client.get("/?field.colour=navy+blue&field.year.from=2012").text
    assert 'name="field.colour" value="Navy Blue" checked' in page
    assert 'name="field.colour" value="Red">Red (1)' in page
    assert 'type="number" name="field.year.from" value="2012" step="any"' in page
    assert 'type="date" name="field.since.to"' in page
    assert 'type="text" name="field.title"' in page
    assert 'aria-label="Colour: navy blue: remove this filter"' in page
    assert 'aria-label="Year from 2012: remove this filter"' in page
    assert '<option value="field.price.desc">Price, falling</option>' in page
    assert page.count('class="hit ') == 1
    page = client.get("/?field.colour=Red&field.size=1").text
    assert page.count("there is no parameter") == 1
    assert "there is no parameter &#39;field.size&#39;" in page


def test_the_picture_page_shows_and_changes_the_values(client: FlaskClient) -> None:
    page = client.get("/picture/2").text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page
    assert '<a href="/?field.colour=Red">Red</a>' in page
    assert "predicted, 75% sure" in client.get("/picture/4").text
    form = {"do": "facts", "fact.colour": "Scarlet", "fact.year": "2012", "fact.sale": "yes", "fact.title": ""}
    answer = client.post("/picture/2", data=form, follow_redirects=True)
    assert "The values were saved." in answer.text
    assert ">Scarlet</a> <small" in answer.text
    sources = {one["name"]: one["source"] for one in client.get(f"{API}/pictures/2").get_json()["fields"]}
    assert sources == {"sku": "imported", "colour": "user", "year": "imported", "price": "imported", "sale": "user"}
    assert client.post("/picture/2", data={"do": "facts", "fact.year": "soon"}).status_code == 400
    answer = client.post("/picture/2", data={"do": "unfacts"}, follow_redirects=True)
    assert "Your values were removed." in answer.text
    assert "Remove my values" not in answer.text
    assert ">Red</a>" in answer.text


def test_hits_on_the_page_say_which_field_has_the_words(client: FlaskClient) -> None:
    assert "Colour: Navy Blue" in client.get("/?q=navy+blue").text


def test_an_import_by_another_process_is_seen(client: FlaskClient, shop: Library, tmp_path: Path) -> None:

    (tmp_path / "t.jsonl").write_text(json.dumps({"sku": "green 1", "mood": "calm"}))
    arguments = [str(tmp_path / "t.jsonl"), "--key", "sku", "--library", str(shop.settings.library)]
    result = CliRunner().invoke(import_catalogue, arguments)
    assert result.exit_code == 0, result.output
    assert ids(client, "pictures?field.mood=calm") == [2]
