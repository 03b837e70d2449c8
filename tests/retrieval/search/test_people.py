"""Names of people as words of a query."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from data.faces.people import hide_person, say_who
from data.faces.reads import faces_of
from data.faces.records import FACE, Box, FaceRow, ScannedPicture
from data.faces.writes import put_faces
from retrieval.library import Library
from retrieval.search.filters import Selection
from retrieval.search.query import Query
from retrieval.search.results import Hit
from tests.retrieval.conftest import GALLERY, MODEL

IDS = {name: number for number, name in enumerate(GALLERY, 1)}
SHOWN = {"Anna": ("beach", "boat", "street"), "Ben Kim": ("beach", "twin"), "Boat": ("park",)}


@pytest.fixture
def library(library: Library) -> Iterator[Library]:
    """The gallery, with people in it; one is called as captions call a thing."""
    library.model = MODEL
    for name, number in IDS.items():
        picture = library.picture(number)
        assert picture is not None
        own = [person for person, shown in SHOWN.items() if name in shown]
        vectors = np.eye(3, dtype=np.float32)
        rows = [
            FaceRow(Box(place / 5, 0, place / 5 + 0.1, 0.1), 0.99, {FACE: ("m1", vectors[place])})
            for place, _ in enumerate(own)
        ]
        put_faces(library.store, "m1", [ScannedPicture(number, picture.digest, rows)], lambda cosines: cosines > 0.9)
        for face, person in zip(faces_of(library.store, [number]).get(number, []), own, strict=True):
            say_who(library.store, face.id, person)
    return library


def hits(library: Library, text: str) -> list[Hit]:
    return library.search(Query(text)).hits


def found(library: Library, text: str) -> list[int]:
    return [hit.id for hit in hits(library, text)]


def test_the_other_words_order_the_pictures_of_a_person(library: Library) -> None:
    assert found(library, "Anna on a boat")[0] == IDS["boat"]
    assert found(library, "anna with a dog")[0] == IDS["beach"]
    for text in ("Anna on a boat", "anna", "Photos of Anna", "Anna's photos", "ANNA dog beach"):
        assert set(found(library, text)) == {IDS[name] for name in SHOWN["Anna"]}, text


def test_a_hit_says_whom_it_shows(library: Library) -> None:
    (first, *_) = hits(library, "anna on a boat")
    assert ("person", "Anna") in first.matched
    assert first.score >= 0.9


def test_all_people_of_a_query_have_to_be_there(library: Library) -> None:
    assert found(library, "Anna and Ben") == [IDS["beach"]]
    assert set(found(library, "ben kim")) == {IDS["beach"], IDS["twin"]}
    assert found(library, "anna -ben") == [IDS["boat"], IDS["street"]]
    assert set(found(library, "anna without Ben Kim")) == {IDS["boat"], IDS["street"]}


def test_a_name_that_captions_say_otherwise_needs_a_capital_letter(library: Library) -> None:
    assert found(library, "a red boat")[0] == IDS["boat"]
    assert found(library, "Boat") == [IDS["park"]]


def test_names_are_neither_corrected_nor_replaced_nor_told_as_unsaid(library: Library) -> None:
    result = library.search(Query("anna boat"))
    assert (result.corrected, result.expanded, result.unsaid) == (None, {}, [])


def test_names_go_together_with_dates_and_filters(library: Library) -> None:
    anna = {IDS[name] for name in SHOWN["Anna"]}
    assert set(found(library, "anna 1970")) == anna  # all files of the gallery are of that year
    selection = Selection(np.array([IDS["beach"], IDS["twin"]], np.int64))
    assert [hit.id for hit in library.search(Query("anna"), selection=selection).hits] == [IDS["beach"]]


def test_hidden_people_are_not_found_by_name(library: Library) -> None:
    (face,) = faces_of(library.store, [IDS["boat"]])[IDS["boat"]]
    assert face.person_id is not None
    hide_person(library.store, face.person_id, True)
    assert IDS["street"] not in [hit.id for hit in hits(library, "anna on a boat") if hit.matched]
