"""Where a file says that it was taken: as EXIF, XMP and films write it, believed only where it can be."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from PIL import ExifTags

from data.records import Position

NOWHERE = 0.001
"""Degrees from 0, 0, in the sea off Ghana, within which a position is none."""
_GPS = ExifTags.GPS
_XMP = re.compile(r"(\d{1,3}),(\d{1,2}(?:\.\d+)?)(?:,(\d{1,2}(?:\.\d+)?))?([NSEW])")
"""Degrees, minutes and perhaps seconds of XMP: 48,51.503N or 48,51,30N."""
_ISO_6709 = re.compile(r"([+-]\d{2}(?:\.\d+)?)([+-]\d{3}(?:\.\d+)?)(?=[+-/]|$)")
"""Degrees as phones write them into films: +48.8577+002.2950+035.0/"""


def believed(latitude: float, longitude: float) -> Position | None:
    """Return a position in degrees, None for one that is not on Earth, or 0, 0, which devices without signal write."""
    on_earth = abs(latitude) <= 90 and abs(longitude) <= 180  # NaN is not
    nowhere = abs(latitude) < NOWHERE and abs(longitude) < NOWHERE
    return Position(latitude, longitude) if on_earth and not nowhere else None


def exif_position(block: Any) -> Position | None:
    """Return the position that a GPS block of EXIF tells, None without one that can be believed."""
    if not isinstance(block, Mapping):
        return None
    latitude = _degrees(block.get(_GPS.GPSLatitude), block.get(_GPS.GPSLatitudeRef), "NS")
    longitude = _degrees(block.get(_GPS.GPSLongitude), block.get(_GPS.GPSLongitudeRef), "EW")
    return believed(latitude, longitude)


def xmp_position(latitude: str, longitude: str) -> Position | None:
    """Return the position of XMP's exif:GPSLatitude and exif:GPSLongitude, None without one that can be believed."""
    degrees = []
    for text, sides in ((latitude, "NS"), (longitude, "EW")):
        found = _XMP.fullmatch(text.strip())
        degrees.append(_degrees(found.group(1, 2, 3), found[4], sides) if found else math.nan)
    return believed(*degrees)


def film_position(text: str) -> Position | None:
    """Return the position in ISO 6709 at the beginning of a tag, None without one that can be believed."""
    found = _ISO_6709.match(text)
    return believed(float(found[1]), float(found[2])) if found else None


def _degrees(parts: Any, side: Any, sides: str) -> float:
    """Return degrees, minutes and seconds as degrees, NaN where they or the hemisphere are missing or no numbers."""
    letter = (side.decode("latin-1") if isinstance(side, bytes) else str(side)).strip("\0 ").upper()
    if not (isinstance(parts, tuple) and 1 <= len(parts) <= 3 and len(letter) == 1 and letter in sides):
        return math.nan
    try:
        numbers = [float(part) for part in parts if part is not None]
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return math.nan
    if not numbers or min(numbers) < 0 or max(numbers[1:], default=0) >= 61:
        return math.nan
    degrees = sum(number / 60**power for power, number in enumerate(numbers))
    return degrees if letter == sides[0] else -degrees
