"""Whose a picture is, and on which terms: fields of the catalogue that go with it wherever it is shown or exported."""

from __future__ import annotations

from collections.abc import Sequence

from data.catalogue.values import CATEGORY, TEXT, Fact
from data.catalogue.writes import NewField

TITLE, AUTHOR, LICENCE, LICENCE_URL = "title", "author", "licence", "licence_url"
PAGE, TAGS, PLACE = "page_url", "tags", "place"
FIELDS = (
    NewField(TITLE, TEXT, "Title"),
    NewField(AUTHOR, TEXT, "Author"),
    NewField(LICENCE, CATEGORY, "Licence"),
    NewField(LICENCE_URL, TEXT, "Licence text"),
    NewField(PAGE, TEXT, "Found at"),
    NewField(TAGS, TEXT, "Tags"),
    NewField(PLACE, TEXT, "Place"),
)
"""What a crawl says of a picture."""
COLUMNS = tuple(field.name for field in FIELDS)
_CREDIT = (AUTHOR, LICENCE)
"""A picture with a value of one of these has something to be told."""


def attribution(facts: Sequence[Fact]) -> dict[str, str]:
    """Return the values of FIELDS by name as printable text; none where nobody says whose the picture is."""
    found = {fact.field.name: _printable(fact.text) for fact in facts if fact.field.name in COLUMNS}
    return found if any(name in found for name in _CREDIT) else {}


def credit(facts: Sequence[Fact]) -> str:
    """Return author, licence and where the picture was found as one line, "" where nobody says."""
    known = attribution(facts)
    if not known:
        return ""
    licence = " ".join([known.get(LICENCE, ""), f"({known[LICENCE_URL]})" if LICENCE_URL in known else ""]).strip()
    parts = (f"by {known[AUTHOR]}" if AUTHOR in known else "", licence, known.get(PAGE, ""))
    return ", ".join(part for part in parts if part)


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)
