"""Sentences that come from below the page: labels, errors, notes that the library stores. They are made in English.

Their messages have places in braces, as `{low}` in "give a number from {low} to {high}". A sentence is compared with
all messages; the one that says most of it in its own words is translated, and filled with what the sentence has there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from flask_babel import gettext

from webui.language.catalogues import catalogue
from webui.language.formats import NOUNS, counted, listed, locale, number, plural, quoted

PLACE = re.compile(r"\{(\w+)\}")
FEWEST_LETTERS = 3
"""A message with fewer letters of its own would be found in any sentence."""
SENTENCES = frozenset({"advice", "colour", "error", "known", "reason"})
"""The places that hold messages themselves; whatever a person wrote is left as it is."""
LIST = "quoted"
"""The place of a list of words in quotation marks."""

_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+")
_COUNTED = re.compile(r"([\d,]+) (\w+?)s?")
_QUOTED = re.compile(r"“([^”]*)”|(\d+) more")


class _Pattern(NamedTuple):
    message: str
    finds: re.Pattern[str]


def translated(sentence: str) -> str:
    """Return an English sentence in the language of the request; one without a translation stays as it is."""
    language = locale().language
    if language == "en" or not sentence:
        return sentence
    known = gettext(sentence)
    if known != sentence:
        return known
    for message, finds in _patterns(language):
        if found := finds.fullmatch(sentence):
            return _filled(gettext(message), found.groupdict())
    return sentence


def _filled(message: str, texts: dict[str, str]) -> str:
    return PLACE.sub(lambda place: _value(place[1], texts[place[1]]), message)


def _value(name: str, text: str) -> str:
    if name in SENTENCES:
        return translated(text)
    if name == LIST:
        words: list[tuple[str, str]] = _QUOTED.findall(text)
        return listed([quoted(word) if word else _further(int(more)) for word, more in words], "or")
    if _GROUPED.fullmatch(text):
        return number(int(text.replace(",", "")))
    noun = _COUNTED.fullmatch(text)
    return plural(int(noun[1].replace(",", "")), noun[2]) if noun and noun[2] in NOUNS else text


def _further(count: int) -> str:
    return counted("%(count)s more", "%(count)s more", count)


@cache
def _patterns(language: str) -> tuple[_Pattern, ...]:
    """Return the messages with places, those with most letters of their own first."""
    messages = [one for one in _messages(language) if PLACE.search(one) and _letters(one) >= FEWEST_LETTERS]
    return tuple(_Pattern(one, _finds(one)) for one in sorted(messages, key=_letters, reverse=True))


def _messages(language: str) -> Iterator[str]:
    return (one for one in (message.id for message in catalogue(language)) if isinstance(one, str))


def _letters(message: str) -> int:
    return sum(map(str.isalpha, PLACE.sub("", message)))


def _finds(message: str) -> re.Pattern[str]:
    pieces = PLACE.split(message)  # the texts between the places, and the places' names
    seen: set[str] = set()
    finds = ""
    for at, piece in enumerate(pieces):
        if at % 2 == 0:
            finds += re.escape(piece)
        else:
            finds += f"(?P={piece})" if piece in seen else f"(?P<{piece}>.+?)"
            seen.add(piece)
    return re.compile(finds, re.DOTALL)
