"""Formats and caps of picture files, apart from the decoder so that text search need not load the picture libraries."""

from __future__ import annotations

from dataclasses import dataclass

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF")
"""The formats that are read, by Pillow's names; it opens the MPO files of some cameras as JPEG."""

PIXELS_CEILING = 89_478_485
"""Pillow itself refuses larger pictures, so a higher cap would be an empty promise."""


@dataclass(frozen=True)
class Limits:
    """Caps that hold before any pixel is decoded: file size in bytes and width x height in pixels."""

    max_bytes: int = 200 * 2**20
    max_pixels: int = 80_000_000


DEFAULT_LIMITS = Limits()
