"""Whose a picture is, and on which terms: fields of the catalogue that go with it wherever it is shown or exported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

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
    """Return what there is of FIELDS by name, as printable text; none where nobody says whose the picture is."""
    return _attribution({fact.field.name: fact.text for fact in facts})


def _attribution(values: Mapping[str, Any]) -> dict[str, str]:
    found = {name: _printable(str(values[name])) for name in COLUMNS if values.get(name) is not None}
    return found if any(name in found for name in _CREDIT) else {}


class Credit(NamedTuple):
    """What stands with a picture wherever it is shown, "" for what nobody says; addresses are of the web."""

    title: str
    author: str
    licence: str
    licence_url: str
    page: str

    @property
    def line(self) -> str:
        """All of it as one line."""
        licence = f"{self.licence} ({self.licence_url})" if self.licence_url else self.licence
        whose = " by ".join(part for part in (self.title and f"“{self.title}”", self.author or "unknown") if part)
        return ", ".join(part for part in (whose if self.title else f"by {whose}", licence, self.page) if part)


def credit(values: Mapping[str, Any]) -> Credit | None:
    """Return the credit by the catalogue's values by name, None where nobody says whose the picture is."""
    known = _attribution(values)
    if not known:
        return None
    addresses = (known.get(name, "") for name in (LICENCE_URL, PAGE))
    texts = (known.get(name, "") for name in (TITLE, AUTHOR, LICENCE))
    return Credit(*texts, *(one if is_web_address(one) else "" for one in addresses))


def is_web_address(text: str) -> bool:
    """Return whether a text may be the target of a link."""
    return text.startswith(("https://", "http://")) and text.isprintable() and " " not in text


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)
