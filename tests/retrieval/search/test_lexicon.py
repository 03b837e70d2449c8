"""The table of English words that ships: what is near a word, and what is not."""

from __future__ import annotations

import pytest

from retrieval.search.lexicon import load_lexicon


@pytest.mark.parametrize(
    ("word", "reached"),
    [("automobile", "car"), ("turtle", "animal"), ("oak", "tree"), ("constable", "person"), ("chapel", "building")],
)
def test_a_word_reaches_what_it_is_a_kind_of(word: str, reached: str) -> None:
    assert load_lexicon().nearest[word].split()[0] == reached


@pytest.mark.parametrize("word", ["sunday", "victoria", "jade", "london"])
def test_a_name_of_one_person_or_place_reaches_nothing(word: str) -> None:
    assert word not in load_lexicon().nearest


@pytest.mark.parametrize("word", ["washer", "hanger", "muscle", "breaker", "destroyer", "gem", "voucher"])
def test_a_word_of_several_kinds_of_things_reaches_none_of_them(word: str) -> None:
    assert word not in load_lexicon().nearest


@pytest.mark.parametrize("word", ["mesa", "tummy", "gunman", "darling", "grenade"])
def test_a_word_does_not_reach_what_captions_mean_otherwise(word: str) -> None:
    assert not {"table", "pot", "gun", "river", "arms"} & {*load_lexicon().nearest.get(word, "").split()}
