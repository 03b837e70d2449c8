"""Fields of the catalogue filter, count and sort a library, as a plain loop over its pictures would."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pytest

from data.catalogue import columns
from data.catalogue.fields import field_named, read_fields, remove_field, set_user_fact
from data.catalogue.values import PREDICTED, Value, parse
from data.catalogue.writes import NewField, declare_fields, put_facts
from data.store import Store
from retrieval.library import Library
from retrieval.search.catalogue import built_in_names, read_conditions
from retrieval.search.declarations import Count
from retrieval.search.filters import Filters
from retrieval.search.query import Query, QueryError

FIELDS = {
    "colour": "category",
    "year": "integer",
    "price": "decimal",
    "since": "date",
    "sale": "boolean",
    "title": "text",
}
ROWS: dict[int, dict[str, str]] = {
    1: {
        "colour": "Navy Blue",
        "year": "2011",
        "price": "2.50",
        "since": "2020-05-04",
        "sale": "yes",
        "title": "Zebra Kurta",
    },
    2: {"colour": "Red", "year": "2012", "price": "10", "since": "2021-01-01", "sale": "no", "title": "apple shirt"},
    3: {"colour": "navy blue", "year": "2012", "price": "2.5", "sale": "no"},
    4: {"colour": "Green", "since": "2020-12-31", "title": "Zebra Kurta"},
}
"""Values of the first four of five pictures."""
Where = Callable[..., list[int]]


def put(store: Store, rows: dict[int, dict[str, str]], source: str = "imported", sure: float | None = None) -> None:
    ids = {field.name: field.id for field in read_fields(store)}
    values = {item: {ids[name]: parse(FIELDS[name], raw) for name, raw in own.items()} for item, own in rows.items()}
    confidences = {(item, one): sure for item, own in values.items() for one in own} if sure else {}
    with store.writing() as connection:
        put_facts(connection, values, source, confidences=confidences)


@pytest.fixture
def shop(library: Library) -> Library:
    with library.store.writing() as connection:
        declare_fields(connection, [NewField(name, kind, name.title()) for name, kind in FIELDS.items()])
    put(library.store, ROWS)
    return library


@pytest.fixture
def where(shop: Library) -> Where:
    """The pictures that meet conditions, in an order."""

    def browse(*conditions: str, order: str = "added") -> list[int]:
        return shop.collection.browse(filters(shop, *conditions), order).tolist()

    return browse


def filters(library: Library, *conditions: str) -> Filters:
    own = library.collection.fields()
    return Filters(own, **read_conditions(conditions, library.collection.catalogue()))


@pytest.mark.parametrize(
    ("conditions", "kept"),
    [
        (["colour=Red"], [2]),
        (["colour = NAVY BLUE"], [3, 1]),
        (["colour=Red", "colour=Green"], [4, 2]),
        (["colour=Pink"], []),
        (["year=2012"], [3, 2]),
        (["year>=2012"], [3, 2]),
        (["year>2011", "year<=2012"], [3, 2]),
        (["year<2012"], [1]),
        (["year=2011", "colour=Red"], []),
        (["price=2.5"], [3, 1]),
        (["price>2.5"], [2]),
        (["price<10"], [3, 1]),
        (["since>=2020-12-31"], [4, 2]),
        (["since<2020-12-31"], [1]),
        (["since=2021-01-01"], [2]),
        (["sale=TRUE"], [1]),
        (["title=zebra kurta"], [4, 1]),
        (["title=Zebra"], []),
    ],
)
def test_conditions_keep_pictures(where: Where, conditions: list[str], kept: list[int]) -> None:
    assert where(*conditions) == kept


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("colour", "'colour' is no condition; write one like"),
        ("color=Red", "no field 'color'; the nearest is colour"),
        ("colour>=Red", "colour is no number or date, so it cannot be compared by >="),
        ("year=late", "year: 'late' is no whole number"),
        ("year=", "year needs a value"),
        ("since>tomorrow", "is no day such as"),
    ],
)
def test_what_is_no_condition(where: Where, condition: str, message: str) -> None:
    with pytest.raises((QueryError, Exception), match=message):
        where(condition)


def test_a_range_that_is_none(where: Where) -> None:
    with pytest.raises(QueryError, match="nothing has year from 2012 to 2011"):
        where("year>=2012", "year<=2011")


@pytest.mark.parametrize(
    ("order", "ids"),
    [
        ("field.year", [1, 2, 3, 4, 5]),
        ("field.year.desc", [2, 3, 1, 4, 5]),
        ("field.price", [1, 3, 2, 4, 5]),
        ("field.since.desc", [2, 4, 1, 3, 5]),
        ("field.sale", [2, 3, 1, 4, 5]),
        ("field.colour", [4, 1, 3, 2, 5]),
        ("field.title", [2, 1, 4, 3, 5]),
        ("field.title.desc", [1, 4, 2, 3, 5]),
    ],
)
def test_pictures_without_a_value_come_last_in_any_order(where: Where, order: str, ids: list[int]) -> None:
    assert where(order=order) == ids


def test_facets_count_under_all_other_filters(shop: Library) -> None:
    counts = shop.collection.facets(filters(shop, "year=2012")).counts
    assert counts["field.colour"] == [Count("Red", 1), Count("navy blue", 1)]
    assert counts["field.year"] == [Count("2011", 1), Count("2012", 2)]
    assert counts["field.price"] == [Count("2.5", 1), Count("10", 1)]
    assert counts["field.since"] == [Count("2021", 1)]
    assert counts["field.sale"] == [Count("no", 2)]
    assert "field.title" not in counts


def test_numbers_of_many_values_are_not_counted(shop: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrieval.search.catalogue.MOST_COUNTED", 1)
    assert shop.collection.facets(Filters(shop.collection.fields())).counts["field.year"] == []


def test_a_change_is_seen_at_once(shop: Library, where: Where) -> None:
    assert where("colour=Red") == [2]
    colour = field_named(read_fields(shop.store), "colour")
    set_user_fact(shop.store, 5, colour, Value("Red"))
    set_user_fact(shop.store, 2, colour, None)
    assert where("colour=Red") == [5]
    shop.store.remove([b"/photos/twin.jpg"])
    assert where("colour=Red") == []
    put(shop.store, {3: {"colour": "Red"}})
    assert where("colour=Red") == [3]
    remove_field(shop.store, colour)
    with pytest.raises(Exception, match="no field 'colour'"):
        where("colour=Red")


@pytest.mark.parametrize("few", [0, 100])
def test_columns_that_follow_changes_are_those_read_anew(
    shop: Library, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(columns, "FEW", few)
    random, fields = np.random.default_rng(0), read_fields(shop.store)
    for step in range(12):
        item, name = int(random.integers(1, 6)), ("colour", "year")[step % 2]
        raw = str(random.integers(2000, 2003))
        put(shop.store, {item: {name: raw if step % 5 else ""}}, ("imported", "user", "crawled")[step % 3])
        facts, _ = shop.collection.state()
        for field in fields:
            followed = facts.catalogue.column(field)
            anew = columns.ColumnCache(shop.store).column(field, facts.ids, facts.generation)
            np.testing.assert_array_equal(followed.codes, anew.codes)
            assert followed.values.texts == anew.values.texts


def test_predicted_values_are_filtered_with_their_confidence(shop: Library, where: Where) -> None:
    put(shop.store, {1: {"colour": "Red"}, 5: {"colour": "Red"}}, PREDICTED, sure=0.75)
    assert where("colour=Red") == [5, 2]
    facts, _ = shop.collection.state()
    sure = facts.catalogue.column(field_named(read_fields(shop.store), "colour")).confidences
    np.testing.assert_array_equal(sure, [np.nan, np.nan, np.nan, np.nan, 0.75])


def test_words_of_texts_and_categories_are_found_beside_captions(shop: Library) -> None:
    found = shop.search(Query("zebra kurta"))
    assert {hit.id for hit in found.hits[:2]} == {1, 4}
    assert [tuple(text) for text in found.hits[0].matched] == [("field.title", "Zebra Kurta")]
    assert shop.search(Query("navy blue")).hits[0].matched[0].field == "field.colour"
    set_user_fact(shop.store, 5, field_named(read_fields(shop.store), "title"), Value("gloves of wool"))
    assert shop.search(Query("wool gloves")).hits[0].id == 5


def test_a_search_is_filtered_and_sorted(shop: Library) -> None:
    selection = shop.collection.select(filters(shop, "sale=no"), "field.price.desc")
    assert [hit.id for hit in shop.search(Query("a dog"), distant=True, selection=selection).hits] == [2, 3]


def test_names_of_what_every_picture_has() -> None:
    assert {"id", "caption", "folder", "width", "taken_at", "format"} <= built_in_names()
    assert not {"year", "colour"} & built_in_names()


def values(library: Library, name: str) -> dict[int, Any]:
    (field,) = [one for one in library.collection.catalogue() if one.of.name == name]
    pictures = library.store.pictures(range(1, 6))
    return {number: field.columns[0].read(picture) for number, picture in pictures.items()}


def test_exports_have_the_values(shop: Library) -> None:
    assert values(shop, "year") == {1: 2011, 2: 2012, 3: 2012, 4: None, 5: None}
    assert values(shop, "sale") == {1: True, 2: False, 3: False, 4: None, 5: None}
    assert values(shop, "since")[4] == date(2020, 12, 31).isoformat()
