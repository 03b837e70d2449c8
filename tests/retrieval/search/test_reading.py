"""Exclusions, phrases, spelling and words never met, on a small library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from captioner.types import SearchModel
from captioner.vocabulary import Vocabulary
from retrieval.library import Library
from retrieval.search.query import Query, QueryError
from retrieval.search.search import Searcher
from retrieval.search.spelling import slip_cost
from retrieval.vectors.cosine import VectorIndex
from tests.retrieval.conftest import MODEL, Add, Senses

CAPTION_WORDS = Vocabulary(["dog", "man", "beach", "water", "red", "boat", "street", "people", "shirt", "wedding"])


def model() -> SearchModel:
    return MODEL._replace(caption_words=CAPTION_WORDS)


@pytest.fixture
def searcher(library: Library, add: Add) -> Searcher:
    add(library.store, "shirtless", ["a man with no shirt"], [0.0, 0.1, 1.0, 0.0])
    add(library.store, "shirt", ["a man in a red shirt"], [0.0, 0.2, 1.0, 0.0])
    add(library.store, "cafe", ["Ève's café in a car"], [0.1, 0.1, 0.1, 1.0])
    return Searcher(library.store, library.searcher().index, model())


def names(searcher: Searcher, text: str, **more: object) -> list[str]:
    """The names of all pictures that may be hits, close or not."""
    hits = searcher.search(Query(text, **more), distant=True).hits  # type: ignore[arg-type]
    return [hit.path.removeprefix("/photos/").removesuffix(".jpg") for hit in hits]


@pytest.mark.parametrize("text", ["man -shirt", "dog -beach", "boat no dog", "-man", "water -dogs", "man -people"])
def test_what_is_excluded_is_in_no_caption(searcher: Searcher, text: str) -> None:
    result = searcher.search(Query(text), distant=True)
    word = result.without[0].removesuffix("s")
    assert result.hits
    assert not [hit for hit in result.hits if word in " ".join(hit.captions)]
    assert f"ithout “{result.without[0]}”" in result.notice


def test_only_exclusions_find_all_others(searcher: Searcher) -> None:
    assert sorted(names(searcher, "-dog")) == ["boat", "cafe", "shirt", "shirtless", "street", "twin"]
    assert sorted(names(searcher, "", exclude=["dog", "man"])) == ["boat", "cafe"]


def test_kinds_and_irregular_forms_are_excluded_too(searcher: Searcher, library: Library, add: Add) -> None:
    add(library.store, "men", ["two men"], [0.0, 0.0, 1.0, 0.0])
    now = Searcher(library.store, library.searcher().index, model())
    assert "men" not in names(now, "-man")
    assert not {"men", "street", "shirt"} & {*names(now, "-people")}


def test_a_caption_that_negates_does_not_lose_its_picture(searcher: Searcher) -> None:
    found = names(searcher, "a man with no shirt")
    assert "shirtless" in found
    assert "shirt" not in found
    assert "shirtless" not in names(searcher, "man -shirt")


def test_a_phrase_stands_word_by_word(searcher: Searcher) -> None:
    assert names(searcher, '"red shirt"') == ["shirt"]
    assert names(searcher, '"shirt red"') == []
    assert names(searcher, '"red shirts"') == []
    assert names(searcher, '"a brown dog on sand"') == ["beach"]
    assert names(searcher, '"cafe in a car"') == ["cafe"]


def test_a_phrase_and_an_exclusion_hold_for_names_too(searcher: Searcher, library: Library, add: Add) -> None:
    add(library.store, "IMG_2665_red_ball", ["a dog plays"], [1.0, 0.1, 0.0, 0.0])
    now = Searcher(library.store, library.searcher().index, model())
    assert names(now, '"red ball"') == names(now, '"IMG_2665"') == names(now, 'dog "ball"') == ["IMG_2665_red_ball"]
    assert names(now, '"ball red"') == names(now, '"IMG"') == []
    assert "IMG_2665_red_ball" in names(now, "dog")
    assert "IMG_2665_red_ball" not in names(now, "dog -ball") + names(now, '-"red ball"')
    assert "IMG_2665_red_ball" in names(now, "dog without a ball")


def test_what_says_a_phrase_is_a_hit_however_far_it_is(searcher: Searcher, library: Library, add: Add) -> None:
    add(library.store, "statue", ["a stone dog"], [0.0, 0.0, 1.0, 0.0])
    now = Searcher(library.store, library.searcher().index, model())
    found = {text: {hit.path for hit in now.search(Query(text)).hits} for text in ("dog", '"dog"', '"a stone dog" car')}
    assert "/photos/statue.jpg" not in found["dog"]
    assert found['"dog"'] == {f"/photos/{name}.jpg" for name in ("beach", "park", "statue")}
    assert not found['"a stone dog" car']


def test_accents_fold(searcher: Searcher) -> None:
    assert names(searcher, "Eve")[0] == names(searcher, "CAFE")[0] == names(searcher, "Café")[0] == "cafe"


def test_a_number_loses_no_hit_and_comes_first_where_a_caption_says_it(searcher: Searcher) -> None:
    dogs = {hit.path for text in ("dogs", "dog") for hit in searcher.search(Query(text)).hits}
    counted = searcher.search(Query("two dogs")).hits
    assert dogs <= {hit.path for hit in counted}
    assert dogs <= {hit.path for hit in searcher.search(Query("three dogs")).hits}
    assert counted[0].path == "/photos/park.jpg"


def test_a_numeral_is_the_number_that_captions_say(searcher: Searcher, library: Library) -> None:
    numeral, number = (searcher.search(Query(text)) for text in ("2 dogs", "two dogs"))
    assert numeral.expanded == {"2": "two"}
    assert numeral.notice == "Searched for two (2)."
    assert [hit.id for hit in numeral.hits] == [hit.id for hit in number.hits]
    assert searcher.search(Query("9 dogs")).unsaid == ["9"]
    library.store.set_user_caption(1, "2 dogs")
    assert not Searcher(library.store, library.searcher().index, model()).search(Query("2 dogs")).expanded


def test_a_query_with_a_number_is_ranked_as_two_searches_would(
    searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ranked(text: str) -> list[tuple[int, float, dict[str, float]]]:
        fresh = Searcher(searcher._store, replace(searcher.index), searcher._model)
        return [(hit.id, hit.score, hit.scores) for hit in fresh.search(Query(text), distant=True).hits]

    texts = ["two dogs", "three dogs", "two men", "4 boats"]
    shared = [ranked(text) for text in texts]
    monkeypatch.setattr(VectorIndex, "scan", lambda *_: None)
    assert shared == [ranked(text) for text in texts]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("a dgo in the watter", "a dog in the water"),
        ("bech", "beach"),
        ("weding", "wedding"),
        ("Stret", "Street"),
        ("redshirt", "red shirt"),
        ("-dgo man", "-dog man"),
    ],
)
def test_slips_are_corrected_and_told(searcher: Searcher, typed: str, meant: str) -> None:
    result = searcher.search(Query(typed))
    assert result.corrected == {"from": typed, "to": meant}
    assert result.query["text"] == typed
    literal = searcher.search(Query(typed, verbatim=True))
    assert literal.corrected is None


@pytest.mark.parametrize(
    "text",
    [
        "turtle",
        "beech",
        "IMG_2682",
        "dgo.jpg",
        "d0g",
        '"dgo"',
        "ship",
        "twin photos",
        "xq",
        "Ève",
        "die dgo und",
        "runs",
    ],
)
def test_what_may_be_meant_as_typed_stays(searcher: Searcher, text: str) -> None:
    assert searcher.search(Query(text), distant=True).corrected is None


class OfSeveralLanguages(Senses):
    """Met many words, the last ones seldom: "gril" once in a slip, "parkbank" and "motorroller" in German."""

    words = (
        "dog",
        "man",
        "beach",
        "boat",
        "gril",
        "parkbank",
        "motorroller",
        *(f"x{one}" for one in range(9)),
        "boyy",
        "wering",
    )

    def synonyms(self, word: str) -> list[str]:
        return ["boat"] if word == "motorroller" else []


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("gril", "girl"),
        ("a gril", "a girl"),
        ("boyy", "boy"),
        ("parkbank", None),
        ("wering", None),
        ("boy wering", "boy wearing"),
        ("motorroller", None),
        ("girl", None),
    ],
)
def test_a_slip_that_the_text_encoder_met_is_corrected_if_it_means_nothing_to_it(
    library: Library, add: Add, typed: str, meant: str | None
) -> None:
    add(library.store, "pair", ["a girl and a boy wearing hats in a park on a bank"], [0.0, 0.2, 1.0, 0.0])
    known = Vocabulary(["girl", "boy", "wearing", "park", "bank", *(f"y{one}" for one in range(2000))])
    knowing = MODEL._replace(caption_words=known, embedder=OfSeveralLanguages())  # type: ignore[arg-type]
    result = Searcher(library.store, library.searcher().index, knowing).search(Query(typed))
    assert result.corrected == (meant and {"from": typed, "to": meant})


class OfWater(Senses):
    """Places pools beside swimmers; "poll" is the more frequent word."""

    words = ("swimming", "kids", "poll", "pool", "office")

    def embed(self, tokens: Sequence[str]) -> np.ndarray | None:
        places = {"swimming": [1.0, 0, 0], "kids": [0.8, 0.6, 0], "pool": [0.9, 0.3, 0.3], "office": [0, 0, 1.0]}
        found = [places.get(token, [0, 1.0, 0]) for token in tokens]
        return np.sum(found, axis=0, dtype=np.float32) / np.linalg.norm(np.sum(found, axis=0))


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("swiming pol", "swimming pool"),
        ("Pol swimming", "Pool swimming"),
        ("swimming in the pol", "swimming in the pool"),
        ("volleyball on a beech", None),
        ("beech volleyball", "beach volleyball"),
        ("beach voleyball", "beach volleyball"),
        ("hoise race", "horse race"),
        ("hoise wall", "house wall"),
        ("thre dogs", "three dogs"),
        ("teh dogs", "the dogs"),
        ("pol", None),
        ("pol office", None),
    ],
)
def test_what_goes_with_the_other_words_is_meant(library: Library, add: Add, typed: str, meant: str | None) -> None:
    """WordNet knows "pol" and "beech"; captions say of the words here "pool" alone, and two of the others together."""
    for number, caption in enumerate(("beach volleyball", "kids in a pool", "a horse race", "a house wall")):
        add(library.store, f"more{number}", [caption], [0.0, 0.2, 1.0, 0.0])
    said = ["the", "three", "poll", "pool", "swimming", "beach", "volleyball", "house", "horse", "dog", "game"]
    knowing = MODEL._replace(caption_words=Vocabulary(said), embedder=OfWater())  # type: ignore[arg-type]
    result = Searcher(library.store, library.searcher().index, knowing).search(Query(typed), distant=True)
    assert result.corrected == (meant and {"from": typed, "to": meant})


def test_words_of_a_persons_captions_are_learnt(library: Library) -> None:
    library.store.set_user_caption(1, "Hornblower at sea")
    now = Searcher(library.store, library.searcher().index, model())
    assert now.search(Query("hornblowr")).corrected == {"from": "hornblowr", "to": "hornblower"}


@pytest.mark.parametrize(
    ("word", "target", "cost"),
    [
        ("dgo", "dog", 0.6),
        ("watter", "water", 0.5),
        ("cofee", "coffee", 0.5),
        ("bech", "beach", 1.0),
        ("bost", "boat", 1.4),
    ],
)
def test_what_slips_cost(word: str, target: str, cost: float) -> None:
    assert slip_cost(word, target) == cost


def test_words_never_met_reach_known_ones(searcher: Searcher) -> None:
    result = searcher.search(Query("a automobile"))
    assert result.expanded == {"automobile": "car"}
    assert result.unsaid == []
    assert "earched for car (automobile)" in result.notice
    assert result.hits[0].path == "/photos/cafe.jpg"
    assert searcher.search(Query("automobile", verbatim=True)).unsaid == ["automobile"]
    assert searcher.search(Query("xylophone")).unsaid == ["xylophone"]


def test_too_many_exclusions_are_refused(searcher: Searcher) -> None:
    with pytest.raises(QueryError, match="50 at most"):
        searcher.search(Query("dog", exclude=["cat"] * 51))
