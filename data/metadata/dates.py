"""When a picture was taken: dates as cameras and programs write them, and dates in file names.

Times stay as the camera's clock showed them: zones and parts of seconds are read and dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath

SOURCES = {
    "original": "by the camera",
    "digitized": "by the date of digitization",
    "xmp": "by its XMP data",
    "iptc": "by its IPTC data",
    "changed": "by its EXIF date of change",
    "png": "by its PNG data",
    "film": "by the film's data",
    "name": "by the file's name",
    "month": "by a month in the file's data",
    "year": "by a year in the file's data",
    "file": "by the file's own time",
}
"""Where a date comes from, the most reliable source first, and how a person is told."""
PARTIAL = ("month", "year")
"""The sources that tell no day; their dates are stored as the first day of the month or year."""

METADATA_VERSION = 4
"""Of what `data.metadata` reads of files and their names; with a higher one, files are read again, see `index`."""
FIRST_YEAR = 1826
"""The year of the oldest photograph; scans may carry its date."""
FIRST_COMPACT_YEAR = 1970
"""Eight digits in a file name that would be an earlier day are rather a number."""
EPOCHS = (datetime(1904, 1, 1), datetime(1970, 1, 1))
"""What a clock of 0 seconds shows, on QuickTime and on Unix; moved by the zone where a program converted it."""
FARTHEST_ZONE = timedelta(hours=14)
AHEAD = timedelta(days=1)
"""A camera's zone may be ahead of ours by less than a day; a date that is further ahead is wrong."""

_MONTHS = dict(
    zip(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], range(1, 13), strict=True)
)
_TIME = (
    r"(?P<hour>\d{1,2})(?P<gap>[:. -]?)(?P<minute>\d{2})(?:(?P=gap)(?P<second>\d{2}))?"
    r"(?:[.,:]\d+)?(?:\s?(?P<half>[AaPp])\.?[Mm]\.?)?\s*(?:[A-Z]{3,5}|Z?(?:\[\w+\])?|[+-]\d{2}(?::?\d{2})?)?"
)
_BLANK = r"[\s:T-]*"  # EXIF fills the parts of a time that are unknown with blanks
_AFTER = rf"(?:[\sT,]+(?:{_TIME})|{_BLANK})"
_YEAR_FIRST = r"(?P<year>\d{4})(?P<between>[:/. -]?)(?P<month>\d{2}|(?<=\D)\d)(?P=between)(?P<day>\d{2}|(?<=\D)\d)"
_FORMS = [
    re.compile(form)
    for form in (
        _YEAR_FIRST + _AFTER,
        r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4})" + _AFTER,
        r"(?:[A-Za-z]{3,9},?\s+)?(?P<day>\d{1,2})[\s-](?P<name>[A-Za-z]{3,9})[\s-](?P<year>\d{4})" + _AFTER,
        r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})(?P<hour>\d{2})(?P<minute>\d{2})(?P<second>\d{2})",
        rf"(?:[A-Za-z]{{3,9}}\s+)?(?P<name>[A-Za-z]{{3,9}})\s+(?P<day>\d{{1,2}})\s+(?:{_TIME})\s+(?:[A-Z]{{3,4}}\s+)?(?P<year>\d{{4}})",
        r"(?P<name>[A-Za-z]{3,9})\.?\s+(?P<day>\d{1,2}),?\s+(?P<year>\d{4})" + _AFTER,
    )
]
_DAY_ALONE = re.compile(_YEAR_FIRST + r"[\sT_-].*", re.DOTALL)
"""A day, whatever the time behind it is."""
_DAY_OR_MONTH_FIRST = re.compile(
    r"(?P<one>\d{1,2})(?P<between>[/-])(?P<other>\d{1,2})(?P=between)(?P<year>\d{4})" + _AFTER
)
_PARTS = [
    re.compile(rf"{form}(?:[\sT][\d\s:.Z+-]*)?")
    for form in (
        r"(?P<year>\d{4})[:/.-](?P<month>0?[1-9]|1[0-2])(?:[:/.-](?:00?|\s*))?",
        r"(?P<year>\d{4})(?P<month>0[1-9]|1[0-2])00",
        r"(?P<year>\d{4})(?:(?P<gap>[:/.-]?)(?:00|\s\s)(?P=gap)(?:00|\s\s))?",
    )
]
"""Months and years: the parts that are unknown are missing, zeros or blanks."""
_PADDED = re.compile(r"(?<=:) (?=\d)")
"""A blank in place of a zero, as some cameras write."""
_LONGEST = 64

_NAME_DAYS = [
    re.compile(form)
    for form in (
        r"(?<!\d)(?P<year>\d{4})(?P<between>[-_. ])(?P<month>\d{2})(?P=between)(?P<day>\d{2})(?!\d)",
        r"(?<!\d)(?P<day>\d{2})\.(?P<month>\d{2})\.(?P<year>\d{4})(?!\d)",
        r"@(?P<day>\d{2})-(?P<month>\d{2})-(?P<year>\d{4})(?=_\d)",
        r"(?<!\d)(?P<year>\d{4})_(?P<month>\d{2})(?P<day>\d{2})(?=_\d{6}(?!\d))",
        r"(?<!\d)(?P<year>(?P<compact>\d{4}))(?P<month>\d{2})(?P<day>\d{2})(?=\d{6}(?:\d{3})?(?!\d)|(?!\d))",
    )
]
_AT = r"[\s_-](?:at|um|om|à|às|a las|a la\(s\)|alle|alle ore|kl\.?|klo|v|o)[\s_-]"
"""What stands between a day and a time in the names of screenshots, in several languages."""
_NAME_TIMES = [
    re.compile(form)
    for form in (
        rf"(?:[ _T-]{{1,2}}|{_AT})?(?P<hour>\d{{2}})(?P<gap>[-_.:h ]?)(?P<minute>\d{{2}})(?P=gap)"
        r"(?P<second>\d{2})(?!\d{1,2}(?!\d))(?:\s?(?P<half>[AaPp])[Mm])?",
        rf"(?:[ _T-]|{_AT})(?P<hour>\d{{2}})[.:h](?P<minute>\d{{2}})(?:[m_](?P<second>\d{{2}}))?(?!\d)"
        r"(?:\s?(?P<half>[AaPp])[Mm])?",
        rf"(?:[ _T-]|{_AT})(?P<hour>\d)(?P<gap>[.:])(?P<minute>\d{{2}})(?P=gap)(?P<second>\d{{2}})(?!\d)"
        r"(?:\s?(?P<half>[AaPp])[Mm])?",
    )
]
_MILLISECONDS = re.compile(r"(?:FB_IMG_|mmexport|wx_camera_)(?P<milliseconds>1\d{12})(?!\d)")


def now() -> datetime:
    """Return the present time, UTC, without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)


def in_words(moment: datetime, source: str | None) -> str:
    """Return a date and its source, a key of SOURCES, for people: 4 May 2019, 10:11 (by the file's name).

    Midnight is left out: a source that tells only the day gives it.
    """
    by = f" ({SOURCES[source]})" if source in SOURCES else ""
    if source in PARTIAL:
        return f"{moment:%B %Y}{by}" if source == "month" else f"{moment.year}{by}"
    time = f", {moment:%H:%M}" if (moment.hour, moment.minute, moment.second) != (0, 0, 0) else ""
    return f"{moment.day} {moment:%B %Y}{time}{by}"


def is_believable(moment: datetime, now: datetime) -> bool:
    """Return whether a picture can have been taken then: not before photography, at an epoch or after today."""
    if moment.year < FIRST_YEAR or moment > now + AHEAD:
        return False
    return not any(_is_epoch(moment - epoch) for epoch in EPOCHS)


def _is_epoch(after: timedelta) -> bool:
    """Return whether so long after an epoch is the epoch itself in some zone; zones differ by quarters of an hour."""
    return abs(after) <= FARTHEST_ZONE and after % timedelta(minutes=15) == timedelta(0)


def read_date(text: str, now: datetime) -> datetime | None:
    """Return the moment that `text` names, None where that is no day or not believable.

    Read are EXIF's form, ISO 8601, digits alone, the dates of mail and of C, and days with slashes or dots; 12/25/2019
    too, but not 04/05/2019, which is a day in April or in May. A day whose time no clock shows is read without it.
    """
    padded = _PADDED.sub("0", _clean(text))
    for form in (*_FORMS, _DAY_ALONE, _DAY_OR_MONTH_FIRST):
        if found := form.fullmatch(padded):
            parts = _told_apart(found.groupdict())
            moment = _moment(parts) or _moment(parts | {"hour": None, "minute": None, "second": None})
            return moment if moment and is_believable(moment, now) else None
    return None


def _told_apart(parts: dict[str, str | None]) -> dict[str, str | None]:
    """Return parts with the day and the month of a date in which either may come first, if one is above 12."""
    one, other = parts.get("one"), parts.get("other")
    if one is None or other is None:
        return parts
    if int(one) == int(other) or int(other) > 12:
        return parts | {"month": one, "day": other}
    return parts | ({"day": one, "month": other} if int(one) > 12 else {})


def read_part(text: str, now: datetime) -> tuple[str, datetime] | None:
    """Return the month or year that `text` names without a day: its source, one of PARTIAL, and its first moment."""
    clean = _clean(text)
    parts = next((found.groupdict() for form in _PARTS if (found := form.fullmatch(clean))), None)
    moment = _moment({"day": "1", "month": "1"} | {name: part for name, part in (parts or {}).items() if part})
    if moment is None or moment.year < FIRST_YEAR or moment > now:
        return None
    return "month" if parts and parts.get("month") else "year", moment


def best_part(parts: Iterable[tuple[str, datetime] | None]) -> tuple[str, datetime] | None:
    """Return the first month of what `read_part` returned, or else the first year."""
    return min(filter(None, parts), key=lambda part: PARTIAL.index(part[0]), default=None)


def _clean(text: str) -> str:
    """Return a text without blanks around it; nothing of one that is too long for a date."""
    clean = next((part.strip() for part in text.split("\x00") if part.strip()), "")  # a NUL ends a text of EXIF
    return clean if len(clean) <= _LONGEST else ""


def date_in_name(name: str, now: datetime) -> datetime | None:
    """Return the moment that a file's name tells, None where there is none; see `read_date`.

    Phones, messengers and screenshots name files so: IMG_20190504_101112, signal-2019-05-04-10-11-12-123.
    """
    return next((moment for moment in _in_name(PurePosixPath(name).name) if is_believable(moment, now)), None)


def _in_name(name: str) -> Iterator[datetime]:
    if found := _MILLISECONDS.match(name):
        yield datetime(1970, 1, 1) + timedelta(seconds=int(found["milliseconds"]) // 1000)
    for form in _NAME_DAYS:
        for day in form.finditer(name):
            parts = day.groupdict()
            if parts.get("compact") and int(parts["compact"]) < FIRST_COMPACT_YEAR:
                continue
            times = (time.match(name, day.end()) for time in _NAME_TIMES)
            moments = (_moment(parts | time.groupdict()) for time in times if time)
            if moment := next(filter(None, moments), None) or _moment(parts):
                yield moment


def _moment(parts: Mapping[str, str | None]) -> datetime | None:
    """Return the moment of a match, None for one that no calendar or clock has."""
    name = parts.get("name")
    month = _MONTHS.get(name[:3].lower()) if name else int(parts.get("month") or 0)
    hour, minute, second = (int(parts.get(part) or 0) for part in ("hour", "minute", "second"))
    half = (parts.get("half") or "").lower()
    if half and 1 <= hour <= 12:
        hour = hour % 12 + (12 if half == "p" else 0)
    midnight = (hour, minute, second) == (24, 0, 0)
    if midnight or second == 60:  # the end of a day; a leap second counts as the one before it
        hour, second = hour % 24, second % 60 or (0 if midnight else 59)
    try:
        moment = datetime(int(parts.get("year") or 0), month or 0, int(parts.get("day") or 0), hour, minute, second)
        return moment + timedelta(days=midnight)
    except (ValueError, OverflowError):
        return None
