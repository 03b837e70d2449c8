"""Searching a small library whose answers are known beforehand."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from captioner.types import Caption, Description
from data.store import Store
from data.text import tokenize
from retrieval.bleu import DEFAULT_VARIANT, score
from retrieval.folding import fold
from retrieval.library import Library
from retrieval.search import QueryError, Searcher


@pytest.fixture
def searcher(library: Library) -> Searcher:
    return library.searcher()


def stems(text: str) -> list[str]:
    return [fold(word) for word in tokenize(text)]


def described(vector: list[float], *captions: str) -> Description:
    unit = np.array(vector, np.float32) / np.linalg.norm(vector)
    return Description([Caption(text, -1.0) for text in captions], unit)


def test_words_find_the_picture_that_says_so(searcher: Searcher) -> None:
    result = searcher.words("a dog on the beach")
    assert result.query == {"text": "a dog on the beach", "captions": []}
    assert result.hits[0].path == "/photos/beach.jpg"
    assert result.hits[0].caption == "a dog runs on the beach"
    assert result.hits[0].captions == ["a dog runs on the beach", "a brown dog on sand"]
    assert result.total == len(result.hits) == 5


def test_each_hit_shows_its_bleu_and_cosine(searcher: Searcher) -> None:
    for hit in searcher.words("a dog on the beach").hits:
        captions = [stems(text) for text in hit.captions]
        assert hit.scores["bleu"] == pytest.approx(score(stems("a dog on the beach"), captions, DEFAULT_VARIANT))
        assert set(hit.scores) == {"bleu", "cosine"}
        assert 0 < hit.score <= 1


def test_hits_fall_by_score_and_ties_go_by_id(searcher: Searcher) -> None:
    hits = searcher.words("a man on the street").hits
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert [hit.path for hit in hits[:2]] == ["/photos/street.jpg", "/photos/twin.jpg"]
    assert hits[0].score == hits[1].score


def test_cosine_reorders_what_bleu_cannot_tell_apart(
    library: Library, add: Callable[[Store, str, list[str], list[float]], None]
) -> None:
    """Three pictures say the same; the two that look alike come before the odd one out, though its id is lower."""
    for name, vector in (("odd", [-1.0, 0, 0, 0.2]), ("like1", [0, 0, 0.1, 1]), ("like2", [0, 0, 0.2, 1])):
        add(library.store, name, ["a zebra"], vector)
    paths = [hit.path for hit in library.words("zebra").hits]
    assert paths[2] == "/photos/odd.jpg"


def test_pages_join_to_the_whole(searcher: Searcher) -> None:
    whole = searcher.words("a dog on the beach").hits
    pages = [searcher.words("a dog on the beach", limit=2, offset=offset) for offset in (0, 2, 4, 6)]
    assert [hit for page in pages for hit in page.hits] == whole
    assert {page.total for page in pages} == {5}
    assert pages[-1].hits == []


def test_no_known_word_finds_nothing(searcher: Searcher) -> None:
    result = searcher.words("zyzzyva qwerty")
    assert (result.total, result.hits) == (0, [])


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "no words"), ("  \n", "no words"), ("?!", "no words"), ("dog " * 10_000, "10,000 words")],
)
def test_a_query_out_of_bounds_is_one_line(searcher: Searcher, text: str, message: str) -> None:
    with pytest.raises(QueryError, match=message) as error:
        searcher.words(text)
    assert "\n" not in str(error.value)


def test_a_thousand_words_are_not_too_many(searcher: Searcher) -> None:
    assert searcher.words("dog " * 1000).total == 2


@pytest.mark.parametrize(("limit", "offset"), [(0, 0), (-1, 0), (1001, 0), (1, -1)])
def test_a_page_out_of_bounds_is_refused(searcher: Searcher, limit: int, offset: int) -> None:
    with pytest.raises(QueryError, match=r"limit is|offset is"):
        searcher.words("dog", limit, offset)
    with pytest.raises(QueryError, match=r"limit is|offset is"):
        searcher.description(described([1, 0, 0, 0], "a dog"), limit, offset)


def test_a_picture_finds_itself_with_score_1(searcher: Searcher) -> None:
    result = searcher.description(described([0.0, 1.0, 0.2, 0.0], "a red boat on the water", "a boat"))
    assert result.query == {"captions": ["a red boat on the water", "a boat"]}
    assert result.hits[0].path == "/photos/boat.jpg"
    assert result.hits[0].score == pytest.approx(1.0, abs=1e-6)
    assert result.hits[0].scores == {"bleu": pytest.approx(1.0), "cosine": pytest.approx(1.0, abs=1e-4)}


def test_a_picture_takes_the_best_bleu_of_its_captions(searcher: Searcher) -> None:
    captions = ["a dog in the park", "a red boat"]
    hits = searcher.description(described([1, 1, 1, 1], *captions)).hits
    for hit in hits:
        own = [stems(text) for text in hit.captions]
        assert hit.scores["bleu"] == pytest.approx(max(score(stems(text), own) for text in captions))


def test_a_picture_is_found_by_its_vector_alone(searcher: Searcher) -> None:
    hits = searcher.description(described([1.0, 0.1, 0.0, 0.0], "zyzzyva")).hits
    assert [hit.path for hit in hits[:2]] == ["/photos/beach.jpg", "/photos/park.jpg"]
    assert hits[0].scores["bleu"] == 0


def test_a_picture_is_found_by_its_captions_alone(searcher: Searcher) -> None:
    """The captioner in use makes other vectors than the library holds."""
    result = searcher.description(described([1.0, 0.0], "a red boat on the water"))
    assert result.hits[0].path == "/photos/boat.jpg"
    assert result.hits[0].scores["cosine"] == 0


def test_a_picture_removed_meanwhile_is_left_out(library: Library, searcher: Searcher) -> None:
    library.store.remove([b"/photos/beach.jpg"])
    assert [hit.path for hit in searcher.words("dog").hits] == ["/photos/park.jpg"]


def test_an_empty_library_answers_nothing(library: Library) -> None:
    library.store.remove([b"/photos"])
    assert library.words("dog").to_json() == {"query": {"text": "dog", "captions": []}, "total": 0, "hits": []}
    assert library.description(described([1, 0, 0, 0], "a dog")).total == 0


def test_json_has_the_agreed_shape(searcher: Searcher) -> None:
    document = json.loads(json.dumps(searcher.words("dog", limit=1).to_json()))
    assert set(document) == {"query", "total", "hits"}
    assert set(document["hits"][0]) == {"id", "path", "caption", "captions", "score", "scores"}
    assert document["hits"][0]["id"] in (1, 2)
