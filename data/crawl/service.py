"""What a crawl needs of a service: a search by pages, each a list of pictures with their licences."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from html.parser import HTMLParser
from typing import Any, NamedTuple, Protocol

from data.crawl.client import Client
from data.crawl.licences import Licence

LONGEST = 2_000
"""Characters that are kept of a fact."""
ID = re.compile(r"[0-9]{1,20}")
Cursor = Any
"""Where a page begins, as JSON has it; None for the first."""


class Candidate(NamedTuple):
    """A picture that a search found: its id (digits), its address, "" for none, and what is known of it by the names
    of `data.catalogue.attribution.FIELDS`. Its licence is None where it is unknown."""

    id: str
    url: str
    licence: Licence | None
    facts: Mapping[str, str]


class Page(NamedTuple):
    """Pictures in the order of the service, and where the next page begins, None after the last."""

    pictures: Sequence[Candidate]
    following: Cursor


class Service(Protocol):
    """A service that can be searched."""

    name: str
    """Begins the names of files; letters only."""
    title: str
    """What people call it."""

    def search(self, client: Client, text: str, licences: Sequence[str], side: int, at: Cursor) -> Page:
        """Return a page of pictures by words. Their addresses are those of the largest size of which no side is above
        `side` pixels, else of the smallest. Raises CrawlError, Unavailable."""


def plain(text: Any) -> str:
    """Return a text of a service as one printable line of at most LONGEST characters; "" for what is no text."""
    if isinstance(text, int | float) and not isinstance(text, bool):
        text = str(text)
    if not isinstance(text, str):
        return ""
    printable = "".join(one if one.isprintable() else " " for one in text[: 4 * LONGEST])
    return " ".join(printable.split())[:LONGEST]


class _Text(HTMLParser):
    """Collects the text of HTML, without scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self._hidden += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style") and self._hidden > 0

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.pieces.append(data)


def without_html(text: Any) -> str:
    """Return the text of a piece of HTML as one line."""
    parser = _Text()
    with suppress(AssertionError):  # the parser's answer to a declaration that it does not know
        parser.feed(text[: 5 * LONGEST] if isinstance(text, str) else plain(text))
        parser.close()
    return plain("".join(parser.pieces))


def place(latitude: Any, longitude: Any) -> str:
    """Return "48.85341, 2.34880" for coordinates in degrees, "" for none or for 0, 0, which stands for none."""
    try:
        north, east = float(latitude), float(longitude)
    except (TypeError, ValueError):
        return ""
    if not (abs(north) <= 90 and abs(east) <= 180) or (north, east) == (0, 0):
        return ""
    return f"{north:.5f}, {east:.5f}"
