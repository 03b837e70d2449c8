"""Learnt classes in the API and on the page: what a picture is, predicted values, groups and the least cosine."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from http import HTTPStatus

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from captioner.classifier import save_classifier
from data.catalogue.values import PREDICTED, Value
from data.catalogue.writes import NewField, declare_fields, put_facts
from retrieval.library import Library
from tests.webui.api_checks import post, problem, valid
from tests.webui.classified import learn_shades, shades
from tests.webui.conftest import COLOURS, ColourCaptioner

API = "/api/v1"


IDS = {colour: range(1 + number, 13, 3) for number, colour in enumerate(COLOURS)}


@pytest.fixture
def shop(library: Library) -> Library:
    """The shades of pictures 1 to 6 are known, those of the others predicted with rising confidence."""
    with library.store.writing() as connection:
        fields = declare_fields(connection, [NewField("shade", "category", "Shade"), NewField("x", "text", "X")])
        shade = fields["shade"].id
        values = {item: {shade: Value(list(COLOURS)[(item - 1) % 3])} for item in range(1, 13)}
        put_facts(connection, {item: values[item] for item in range(1, 7)})
        sure = {(item, shade): item / 13 for item in range(7, 13)}
        put_facts(connection, {item: values[item] for item in range(7, 13)}, PREDICTED, confidences=sure)
    learn_shades(library, IDS)
    return library


@pytest.fixture
def client(shop: Library, client: FlaskClient) -> FlaskClient:
    return client


def document(answer: TestResponse) -> dict:
    assert answer.status_code == HTTPStatus.OK, answer.text
    valid("SearchResult", answer.get_json())
    return dict(answer.get_json())


def test_an_upload_says_what_it_is(client: FlaskClient, painted: Callable[..., bytes]) -> None:
    (own,) = document(post(client, painted("green", seed=50)))["classes"]
    assert own["shade"][0]["value"] == "green"
    assert own["shade"][0]["probability"] > 0.8
    assert document(client.get(f"{API}/search?like=2"))["classes"][0]["shade"][0]["value"] == "green"
    assert document(client.get(f"{API}/search?q=green"))["classes"] == []


def test_search_within_its_class(client: FlaskClient, painted: Callable[..., bytes]) -> None:
    content = painted("green", seed=50)
    within = document(post(client, content, **{"field.shade": "green", "all": "true"}))
    assert {one["fields"]["shade"] for one in within["hits"]} == {"green"}
    assert within["total"] == 4
    sure = document(post(client, content, **{"field.shade": "green", "min_confidence": "0.8", "all": "true"}))
    assert {one["id"] for one in sure["hits"]} == {2, 5, 11}


def test_predicted_values_are_marked(client: FlaskClient) -> None:
    hits = {one["id"]: one for one in client.get(f"{API}/pictures").get_json()["pictures"]}
    assert hits[1]["predicted"] == {}
    assert hits[7]["predicted"] == {"shade": pytest.approx(7 / 13)}
    assert hits[7]["fields"] == {"shade": "red"}
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(client.get(f"{API}/export?format=csv").text))}
    assert rows["1"]["predicted"] == ""
    assert rows["12"]["predicted"] == "shade 0.923077"
    exported = client.get(f"{API}/export?format=json").get_json()["pictures"]
    assert {one["id"] for one in exported if one["predicted"]} == set(range(7, 13))
    facets = client.get(f"{API}/facets?min_confidence=0.9").get_json()["fields"]["shade"]
    assert {one["value"]: one["pictures"] for one in facets} == {"red": 2, "green": 2, "blue": 3}
    assert client.get(f"{API}/export?format=csv&field.shade=red&min_confidence=0.9").text.count("\n") == 3


def test_groups_and_the_least_cosine(client: FlaskClient, painted: Callable[..., bytes]) -> None:
    found = document(post(client, painted("red", seed=50), group_by="shade", all="true", limit="5"))
    assert next(one["value"] for one in found["groups"]) == "red"
    assert sum(one["pictures"] for one in found["groups"]) == found["total"]
    assert [one["fields"]["shade"] for one in found["hits"][:4]] == ["red"] * 4
    every = document(post(client, painted("red", seed=50), all="true"))["hits"]
    near = document(post(client, painted("red", seed=50), min_cosine="0.9"))["hits"]
    assert [one["id"] for one in near] == [one["id"] for one in every if one["scores"]["cosine"] >= 0.9]
    assert 0 < len(near) < len(every)
    exported = client.get(f"{API}/export?format=json&like=1&min_cosine=0.9&group_by=shade").get_json()["pictures"]
    listed = document(client.get(f"{API}/search?like=1&min_cosine=0.9&group_by=shade&limit=1000"))["hits"]
    assert [one["id"] for one in exported] == [one["id"] for one in listed]


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("q=red&min_cosine=0.5", "a least cosine needs a picture"),
        ("like=1&min_cosine=2", "min_cosine must be a number from 0 to 1"),
        ("like=1&min_cosine=nan", "min_cosine must be a number from 0 to 1"),
        ("like=1&min_cosine=-0", "min_cosine must be a number from 0 to 1"),
        ("q=red&min_confidence=80%25", "min_confidence must be a number from 0 to 1"),
        ("q=red&min_confidence=%D9%A0.5", "min_confidence must be a number from 0 to 1"),
        ("q=red&group_by=shades", "no field 'shades'; the nearest is shade"),
        ("q=red&group_by=x", "x is a free text"),
        ("q=red&group_by=%00", "characters that are no text"),
    ],
)
def test_bad_parameters(client: FlaskClient, query: str, detail: str) -> None:
    assert detail in problem(client.get(f"{API}/search?{query}"), 400)


def test_classes_of_other_vectors_say_nothing(client: FlaskClient, shop: Library) -> None:
    folder = save_classifier(shades(shop, IDS, "older"), shop.settings.library)
    assert document(client.get(f"{API}/search?like=2"))["classes"] == [{}]
    (folder / "classifier.safetensors").write_bytes(b"damaged")
    (folder / "classifier.json").write_text("{}")
    assert document(client.get(f"{API}/search?like=2"))["classes"] == [{}]
    assert client.get("/?like=2").status_code == HTTPStatus.OK


def test_the_page_tells_and_links(
    client: FlaskClient, painted: Callable[..., bytes], captioner: ColourCaptioner
) -> None:
    data = {"image": (io.BytesIO(painted("blue", seed=51)), "x.png")}
    page = client.post("/", data=data).text
    assert page.index("<b>blue</b>") < page.index('id="grid"')
    assert '<a class="plain" href="/?field.shade=blue" data-keep>only blue</a>' in page
    assert 'name="min_cosine" value="" min="0" max="1"' in page
    assert 'name="min_confidence" value="" min="0" max="1"' in page
    page = client.get("/?like=3&field.shade=blue&min_confidence=0.8&min_cosine=0.5&group_by=shade").text
    assert "only blue" not in page
    assert 'aria-label="Sure from 0.8: remove this filter"' in page
    assert '<option value="shade" selected>Shade</option>' in page
    assert page.count('class="group"') == 1
    assert 'href="/?like=3&amp;all=true&amp;min_cosine=0.5' in page or "min_cosine=0.5" in page
    page = client.get("/?like=3&all=true&group_by=shade&limit=3&offset=1").text
    assert '<li class="group" data-continued><h2>blue <small>4 pictures</small></h2></li>' in page
    assert client.get("/?q=red&min_cosine=0.9").status_code == HTTPStatus.OK, "the picture was removed from the query"
    assert "predicted, 92% sure" in client.get("/picture/12").text


def test_hostile_values_are_shown_as_text(client: FlaskClient, shop: Library) -> None:
    ids = {"<script>alert(1)</script>": range(1, 13, 3), "=1+1": range(2, 13, 3), "{{ 7 * 7 }}": range(3, 13, 3)}
    with shop.store.writing() as connection:
        shade = declare_fields(connection, [NewField("shade", "category", "<b>Shade</b>")])["shade"].id
        values = {item: {shade: Value(name)} for name, own in ids.items() for item in own}
        put_facts(connection, values, PREDICTED, confidences={(item, shade): 0.9 for item in values})
        put_facts(connection, {item: {shade: None} for item in values})
    learn_shades(shop, ids)
    for number in (1, 2, 3):
        page = client.get(f"/?like={number}&all=true&group_by=shade").text
        assert "<script>alert" not in page
        assert "<b>Shade</b>" not in page
        assert "49" not in page.partition('id="grid"')[0].partition('class="classes"')[2].partition("</p>")[0]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;</b>" in client.get("/?like=1").text
    assert "field.shade=%3Cscript%3E" in client.get("/?like=1").text
    rows = csv.DictReader(io.StringIO(client.get(f"{API}/export?format=csv").text))
    assert {row["shade"] for row in rows} == {"<script>alert(1)</script>", "'=1+1", "{{ 7 * 7 }}"}
