"""Years, months and days that a query names: "2019", "May 2019", "4 May 2019", "2019-05", "1990s", "december"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from data.text import without_accents

_ENGLISH = "january february march april may june july august september october november december"
_GERMAN = "januar februar märz april mai juni juli august september oktober november dezember"
_FRENCH = "janvier février mars avril mai juin juillet août septembre octobre novembre décembre"
_CZECH = "leden únor březen duben květen červen červenec srpen září říjen listopad prosinec"
_CZECH_OF = "ledna února března dubna května června července srpna září října listopadu prosince"
_SHORT = "jan feb mar apr may jun jul aug sep oct nov dec"


def _numbered(*languages: str) -> dict[str, int]:
    named = {name: number for names in languages for number, name in enumerate(names.split(), start=1)}
    return named | {without_accents(name): number for name, number in named.items()}


MONTHS = _numbered(_ENGLISH, _GERMAN, _FRENCH, _CZECH, _CZECH_OF, _SHORT) | {"sept": 9, "jänner": 1}
ALONE = MONTHS.keys() - {"may", "march", "mars", *_SHORT.split(), "sept"}
"""Months that mean little else, where no year stands beside them; the others are months as a whole query only."""


def _any_of(names: set[str]) -> str:
    return "|".join(sorted(names, key=len, reverse=True))


_MONTH = rf"(?P<month>{_any_of(set(MONTHS))})"
_YEAR = r"(?P<year>18[3-9]\d|19\d\d|20\d\d)"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th|\.)?"
_WHOLE = re.compile(rf"\s*(?P<month>{_any_of(set(MONTHS))})\.?\s*", re.IGNORECASE)
_FORMS = [
    re.compile(rf"(?<![\w.-])(?:{form})(?![\w-]|\.\w)", re.IGNORECASE)
    for form in (
        rf"{_YEAR}(?P<gap>[-/.])(?P<number>\d{{2}})(?:(?P=gap)(?P<day>\d{{2}}))?",
        rf"(?P<day>\d{{1,2}})\.\s?(?P<number>\d{{1,2}})\.\s?{_YEAR}",
        rf"(?:{_DAY}\s+(?:of\s+)?)?{_MONTH}\.?,?\s+(?:of\s+)?{_YEAR}",
        rf"{_MONTH}\s+{_DAY},?\s+{_YEAR}",
        rf"{_YEAR}\s+{_MONTH}",
        r"(?P<decade>18[3-9]|19\d|20\d)0s",
        _YEAR,
        rf"(?P<month>{_any_of(ALONE)})",
    )
]


class DateRange(NamedTuple):
    """Days from `low` to `high`, as numbers like 20190504; where `month` is not 0, this month of any year.

    `text` is what the query says.
    """

    text: str
    low: int = 0
    high: int = 0
    month: int = 0

    def includes(self, days: np.ndarray) -> np.ndarray:
        """Return which of `days`, integers (n,), are in the range, bool (n,)."""
        if self.month:
            return (days // 100) % 100 == self.month
        return (days >= self.low) & (days <= self.high)


def read_dates(text: str) -> list[DateRange]:
    """Return the dates that `text` names, those of several words before those of one; each place counts once.

    "may" and "march" are months with a year, or as the whole text.
    """
    whole = _WHOLE.fullmatch(text)
    if whole:
        return [DateRange(whole["month"], month=MONTHS[whole["month"].lower()])]
    found = []
    for form in _FORMS:
        for match in form.finditer(text):
            date = _range(match[0], match.groupdict())
            if date is not None:
                found.append(date)
                text = text[: match.start()] + " " * len(match[0]) + text[match.end() :]
    return found


def without(text: str, dates: Sequence[DateRange]) -> str:
    """Return `text` without these dates."""
    for date in dates:
        text = text.replace(date.text, " ", 1)
    return " ".join(text.split())


def _range(text: str, parts: dict[str, str | None]) -> DateRange | None:
    decade, name = parts.get("decade"), parts.get("month")
    if decade:
        return DateRange(text, int(decade) * 100_000, (int(decade) * 10 + 9) * 10_000 + 1231)
    month = MONTHS[name.lower()] if name else int(parts.get("number") or 0)
    day = int(parts.get("day") or 0)
    if month > 12 or day > 31 or (not month and parts.get("number")):
        return None
    if not parts.get("year"):
        return DateRange(text, month=month)
    year = int(parts["year"] or 0) * 10_000
    low = year + month * 100 + day
    return DateRange(text, low, low if day else year + (month * 100 + 31 if month else 1231))
