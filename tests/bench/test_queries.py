"""Queries are judged by content words of human captions."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from bench.queries import QUERIES, content, judge


def test_a_hit_is_right_by_any_content_word_and_wholly_by_all() -> None:
    hits = [SimpleNamespace(path=f"/photos/{name}.jpg") for name in ("both", "one", "none", "unknown")]
    library: Any = SimpleNamespace(search=lambda query, limit: SimpleNamespace(hits=hits))
    said = {
        "both.jpg": content("Two dogs run on a beach"),
        "one.jpg": content("a dog on the grass"),
        "none.jpg": content("on a street"),
    }
    assert judge(library, "dog on the beaches", said) == (4, 2, 1)


def test_there_are_twenty_five_queries() -> None:
    lines = [line for line in QUERIES.read_text().splitlines() if not line.startswith("#")]
    assert len(set(lines)) == 25
    assert all(content(line) for line in lines)
