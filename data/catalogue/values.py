"""What a catalogue field is, its types, and how a text becomes a value of one."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import NamedTuple

from data.errors import RetroflexError

TEXT, CATEGORY, INTEGER, DECIMAL, DATE, BOOLEAN = "text", "category", "integer", "decimal", "date", "boolean"
USER, IMPORTED, CRAWLED, LOCATED, PREDICTED = "user", "imported", "crawled", "located", "predicted"
SOURCES = (USER, IMPORTED, CRAWLED, LOCATED, PREDICTED)
"""Who says what a value is; where several do, the first of them counts."""

LONGEST_NAME = 64
LONGEST_LABEL = 128
LONGEST_TEXT = 10_000
"""Characters of a value."""

_EPOCH = date(1970, 1, 1)
_YES, _NO = "yes", "no"
_BOOLEANS = {"yes": _YES, "y": _YES, "true": _YES, "no": _NO, "n": _NO, "false": _NO}
_INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]{0,14})")
_DECIMAL = re.compile(r"[+-]?((0|[1-9][0-9]{0,14})(\.[0-9]{1,30})?|\.[0-9]{1,30})([eE][+-]?[0-9]{1,2})?")
_ISO_DAY = re.compile(r"([0-9]{4})[-/]([0-9]{1,2})[-/]([0-9]{1,2})([T ][0-9:.]+(Z|[+-][0-9:]+)?)?")
_DOTTED_DAY = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})")


class CatalogueField(NamedTuple):
    """A field of the catalogue: `type` is a key of TYPES, `label` what people read, `position` its place in lists.

    Rows are matched to pictures by the values of a field that `is_key`.
    """

    id: int
    name: str
    type: str
    label: str
    position: int
    is_key: bool


class Value(NamedTuple):
    """A value as text, and as the number by which numbers, dates and yes/no are compared; None for other types."""

    text: str
    number: float | None = None


class Fact(NamedTuple):
    """The value of a field for one picture, who says so, and how sure a model is of it (None for anyone else)."""

    field: CatalogueField
    text: str
    number: float | None
    source: str
    confidence: float | None

    @property
    def plain(self) -> str | int | float | bool:
        """The value as JSON has it."""
        return plain(self.field.type, Value(self.text, self.number))


class ValueProblem(RetroflexError):
    """A text is no value of a type; the message continues a sentence: "is no whole number"."""


def _text(raw: str) -> Value:
    return Value(raw)


def _integer(raw: str) -> Value:
    if not _INTEGER.fullmatch(raw):
        raise ValueProblem("is no whole number of at most 15 digits")
    return Value(str(int(raw)), float(raw))


def _decimal(raw: str) -> Value:
    if not _DECIMAL.fullmatch(raw) or not math.isfinite(float(raw)):
        raise ValueProblem("is no number such as 12.5")
    return Value(raw.lstrip("+"), float(raw))


def _date(raw: str) -> Value:
    try:
        if found := _ISO_DAY.fullmatch(raw):
            day = date(int(found[1]), int(found[2]), int(found[3]))
        elif found := _DOTTED_DAY.fullmatch(raw):
            day = date(int(found[3]), int(found[2]), int(found[1]))
        else:
            raise ValueProblem("is no day such as 2024-07-31")
    except ValueError as error:
        raise ValueProblem("is a day that no calendar has") from error
    return Value(day.isoformat(), float((day - _EPOCH).days))


def _boolean(raw: str) -> Value:
    said = _BOOLEANS.get(raw.casefold())
    if said is None:
        raise ValueProblem("is neither yes nor no")
    return Value(said, float(said == _YES))


TYPES: Mapping[str, Callable[[str], Value]] = {
    BOOLEAN: _boolean,
    INTEGER: _integer,
    DECIMAL: _decimal,
    DATE: _date,
    CATEGORY: _text,
    TEXT: _text,
}
"""The types, the strictest first, and what reads a value of each."""

IN_WORDS = {
    BOOLEAN: "yes/no",
    INTEGER: "whole number",
    DECIMAL: "decimal",
    DATE: "date",
    CATEGORY: "category",
    TEXT: "text",
}
RANGED = frozenset({INTEGER, DECIMAL, DATE})
"""Types that can be filtered from one value to another."""
WORDED = frozenset({TEXT, CATEGORY})
"""Types whose words are searched beside captions."""


def parse(kind: str, raw: str) -> Value | None:
    """Return the value of a type that `raw` says, None for an empty text. Raise ValueProblem."""
    text = " ".join(raw.split()) if len(raw) <= LONGEST_TEXT else raw
    if not text:
        return None
    if len(text) > LONGEST_TEXT:
        raise ValueProblem(f"has {len(text):,} characters; a value has at most {LONGEST_TEXT:,}")
    if "\0" in text:
        raise ValueProblem("has NUL characters, which no text has")
    if not text.isascii():
        text = text.encode(errors="replace").decode()  # JSON may hold half characters
    return TYPES[kind](text)


def plain(kind: str, value: Value) -> str | int | float | bool:
    """Return a value as JSON has it; one without its number stays a text."""
    if value.number is None or kind == DATE:
        return value.text
    if kind == BOOLEAN:
        return value.number == 1
    return int(value.number) if kind == INTEGER else value.number


def key_of(text: str) -> str:
    """Return a hash of a text that is the same however it is written in capitals."""
    return hashlib.blake2b(text.casefold().encode(errors="replace"), digest_size=16).hexdigest()


def label_of(name: str) -> str:
    """Return a label for a column: "Base colour" for baseColour or base_colour."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).replace("_", " ").split()
    words = [word if word.isupper() and len(word) > 1 else word.lower() for word in words]
    label = " ".join(words)[:LONGEST_LABEL]
    return label[:1].upper() + label[1:]
