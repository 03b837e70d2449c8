"""Words that a library often says ask for more pictures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.index.upkeep import build_index
from retrieval.library import Library
from retrieval.search.filters import Selection
from retrieval.search.fusion import MOST_SHARE, USUAL_SHARE, term_prior
from retrieval.search.query import Query
from retrieval.search.search import Searcher
from tests.retrieval.conftest import MODEL, Add


class Said:
    """Captions of which only is known in how many pictures each word is said."""

    def __init__(self, **spread: int) -> None:
        self._spread = spread

    def spread(self, words: list[str]) -> np.ndarray:
        return np.array([self._spread.get(word, 0) for word in words], np.int64)


def odds(query: str, pictures: int, **spread: int) -> float:
    return term_prior(query.split(), Said(**spread), pictures)  # type: ignore[arg-type]


def logit(share: float) -> float:
    return float(np.log(share / (1 - share)))


def test_a_share_of_a_large_library_is_its_prior() -> None:
    assert odds("dog", 1_000_000, dog=200_000) == pytest.approx(logit(0.2) - logit(USUAL_SHARE), abs=1e-3)
    assert odds("a dog", 1_000_000, a=900_000, dog=200_000) == pytest.approx(logit(0.18) - logit(USUAL_SHARE), abs=1e-3)


def test_seldom_said_is_as_usual() -> None:
    assert odds("otter", 1000) == odds("otter", 1000, otter=39) == odds("dog beach", 1000, dog=199, beach=199) == 0


def test_no_word_asks_for_more_than_half() -> None:
    assert odds("a", 1000, a=990) == logit(MOST_SHARE) - logit(USUAL_SHARE)


def test_a_few_pictures_tell_little() -> None:
    assert 0 < odds("dog", 5, dog=2) < odds("dog", 50, dog=20) < odds("dog", 5000, dog=2000)
    assert odds("dog", 0) == 0


@given(st.integers(1, 5000), st.integers(0, 5000), st.integers(0, 5000))
def test_more_said_is_never_less_asked_for(pictures: int, one: int, other: int) -> None:
    few, many = sorted((min(one, pictures), min(other, pictures)))
    assert 0 <= odds("dog", pictures, dog=few) <= odds("dog", pictures, dog=many)
    assert odds("dog dog", pictures, dog=many) == odds("dog", pictures, dog=many)


@pytest.fixture
def searcher(library: Library) -> Searcher:
    return Searcher(library.store, library.searcher().index, MODEL)


def test_only_the_border_moves_with_it(searcher: Searcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrieval.search.clauses.CLOSE", 0.6)
    usual = searcher.rank(Query("the dog"))
    monkeypatch.setattr("retrieval.search.clauses.term_prior", lambda *_: -3.0)
    rare = searcher.rank(Query("the dog"))
    assert rare.ids.tolist() == usual.ids.tolist()
    assert (rare.scores < usual.scores).all()
    assert 0 <= rare.hits < usual.hits


def test_what_a_library_often_shows_is_likelier(searcher: Searcher, add: Add, library: Library) -> None:
    before = searcher.rank(Query("dog")).scores[0]
    for number in range(30):
        add(library.store, f"dog{number}", ["a dog in the park"], [0.9, 0.3, 0.0, 0.1])
    after = Searcher(library.store, build_index(library.store), MODEL).rank(Query("dog")).scores[0]
    assert after > before


def test_a_filter_changes_no_score(searcher: Searcher) -> None:
    every = {hit.id: hit.score for hit in searcher.search(Query("a dog"), distant=True).hits}
    few = np.array(sorted(every)[:2])
    chosen = searcher.search(Query("a dog"), distant=True, selection=Selection(few, np.zeros(2, "datetime64[s]")))
    assert {hit.id: hit.score for hit in chosen.hits} == {one: every[one] for one in few.tolist()}


def test_pictures_that_are_gone_do_not_count(searcher: Searcher, library: Library) -> None:
    assert searcher.index.captions.spread(["dog", "unknown"]).tolist() == [2, 0]
    library.store.remove([b"/photos/beach.jpg"])
    assert library.searcher().index.captions.spread(["dog", "unknown"]).tolist() == [1, 0]
