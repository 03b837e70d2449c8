"""Words are found by their letters, once; later look-ups come from a cache."""

from __future__ import annotations

import pytest

from retrieval.bleu.builder import UNKNOWN, WordTable


def test_ids_follow_the_order_of_the_letters() -> None:
    table, ids = WordTable.build(["dog", "a", "naïve"])
    assert ids.tolist() == [1, 0, 2]
    assert table.ids(["a", "cat", "naïve", "dog", "zebra"]).tolist() == [0, UNKNOWN, 2, 1, UNKNOWN]


def test_a_word_is_searched_for_once_also_that_with_id_0(monkeypatch: pytest.MonkeyPatch) -> None:
    table, _ = WordTable.build(["a", "dog"])
    assert table.ids(["a", "dog"]).tolist() == [0, 1]
    monkeypatch.setattr(WordTable, "_word", lambda *_: pytest.fail("searched for again"))
    assert table.ids(["dog", "a"]).tolist() == [1, 0]
