"""Which hits are alike enough, and in groups: by a least cosine, and by a field of the catalogue."""

from __future__ import annotations

import numpy as np
import pytest

from captioner.types import Caption, Description
from data.catalogue.fields import NoSuchField
from data.catalogue.values import PREDICTED, Value
from data.catalogue.writes import NewField, declare_fields, put_facts
from retrieval.library import Library
from retrieval.search.filters import Filters
from retrieval.search.grouping import Group, Grouping
from retrieval.search.query import Query, QueryError, QueryImage

KINDS = {1: "animal", 2: "animal", 3: "thing", 4: "person"}
"""Of the pictures of the gallery; the fifth has no value."""


def image(*vector: float) -> QueryImage:
    unit = np.array(vector, np.float32) / np.linalg.norm(vector)
    return QueryImage(Description([Caption("zyzzyva", -1.0)], {"vgg16": unit, "joint": unit[:3]}))


@pytest.fixture
def zoo(library: Library) -> Library:
    """The gallery with a field; the kind of picture 4 is predicted, with a confidence of 0.6."""
    with library.store.writing() as connection:
        fields = declare_fields(connection, [NewField("kind", "category", "Kind"), NewField("about", "text", "About")])
        kind = fields["kind"].id
        put_facts(connection, {item: {kind: Value(KINDS[item])} for item in (1, 2, 3)})
        put_facts(connection, {4: {kind: Value(KINDS[4])}}, PREDICTED, confidences={(4, kind): 0.6})
    return library


def ids(library: Library, query: Query, distant: bool = False) -> list[int]:
    return [hit.id for hit in library.search(query, distant=distant).hits]


def test_hits_have_the_least_cosine(library: Library) -> None:
    like = [image(1, 0.1, 0, 0)]
    every = library.search(Query(like=like), distant=True).hits
    for least in (0.0, 0.3, 0.9, 0.99, 1.0):
        expected = [hit.id for hit in every if hit.scores["cosine"] >= least]
        assert ids(library, Query(like=like, min_cosine=least)) == expected
    assert ids(library, Query(like=like, min_cosine=0.9)) == [1, 2]
    assert ids(library, Query(like=like, by="vgg16", min_cosine=0.9)) == [1, 2]
    assert library.search(Query(like=[image(1, 0.1, 0, 0)], min_cosine=0.9), 1).total == 2


def test_near_one_of_several_pictures_is_near(library: Library) -> None:
    both = [image(1, 0.1, 0, 0), image(0, 0, 1, 0.3)]
    assert set(ids(library, Query(like=both, min_cosine=0.9))) == {1, 2, 4, 5}
    unlike = Query(like=both[:1], unlike=both[1:], min_cosine=0.9)
    assert set(ids(library, unlike)) == {1, 2}
    with_words = Query("a boat", like=both, min_cosine=0.9)
    assert 3 not in ids(library, with_words, distant=True)


@pytest.mark.parametrize(("least", "message"), [(-0.1, "from 0 to 1"), (1.5, "from 0 to 1"), (float("nan"), "from 0")])
def test_no_such_cosine(least: float, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        Query(like=[image(1, 0, 0, 0)], min_cosine=least)
    with pytest.raises(QueryError, match="needs a picture"):
        Query("dog", min_cosine=0.5)


def test_groups_are_in_the_order_of_their_best_hits(zoo: Library) -> None:
    grouping = zoo.collection.grouping("kind", Filters())
    query = Query(like=[image(0.2, 0, 1, 0.3)])
    result = zoo.search(query, distant=True, grouping=grouping)
    plain = [hit.id for hit in zoo.search(query, distant=True).hits]
    groups: dict[str | None, list[int]] = {}
    for one in plain:
        groups.setdefault(KINDS.get(one), []).append(one)
    assert [hit.id for hit in result.hits] == [one for own in groups.values() for one in own]
    starts = np.cumsum([0, *map(len, groups.values())]).tolist()
    assert result.groups == [Group(name, len(own), at) for (name, own), at in zip(groups.items(), starts, strict=False)]
    second = zoo.search(query, 2, 1, distant=True, grouping=grouping)
    assert (second.hits, second.groups) == (result.hits[1:3], result.groups)
    assert zoo.searcher().hits(query, True, None, grouping).ids.tolist() == [hit.id for hit in result.hits]


def test_unsure_predictions_are_no_group(zoo: Library) -> None:
    own = zoo.collection.fields()
    for least, values in ((0.6, {"animal", "thing", "person", None}), (0.61, {"animal", "thing", None})):
        grouping = zoo.collection.grouping("kind", Filters(own, min_confidence=least))
        assert {one.value for one in zoo.search(Query("a dog"), distant=True, grouping=grouping).groups} <= values
        assert {None if row < 0 else grouping.values[row] for row in grouping.codes.tolist()} == values


def test_what_cannot_group(zoo: Library) -> None:
    with pytest.raises(NoSuchField, match="nearest is kind"):
        zoo.collection.grouping("kinds", Filters())
    with pytest.raises(QueryError, match="about is a free text"):
        zoo.collection.grouping("about", Filters())


def test_grouping_nothing() -> None:
    empty = Grouping("x", np.zeros(0, np.int64), np.zeros(0, np.int64), [])
    places, groups = empty.order(np.array([3, 1]))
    assert (places.tolist(), groups) == ([0, 1], [Group(None, 2, 0)])
    places, groups = empty.order(np.zeros(0, np.int64))
    assert (places.tolist(), groups) == ([], [])


def test_filters_counts_and_orders_leave_unsure_predictions_out(zoo: Library) -> None:
    own = zoo.collection.fields()

    def kept(**more: object) -> list[int]:
        return zoo.collection.browse(Filters(own, **{"field.kind": ("person",)}, **more), "added").tolist()

    assert kept() == [4]
    assert kept(min_confidence=0.6) == [4]
    assert kept(min_confidence=0.7) == []
    counts = zoo.collection.facets(Filters(own, min_confidence=0.7)).counts["field.kind"]
    assert {one.value: one.pictures for one in counts} == {"animal": 2, "thing": 1}
    rising = zoo.collection.browse(Filters(own), "field.kind").tolist()
    sure = zoo.collection.browse(Filters(own, min_confidence=0.7), "field.kind").tolist()
    assert (rising, sure) == ([1, 2, 4, 3, 5], [1, 2, 3, 4, 5])
    assert len(zoo.collection.browse(Filters(own, min_confidence=1.0), "added")) == 5
