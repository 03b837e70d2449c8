"""How strictly words are asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from captioner.types import SearchModel
from captioner.vocabulary import SPECIAL, Vocabulary
from retrieval.library import Library
from retrieval.search.query import Query
from retrieval.search.search import Searcher
from retrieval.search.strictness import FAMILIAR, rarity, strictness
from tests.retrieval.conftest import MODEL, Senses

CAPTION_WORDS = Vocabulary([f"w{place}" for place in range(10 * FAMILIAR)])


class Translating(Senses):
    def synonyms(self, word: str) -> list[str]:
        return {"hund": ["w400", "w40"], "esel": ["w400", "unheard"]}.get(word, [])


def model(**numbers: float) -> SearchModel:
    calibration = replace(MODEL.calibration, **numbers)
    return MODEL._replace(embedder=Translating(), calibration=calibration, caption_words=CAPTION_WORDS)  # type: ignore[arg-type]


def rank(place: int) -> float:
    return math.log((place + len(SPECIAL)) / FAMILIAR)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["w5"], 0),
        (["w400"], rank(400)),
        (["w400", "w5"], rank(400) / 2 / 2),
        (["w400", "w800"], (rank(400) + rank(800)) / 2 / 2),
        (["hund"], 0),
        (["esel"], rank(400)),
        (["unheard"], 0),
        (["unheard", "w400"], rank(400) / 2 / 2),
    ],
)
def test_rarity_is_the_place_among_the_words_of_captions(words: Sequence[str], expected: float) -> None:
    assert rarity(words, model()) == pytest.approx(expected)


def test_where_the_words_of_captions_are_not_known_none_is_rare() -> None:
    assert rarity(["unheard"], MODEL) == 0


def test_strictness_adds_up() -> None:
    both = model(unsaid=-0.6, rarity=-0.5)
    assert strictness("the w400 and a w5", ["w400"], both) == pytest.approx(-0.6 / 2 - 0.5 * rank(400) / 4)
    assert strictness("of the", [], both) == 0
    assert strictness("w400", ["w400"], model()) == 0


def test_what_is_rare_has_to_be_closer_and_keeps_its_order(library: Library) -> None:
    """No gallery picture's caption says "puppy", which the captioner says more seldom than "dog"."""
    index, query = library.searcher().index, Query("puppy")
    known = Vocabulary(["dog", *CAPTION_WORDS.words, "puppy"])
    lenient = Searcher(library.store, index, model()._replace(caption_words=known)).rank(query)
    strict = Searcher(library.store, index, model(rarity=-2.5)._replace(caption_words=known)).rank(query)
    assert strict.hits < lenient.hits
    assert strict.ids.tolist() == lenient.ids.tolist()
    assert Searcher(library.store, index, model()).search(query).unsaid == ["puppy"]
