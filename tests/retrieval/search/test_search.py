"""Searching a small library whose answers are known beforehand."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from captioner.types import ALIKE, JOINT, Caption, Description
from data.text import fold, tokenize
from retrieval.bleu.score import CAPTION_VARIANT, TYPED_VARIANT, score
from retrieval.commands.options import Output, print_result
from retrieval.library import Library
from retrieval.search import retrievers
from retrieval.search.filters import Selection
from retrieval.search.query import Query, QueryError, QueryImage
from retrieval.search.results import SearchResult
from retrieval.search.search import Searcher
from tests.retrieval.conftest import MODEL, Add


@pytest.fixture
def searcher(library: Library) -> Searcher:
    return library.searcher()


def stems(text: str) -> list[str]:
    return [fold(word) for word in tokenize(text)]


def described(vector: list[float], *captions: str) -> Description:
    unit = np.array(vector, np.float32) / np.linalg.norm(vector)
    return Description([Caption(text, -1.0) for text in captions], {"vgg16": unit, JOINT: unit[:3]})


def like(vector: list[float], *captions: str) -> Query:
    return Query(like=[QueryImage(described(vector, *captions))])


def test_words_find_the_picture_that_says_so(searcher: Searcher) -> None:
    result = searcher.search(Query("a dog on the beach"))
    assert result.query == {"text": "a dog on the beach", "captions": []}
    assert result.hits[0].path == "/photos/beach.jpg"
    assert result.hits[0].caption == "a dog runs on the beach"
    assert result.hits[0].captions == ["a dog runs on the beach", "a brown dog on sand"]
    assert result.total == len(result.hits) == 5


def test_each_hit_shows_its_bleu_and_cosine(searcher: Searcher) -> None:
    for hit in searcher.search(Query("a dog on the beach")).hits:
        captions = [stems(text) for text in hit.captions]
        expected = score(stems("a dog on the beach"), captions, TYPED_VARIANT)
        assert hit.scores["bleu"] == pytest.approx(expected, abs=1e-6)
        assert set(hit.scores) - {"metadata"} == {"bleu", "cosine"}
        assert 0 < hit.score <= 1


def test_hits_fall_by_score_and_ties_go_by_id(searcher: Searcher) -> None:
    hits = searcher.search(Query("a man who crosses")).hits
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert [hit.path for hit in hits[:2]] == ["/photos/street.jpg", "/photos/twin.jpg"]
    assert hits[0].score == hits[1].score


def test_pages_join_to_the_whole(searcher: Searcher) -> None:
    whole = searcher.search(Query("a dog on the beach")).hits
    pages = [searcher.search(Query("a dog on the beach"), 2, offset) for offset in (0, 2, 4, 6)]
    assert [hit for page in pages for hit in page.hits] == whole
    assert {page.total for page in pages} == {5}
    assert pages[-1].hits == []


def test_no_known_word_finds_nothing(searcher: Searcher) -> None:
    result = searcher.search(Query("zyzzyva qwerty"))
    assert (result.total, result.hits) == (0, [])


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "no words"), ("  \n", "no words"), ("?!", "no words"), ("dog " * 10_000, "10,000 words")],
)
def test_a_query_out_of_bounds_is_one_line(searcher: Searcher, text: str, message: str) -> None:
    with pytest.raises(QueryError, match=message) as error:
        searcher.search(Query(text))
    assert "\n" not in str(error.value)


def test_a_thousand_words_are_not_too_many(searcher: Searcher) -> None:
    assert searcher.search(Query("dog " * 1000)).total == 2


@pytest.mark.parametrize(("limit", "offset"), [(0, 0), (-1, 0), (1001, 0), (1, -1)])
def test_a_page_out_of_bounds_is_refused(searcher: Searcher, limit: int, offset: int) -> None:
    with pytest.raises(QueryError, match=r"limit is|offset is"):
        searcher.search(Query("dog"), limit, offset)
    with pytest.raises(QueryError, match=r"limit is|offset is"):
        searcher.search(like([1, 0, 0, 0], "a dog"), limit, offset)


def test_a_picture_finds_itself(searcher: Searcher) -> None:
    result = searcher.search(like([0.0, 1.0, 0.2, 0.0], "a red boat on the water", "a boat"))
    assert result.query == {"captions": ["a red boat on the water", "a boat"]}
    assert result.hits[0].path == "/photos/boat.jpg"
    assert result.hits[0].score > 0.9
    scores = result.hits[0].scores
    assert scores["cosine"] == scores["embedding"] == pytest.approx(1.0, abs=1e-4)
    assert scores["bleu"] > 0.5


def test_a_picture_takes_the_mean_bleu_of_its_captions(searcher: Searcher) -> None:
    captions = ["a dog in the park", "a red boat"]
    hits = searcher.search(like([1, 1, 1, 1], *captions)).hits
    for hit in hits:
        own = [stems(text) for text in hit.captions]
        mean = np.mean([score(stems(text), own, CAPTION_VARIANT) for text in captions])
        assert hit.scores["bleu"] == pytest.approx(mean, abs=1e-6)


def test_a_picture_is_found_by_its_vector_alone(searcher: Searcher) -> None:
    hits = searcher.search(like([1.0, 0.1, 0.0, 0.0], "zyzzyva")).hits
    assert [hit.path for hit in hits[:2]] == ["/photos/beach.jpg", "/photos/park.jpg"]
    assert hits[0].scores["bleu"] == 0


def test_a_picture_is_found_by_its_captions_alone(searcher: Searcher) -> None:
    """The captioner in use makes other vectors than the library holds."""
    result = searcher.search(like([1.0, 0.0], "a red boat on the water"))
    assert result.hits[0].path == "/photos/boat.jpg"
    assert result.hits[0].scores["cosine"] == 0


def test_a_picture_removed_meanwhile_is_left_out(library: Library, searcher: Searcher) -> None:
    library.store.remove([b"/photos/beach.jpg"])
    assert [hit.path for hit in searcher.search(Query("dog")).hits] == ["/photos/park.jpg"]


def test_an_empty_library_answers_nothing(library: Library) -> None:
    library.store.remove([b"/photos"])
    assert library.search(Query("dog")).to_json() == {
        "query": {"text": "dog", "captions": []},
        "total": 0,
        "more": False,
        "closest": None,
        "unsaid": ["dog"],
        "hits": [],
        "corrected": None,
        "expanded": {},
        "without": [],
        "classes": [],
        "groups": [],
        "degraded": None,
    }
    assert library.search(like([1, 0, 0, 0], "a dog")).total == 0


def test_json_has_the_agreed_shape(searcher: Searcher) -> None:
    document = json.loads(json.dumps(searcher.search(Query("dog"), 1).to_json()))
    told = {"corrected", "expanded", "without", "classes", "groups", "degraded"}
    assert set(document) == {"query", "total", "more", "closest", "unsaid", "hits"} | told
    assert set(document["hits"][0]) == {"id", "path", "time", "caption", "captions", "score", "scores"} | {
        "matched",
        "fields",
        "predicted",
        "taken_at",
        "taken_from",
    }
    assert document["hits"][0]["id"] in (1, 2)


def test_in_a_large_library_the_best_are_ranked_and_more_says_so(
    searcher: Searcher, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    everything = searcher.search(Query("a dog on the beach"))
    monkeypatch.setattr(retrievers, "EVERY", 4)
    monkeypatch.setattr(retrievers, "NEAREST", 2)
    best = searcher.search(Query("a dog on the beach"), 1)
    assert (best.total, best.more, everything.more) == (2, True, False)
    assert best.hits == everything.hits[:1]
    print_result(best, Output(False, False, False, False))
    assert "1 of at least 2 hits" in capsys.readouterr().out
    assert not searcher.search(Query("zyzzyva")).more


@pytest.fixture
def knowing(library: Library) -> Searcher:
    """A searcher that knows what a few words mean."""
    return Searcher(library.store, library.searcher().index, MODEL)


def paths(result: SearchResult) -> list[str]:
    return [hit.path.removeprefix("/photos/").removesuffix(".jpg") for hit in result.hits]


def test_words_that_no_caption_says_find_what_they_mean(knowing: Searcher) -> None:
    assert paths(knowing.search(Query("puppy"))) == ["beach", "park"]
    assert paths(knowing.search(Query("ship"))) == ["boat"]
    (hit,) = knowing.search(Query("ship")).hits
    assert hit.scores == {"bleu": 0, "cosine": pytest.approx(0.98, abs=0.01)}


def test_what_is_not_close_is_shown_only_where_asked_for(knowing: Searcher) -> None:
    """Of what most words mean nothing is known, so no picture is close."""
    query = Query("puppy zyzzyva qwerty mxyzptlk blorp " + "gnarf " * 30)
    nothing, all_of_them = knowing.search(query), knowing.search(query, distant=True)
    assert (nothing.total, nothing.hits) == (0, [])
    assert paths(all_of_them)[:2] == ["beach", "park"]
    assert nothing.closest == all_of_them.closest == all_of_them.hits[0].score


def test_embeddings_of_another_model_are_not_compared(library: Library) -> None:
    other = Searcher(library.store, library.searcher().index, MODEL._replace(version="model-2"))
    assert other.search(Query("puppy")).total == 0
    assert paths(other.search(Query("dog"))) == ["beach", "park"]


def test_a_persons_caption_counts_whatever_the_picture_looks_like(library: Library) -> None:
    library.store.set_user_caption(4, "our puppy")
    knowing = Searcher(library.store, library.searcher().index, MODEL)
    hits = knowing.search(Query("our puppy")).hits
    assert (hits[0].path, hits[0].caption) == ("/photos/street.jpg", "our puppy")


def test_a_hit_shows_the_caption_that_was_meant(knowing: Searcher) -> None:
    assert knowing.search(Query("two dogs")).hits[0].caption == "two dogs play on grass"


def test_likes_and_unlikes_join(knowing: Searcher) -> None:
    dog, boat = (QueryImage(described(vector)) for vector in ([1.0, 0.2, 0, 0], [0.0, 1.0, 0.2, 0.0]))
    assert paths(knowing.search(Query(like=[dog, boat])))[:3] != paths(knowing.search(Query(like=[dog])))[:3]
    assert paths(knowing.search(Query("puppy", like=[dog])))[:2] == ["beach", "park"]
    assert paths(knowing.search(Query(like=[dog], unlike=[QueryImage(described([1.0, 0.1, 0, 0]))])))[0] == "park"
    names = knowing.search(Query("puppy", [dog], [boat])).hits[0].scores
    assert list(names)[:4] == ["words.bleu", "words.cosine", "like1.bleu", "like1.cosine"]
    assert "unlike1.cosine" in names


def test_weights_say_which_part_counts_more(knowing: Searcher) -> None:
    dog, boat = described([1.0, 0.1, 0, 0]), described([0.0, 1.0, 0.2, 0.0])
    assert paths(knowing.search(Query(like=[QueryImage(dog, 5), QueryImage(boat, 1)])))[:2] == ["park", "beach"]
    assert paths(knowing.search(Query(like=[QueryImage(dog, 1), QueryImage(boat, 5)])))[0] == "boat"


def test_an_empty_query_is_refused(knowing: Searcher) -> None:
    with pytest.raises(QueryError, match="no words"):
        knowing.search(Query())


def test_a_caption_in_full_comes_first(library: Library, add: Add) -> None:
    add(library.store, "liked", ["dog beach park sand grass", "a dog on a beach"], [1.0, 0.1, 0, 0])
    add(library.store, "meant", ["a boat and a dog", "dog on grass"], [0, 1.0, 0.2, 0])
    searcher = searching(library)
    for text in ("a boat and a dog", "A boat, and a dog!", "dog on grass"):
        hit = searcher.search(Query(text)).hits[0]
        assert (hit.path, hit.scores["verbatim"]) == ("/photos/meant.jpg", 1.0)
    assert "verbatim" not in searcher.search(Query("a boat and")).hits[0].scores


def test_words_of_several_captions_are_no_caption_in_full(library: Library, add: Add) -> None:
    add(library.store, "joined", ["one two three", "two three four"], [0, 0, 0, 1.0])
    assert "verbatim" not in searching(library).search(Query("one two three four"), distant=True).hits[0].scores


def test_what_is_not_alike_is_no_hit(library: Library) -> None:
    model = MODEL._replace(calibration=replace(MODEL.calibration, picture_close=0.3))
    searcher = Searcher(library.store, library.searcher().index, model)
    found = searcher.search(like([1.0, 0.1, 0, 0]))
    assert paths(found) == ["beach", "park"]
    assert found.total == 2
    assert searcher.search(like([1.0, 0.1, 0, 0]), distant=True).total > 2


def test_a_picture_to_be_unlike_alone_brings_its_opposite_first(searcher: Searcher) -> None:
    avoided = Query(unlike=[QueryImage(described([0, 0, 1.0, 0.3]))])
    found = searcher.search(avoided)
    assert paths(found) == ["beach", "park", "boat"]  # street and twin look the same as what is avoided
    assert found.hits[0].scores["unlikeness"] > found.hits[-1].scores["unlikeness"]
    assert found.query == {"captions": []}


def test_a_picture_is_found_by_what_its_neighbours_support(library: Library, add: Add) -> None:
    """Of two pictures equally near, the one whose neighbours are near too comes first."""
    for number in range(4):
        add(library.store, f"kind{number}", ["a thing"], [0.1 * number, 0.0, 0.3, 1.0])
    add(library.store, "lonely", ["a thing"], [-0.6, 0.0, 0.0, 1.0])
    hits = searching(library).search(looks([-0.1, 0.0, 0.15, 1.0])).hits
    found = {hit.path: hit for hit in hits}
    lonely, kind = found["/photos/lonely.jpg"], found["/photos/kind3.jpg"]
    assert abs(lonely.scores["cosine"] - kind.scores["cosine"]) < 0.03
    assert kind.scores["neighbours"] > lonely.scores["neighbours"] + 0.015
    assert kind.score > lonely.score


def test_kinds_of_things_support_one_another_where_query_and_library_have_them(library: Library, add: Add) -> None:
    cup, mug = np.array([1, 0], np.float32), np.array([0.28, 0.96], np.float32)
    add(library.store, "looks", ["a thing"], [0.9, 0.0, 0.0, 0.8], further={ALIKE: mug})
    for number in range(3):
        add(library.store, f"kind{number}", ["a thing"], [0.9, 0.1, 0.1, 0.8], further={ALIKE: cup})
    (image,) = looks([0.9, 0.0, 0.0, 0.8]).like
    both = replace(image.description, vectors={**image.description.vectors, ALIKE: cup})
    by_kind = {hit.path: hit for hit in searching(library).search(Query(like=[QueryImage(both)])).hits}
    same, other = by_kind["/photos/kind0.jpg"], by_kind["/photos/looks.jpg"]
    assert same.score > other.score
    assert same.scores[ALIKE] == pytest.approx(1, abs=1e-3)
    assert same.scores["neighbours"] > other.scores["neighbours"] + 0.1
    assert other.scores["cosine"] > same.scores["cosine"]
    by_looks = searching(library).search(Query(like=[image])).hits
    assert by_looks[0].path == "/photos/looks.jpg"
    assert ALIKE not in by_looks[0].scores


def test_only_the_nearest_support_one_another(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrieval.search.scorers.NEIGHBOURHOOD", 2)
    hits = searching(library).search(looks([1.0, 0.2, 0.0, 0.0])).hits
    assert [hit.path for hit in hits if "neighbours" in hit.scores] == ["/photos/beach.jpg", "/photos/park.jpg"]
    assert len(hits) > 2


def test_the_very_nearest_needs_no_support(library: Library, add: Add) -> None:
    for number in range(4):
        add(library.store, f"kind{number}", ["a thing"], [0.1 * number, 0.0, 0.3, 1.0])
    add(library.store, "copy", ["a thing"], [-0.9, 0.0, 0.0, 1.0])
    hits = searching(library).search(looks([-0.5, 0.0, 0.1, 1.0])).hits
    assert hits[0].path == "/photos/copy.jpg"
    assert hits[0].scores["neighbours"] == max(hit.scores.get("neighbours", 0) for hit in hits)


def test_a_picture_of_the_library_speaks_for_others_once_as_the_query(library: Library, add: Add) -> None:
    """Its own item supports nothing, so the others have the scores that they have without it."""
    for number in range(4):
        add(library.store, f"kind{number}", ["a thing"], [0.1 * number, 0.0, 0.3, 1.0])

    def support() -> dict[str, float]:
        found = searching(library).search(looks([-0.5, 0.0, 0.1, 1.0])).hits
        return {hit.path: hit.scores["neighbours"] for hit in found if "neighbours" in hit.scores}

    before = support()
    add(library.store, "itself", ["a thing"], [-0.5, 0.0, 0.1, 1.0])
    after = support()
    assert after.pop("/photos/itself.jpg") == max(after.values())
    nearest = "/photos/kind0.jpg"  # It counts as the best only where it is the very nearest.
    assert before.pop(nearest) >= after.pop(nearest)
    assert after == pytest.approx(before, abs=1e-6)


def test_a_filter_changes_no_score_of_a_picture_query(library: Library, add: Add) -> None:
    for number in range(6):
        add(library.store, f"kind{number}", ["a thing"], [0.1 * number, 0.0, 0.3, 1.0])
    query = looks([-0.1, 0.0, 0.15, 1.0])
    every = {hit.id: hit.score for hit in searching(library).search(query).hits}
    some = np.array(sorted(every)[1::2])
    chosen = searching(library).search(query, selection=Selection(some, np.zeros(len(some), "datetime64[s]")))
    assert {hit.id: hit.score for hit in chosen.hits} == pytest.approx({one: every[one] for one in some.tolist()})


def looks(vector: list[float]) -> Query:
    """A query picture of which only the looks are known."""
    unit = np.array(vector, np.float32) / np.linalg.norm(vector)
    return Query(like=[QueryImage(Description([Caption("a thing", -1.0)], {"vgg16": unit}))])


def searching(library: Library) -> Searcher:
    """A searcher whose model counts what neighbours support."""
    picture = {"bias": -6.0, "bleu": 1.0, "cosine": 6.0, "embedding": 4.0, "neighbours": 12.0}
    model = MODEL._replace(calibration=replace(MODEL.calibration, picture=picture))
    return Searcher(library.store, library.searcher().index, model)
