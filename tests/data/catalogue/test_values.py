from __future__ import annotations

import pytest

from data.catalogue.values import TYPES, Value, ValueProblem, key_of, label_of, parse, plain


@pytest.mark.parametrize(
    ("kind", "raw", "value", "shown"),
    [
        ("integer", "2011", Value("2011", 2011.0), 2011),
        ("integer", " -7 ", Value("-7", -7.0), -7),
        ("integer", "+5", Value("5", 5.0), 5),
        ("decimal", "19.90", Value("19.90", 19.9), 19.9),
        ("decimal", "1e3", Value("1e3", 1000.0), 1000.0),
        ("date", "1970-01-02", Value("1970-01-02", 1.0), "1970-01-02"),
        ("date", "2024/7/3 10:00", Value("2024-07-03", 19907.0), "2024-07-03"),
        ("date", "31.12.1969", Value("1969-12-31", -1.0), "1969-12-31"),
        ("boolean", "TRUE", Value("yes", 1.0), True),
        ("boolean", "n", Value("no", 0.0), False),
        ("category", "Navy   Blue", Value("Navy Blue"), "Navy Blue"),
        ("text", "<b>\ud800", Value("<b>?"), "<b>?"),
    ],
)
def test_texts_are_read_as_values(kind: str, raw: str, value: Value, shown: object) -> None:
    assert parse(kind, raw) == value
    assert plain(kind, value) == shown
    assert type(plain(kind, value)) is type(shown)


@pytest.mark.parametrize("kind", TYPES)
def test_an_empty_text_is_no_value(kind: str) -> None:
    assert parse(kind, " \n") is None


@pytest.mark.parametrize(
    ("kind", "raw", "problem"),
    [
        ("integer", "12.5", "is no whole number"),
        ("integer", "007", "is no whole number"),
        ("integer", "9" * 16, "at most 15 digits"),
        ("decimal", "12,5", "is no number such as 12.5"),
        ("decimal", "nan", "is no number"),
        ("decimal", "1e99", ""),
        ("date", "2024-02-31", "no calendar has"),
        ("date", "yesterday", "is no day such as"),
        ("boolean", "maybe", "neither yes nor no"),
        ("text", "x" * 10_001, "at most 10,000"),
        ("text", "a\0b", "NUL"),
    ],
)
def test_what_is_no_value_says_why(kind: str, raw: str, problem: str) -> None:
    if problem:
        with pytest.raises(ValueProblem, match=problem):
            parse(kind, raw)
    else:
        assert parse(kind, raw) is not None


def test_keys_do_not_depend_on_capitals() -> None:
    assert key_of("Navy BLUE") == key_of("navy blue") != key_of("navy  blue")


@pytest.mark.parametrize(
    ("name", "label"),
    [("baseColour", "Base colour"), ("base_colour", "Base colour"), ("URL", "URL"), ("größe", "Größe")],
)
def test_labels_are_made_of_names(name: str, label: str) -> None:
    assert label_of(name) == label
