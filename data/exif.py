"""What a camera wrote into a picture file, as readable text.

The place is left out: people who see a picture on the page need not learn where its owner lives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from PIL import ExifTags, Image

from data.limits import DEFAULT_LIMITS, Limits
from data.metadata.dates import now
from data.metadata.embedded import exif_date
from data.pictures import open_header

LONGEST = 100
"""Characters of a name; longer text is no name of a camera."""
_TAGS = ExifTags.Base


@dataclass(frozen=True)
class Exif:
    """How a picture was taken, as text; None where the file does not say. `taken_at` is in ISO 8601."""

    camera: str | None = None
    lens: str | None = None
    exposure: str | None = None
    aperture: str | None = None
    iso: str | None = None
    focal_length: str | None = None
    taken_at: str | None = None


def read_exif(content: bytes, limits: Limits = DEFAULT_LIMITS) -> Exif:
    """Return what a picture file's EXIF block says; odd values are left out. Raises a PictureError."""
    image = open_header(content, limits)
    entries, taken = _entries(image), exif_date(image, now())
    return Exif(
        camera=_camera(_name(entries.get(_TAGS.Make)), _name(entries.get(_TAGS.Model))),
        lens=_name(entries.get(_TAGS.LensModel)),
        exposure=_number(entries.get(_TAGS.ExposureTime), _exposure),
        aperture=_number(entries.get(_TAGS.FNumber), "f/{:.3g}".format),
        iso=_number(entries.get(_TAGS.ISOSpeedRatings), "{:.0f}".format),
        focal_length=_number(entries.get(_TAGS.FocalLength), "{:.3g} mm".format),
        taken_at=taken.isoformat() if taken else None,
    )


def _entries(image: Image.Image) -> Mapping[int, Any]:
    try:
        exif = image.getexif()
        return {**exif, **exif.get_ifd(ExifTags.IFD.Exif)}
    except Exception:  # EXIF blocks are free-form and often broken; such a picture has no entries.
        return {}


def _name(value: Any) -> str | None:
    """Return a name as one clean line of text."""
    text = value.decode(errors="replace") if isinstance(value, bytes) else value
    if not isinstance(text, str):
        return None
    clean = "".join(character if character.isprintable() else " " for character in text.replace("\x00", " "))
    return " ".join(clean.split())[:LONGEST] or None


def _camera(make: str | None, model: str | None) -> str | None:
    """Join make and model, without repeating the make: Canon, Canon EOS 5D."""
    if make and model and not model.lower().startswith(make.split()[0].lower()):
        return f"{make} {model}"
    return model or make


def _number(value: Any, as_text: Callable[[float], str]) -> str | None:
    """Return a number above 0 as text, the first of several, as some cameras write them."""
    first = value[0] if isinstance(value, tuple) and value else value
    try:
        number = float(first)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return as_text(number) if 0 < number < 1e6 else None


def _exposure(seconds: float) -> str:
    return f"1/{1 / seconds:.0f} s" if seconds < 0.3 else f"{seconds:.3g} s"
