"""Everyday words reach right words of captions, and seldom wrong ones."""

from __future__ import annotations

from bench.expansion import reached


def test_everyday_words_reach_right_words() -> None:
    shares = reached()
    total = sum(map(len, shares.values()))
    assert total >= 200
    assert len(shares["right"]) / total >= 0.75
    assert len(shares["wrong"]) / total <= 0.05
