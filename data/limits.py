"""Formats and caps of picture files, kept apart from the decoder so that text search loads no picture library."""

from __future__ import annotations

from dataclasses import dataclass

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF")
"""The formats that are read, by Pillow's names; it opens the MPO files of some cameras as JPEG."""

PIXELS_CEILING = 89_478_485
"""Pillow itself refuses larger pictures, so a higher cap has no effect."""


@dataclass(frozen=True)
class Limits:
    """Caps that are checked before any pixel is decoded: file size in bytes and width x height in pixels."""

    max_bytes: int = 200 * 2**20
    max_pixels: int = 80_000_000


DEFAULT_LIMITS = Limits()
