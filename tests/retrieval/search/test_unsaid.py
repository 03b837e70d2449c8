"""What no caption says of a query is told."""

from __future__ import annotations

import pytest

from retrieval.library import Library
from retrieval.search.filters import Selection
from retrieval.search.query import Query
from retrieval.search.search import Searcher
from retrieval.search.unsaid import content_words, unsaid_notice
from tests.retrieval.conftest import MODEL, Add

NEAR = [{"bleu": 0.0, "cosine": 0.4}]


def unsaid(library: Library, text: str) -> list[str]:
    return library.search(Query(text)).unsaid


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("show me a picture of two Cats in the garden", ["cats", "garden"]),
        ("cats and a cat", ["cats"]),
        ("the dog's l'homme crème brûlée", ["dog", "l'homme", "crème", "brûlée"]),
        ("of the", []),
        ("...", []),
    ],
)
def test_content_words_are_what_a_picture_shows(query: str, words: list[str]) -> None:
    assert content_words(query) == words


def test_inflections_are_said(library: Library) -> None:
    assert unsaid(library, "Boats crossing streets") == []
    assert unsaid(library, "a cat and a zebra with dogs") == ["cat", "zebra"]


def test_what_only_a_picture_outside_the_filters_says_is_said(library: Library) -> None:
    searcher = library.searcher()
    none = Selection(searcher.index.ids[:0], searcher.index.ids[:0])
    assert searcher.search(Query("boat"), selection=none).unsaid == []


def test_words_are_found_in_every_segment_and_leave_with_the_last_caption(library: Library, add: Add) -> None:
    assert unsaid(library, "cat boat") == ["cat"]
    add(library.store, "cat", ["a cat sleeps"], [0.0, 1.0, 0.0, 1.0])
    assert unsaid(library, "cat boat") == []
    assert len(library.searcher().index.parts) == 2
    added = next(hit.id for hit in library.search(Query("cat")).hits)
    library.store.set_user_caption(added, "a small tiger")
    library.store.remove([b"/photos/boat.jpg"])
    assert unsaid(library, "boat tiger") == ["boat"]


def test_an_empty_library_says_nothing(library: Library) -> None:
    library.store.remove([b"/photos"])
    assert unsaid(library, "a dog") == ["dog"]


def test_the_notice_tells_why_there_are_hits(library: Library) -> None:
    searcher = Searcher(library.store, library.searcher().index, MODEL)
    assert searcher.search(Query("a puppy"), distant=True).notice == "No caption says “puppy”; these look similar."
    assert searcher.search(Query("a dog")).notice == ""
    captions_only = library.search(Query("a puppy"))
    assert captions_only.total > 0
    assert captions_only.notice == "No caption says “puppy”; these share only small words with the query."


def test_the_notice_names_a_few_words() -> None:
    some = "No caption says “cat” or “zebra”; these say the other words, or look similar."
    assert unsaid_notice("a cat, a zebra, a dog", ["cat", "zebra"], NEAR) == some
    assert unsaid_notice("zebra", ["zebra"], []) == "No caption says “zebra”."
    many = unsaid_notice("q w e r t y p", list("qwertyp"), NEAR)
    assert many == "No caption says “q”, “w”, “e”, “r”, “t” or 2 more; these look similar."
