"""Numbers, dates, lists and counted nouns in the language of a request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Literal

from babel import Locale, dates, numbers, units
from babel.lists import format_list
from flask_babel import get_locale, get_translations, gettext, ngettext
from markupsafe import Markup

_THREE_DIGITS = "@@#"
_UNITS = ((3600, "duration-hour"), (60, "duration-minute"), (1, "duration-second"))


def locale() -> Locale:
    """Return what formats follow."""
    return get_locale() or Locale("en", "GB")


def number(value: float) -> str:
    """Return a number with the language's separators: 1,234.5."""
    return numbers.format_decimal(value, locale=locale())


def decimals(value: float) -> str:
    """Return a number with two decimals: 0.50."""
    return numbers.format_decimal(value, "0.00", locale=locale())


def about(value: float) -> str:
    """Return a number by its first three digits: 12.3."""
    return numbers.format_decimal(value, _THREE_DIGITS, locale=locale())


def percent(share: float) -> str:
    """Return a share in percent: 93%, or < 1%."""
    shown = numbers.format_percent(max(round(share, 2), 0.01), locale=locale())
    return shown if share >= 0.01 else f"< {shown}"


def size(count: int) -> str:
    """Return a number of bytes: 20 MiB, 64 KiB, 300 bytes."""
    for unit, length in (("MiB", 2**20), ("KiB", 2**10)):
        if count >= length:
            return f"{about(count / length)} {unit}"
    return counted("%(count)s byte", "%(count)s bytes", count)


def span(seconds: float) -> str:
    """Return a duration in its largest unit: 2 minutes."""
    length, unit = next((each, unit) for each, unit in _UNITS if seconds >= 1.5 * each or each == 1)
    return units.format_unit(max(1, round(seconds / length)), unit, locale=locale())


def day(moment: date) -> str:
    """Return a day: 4 May 2019."""
    return dates.format_date(moment, "long", locale=locale())


def month(moment: date) -> str:
    """Return a month: May 2019."""
    return dates.format_skeleton("yMMMM", moment, locale=locale())


def moment(time: datetime) -> str:
    """Return a day and a time: 4 May 2019, 10:11."""
    return gettext("%(day)s, %(time)s", day=day(time), time=dates.format_time(time, "short", locale=locale()))


def listed(texts: Sequence[str], style: Literal["standard", "or"] = "standard") -> str:
    """Return texts as a list in a sentence: a, b and c; with the style "or" as alternatives."""
    return format_list(texts, style, locale=locale())


def quoted(text: str) -> str:
    """Return a text in the language's quotation marks."""
    return gettext("“%(text)s”", text=text)


def counted(singular: str, plural: str, count: int, **values: object) -> str:
    """Return a message with a number in it, `%(count)s`; `singular` and `plural` are its two forms in English."""
    return ngettext(singular, plural, count, count=number(count), **values)


def counted_on_page(singular: str, plural: str, count: int, **values: object) -> Markup:
    """Return the same for a template: values are escaped, the message is not."""
    return Markup(get_translations().ungettext(singular, plural, count)) % {"count": number(count), **values}


def forms(singular: str, plural: str, *names: str) -> dict[str, str]:
    """Return the forms of a counted message by plural category, with {count} and {name} as places, for scripts."""
    samples = {locale().plural_form(count): count for count in (1_000_000, 100, 11, 5, 3, 2, 0, 1)}
    places = {name: f"{{{name}}}" for name in ("count", *names)}
    return {category: ngettext(singular, plural, count, **places) for category, count in samples.items()}


def plural(count: int, noun: str) -> str:
    """Return a number and its noun: 1 picture, 2,000 pictures."""
    return NOUNS[noun](count)


NOUNS: dict[str, Callable[[int], str]] = {
    "picture": lambda count: counted("%(count)s picture", "%(count)s pictures", count),
    "file": lambda count: counted("%(count)s file", "%(count)s files", count),
    "folder": lambda count: counted("%(count)s folder", "%(count)s folders", count),
    "face": lambda count: counted("%(count)s face", "%(count)s faces", count),
    "country": lambda count: counted("%(count)s country", "%(count)s countries", count),
    "group": lambda count: counted("%(count)s group", "%(count)s groups", count),
}
