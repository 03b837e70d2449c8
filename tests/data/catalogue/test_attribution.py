"""Whose a picture is, as one line."""

from __future__ import annotations

from typing import Any

import pytest

from data.catalogue.attribution import credit, is_web_address


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"author": "Jo", "licence": "CC0"}, "by Jo, CC0"),
        ({"author": "Jo", "title": "Sea", "page_url": "https://a.org/1"}, "“Sea” by Jo, https://a.org/1"),
        ({"licence": "CC0", "licence_url": "https://a.org/0", "title": 7}, "“7” by unknown, CC0 (https://a.org/0)"),
        ({"author": "Jo\x1b[2J\u202e", "page_url": "javascript:1"}, "by Jo [2J "),
    ],
)
def test_a_credit_is_one_printable_line(values: dict[str, Any], line: str) -> None:
    whose = credit(values)
    assert whose is not None
    assert whose.line == line


def test_a_title_alone_says_not_whose_it_is() -> None:
    assert credit({"title": "Sea", "tags": "sea", "author": None}) is None
    assert credit({}) is None


def test_addresses_that_may_be_links() -> None:
    assert is_web_address("https://a.org/1")
    assert not any(map(is_web_address, ("javascript:1", "https://a b", "//a.org", "https://a\n", "")))
