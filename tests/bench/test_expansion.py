"""Everyday words reach right words of captions, and seldom wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.expansion import LISTS, reached

RIGHT = {"everyday": 0.8, "drawn_first": 0.48, "drawn_second": 0.52, "drawn_third": 0.53}
"""What is measured, less some words that a further captioner may lose."""


@pytest.mark.parametrize("words", LISTS, ids=lambda words: words.stem)
def test_everyday_words_reach_right_words(words: Path) -> None:
    shares = reached(words)
    total = sum(map(len, shares.values()))
    assert total >= 170
    assert len(shares["right"]) / total >= RIGHT[words.stem]
    assert len(shares["wrong"]) / total <= 0.05
