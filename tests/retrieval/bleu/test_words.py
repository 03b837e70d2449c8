"""Words are found by their letters, once; what was asked for before is remembered."""

from __future__ import annotations

import pytest

from retrieval.bleu.words import UNKNOWN, WordTable


def test_ids_are_places_in_the_order_of_the_letters() -> None:
    table, ids = WordTable.build(["dog", "a", "naïve"])
    assert ids.tolist() == [1, 0, 2]
    assert table.ids(["a", "cat", "naïve", "dog", "zebra"]).tolist() == [0, UNKNOWN, 2, 1, UNKNOWN]


def test_a_known_word_is_looked_up_once_the_first_of_all_too(monkeypatch: pytest.MonkeyPatch) -> None:
    table, _ = WordTable.build(["a", "dog"])
    assert table.ids(["a", "dog"]).tolist() == [0, 1]
    monkeypatch.setattr(WordTable, "_word", lambda *_: pytest.fail("searched for again"))
    assert table.ids(["dog", "a"]).tolist() == [1, 0]
