"""Typed queries made of sentences."""

from __future__ import annotations

from training.judging.typed import content_words


def test_words_are_drawn_in_their_order_without_stop_words() -> None:
    queries = [(["A red dog runs on the green grass ."], 4)] * 50
    drawn = [text for (text,), target in content_words(queries, 3, seed=0) if target == 4]
    assert len(drawn) == 50
    assert len(set(drawn)) > 5
    for text in drawn:
        words = text.split()
        assert len(words) == 3
        assert words == sorted(words, key=["red", "dog", "runs", "green", "grass"].index)


def test_what_is_short_stays_whole() -> None:
    assert content_words([(["A dog .", "it is on the"], 0), (["..."], 1)], 5, seed=0) == [
        (["dog", "it is on the"], 0),
        ([""], 1),
    ]
    assert content_words([(["A dog on grass"], 0)], 2, seed=3) == [(["dog grass"], 0)]


def test_the_seed_decides() -> None:
    queries = [(["red dog green grass blue sky"], 0)] * 20
    assert content_words(queries, 2, seed=1) == content_words(queries, 2, seed=1) != content_words(queries, 2, seed=2)
