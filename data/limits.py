"""Formats and caps of picture files, kept apart from the decoder so that text search loads no picture library."""

from __future__ import annotations

from dataclasses import dataclass

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF", "JPEG2000")
"""The formats that are read, by Pillow's names."""

PIXELS_CEILING = 1_000_000_000
"""The highest cap on decoded pixels: each takes four bytes, and more while a picture is converted."""
SOURCE_PIXELS_CEILING = 65_535**2
"""The pixels of the largest JPEG file that there can be."""


@dataclass(frozen=True)
class Limits:
    """Caps that are checked before any pixel is decoded.

    `max_bytes` is the size of a file. `max_pixels` counts the pixels that are decoded, which are fewer than a JPEG
    file has when it is decoded at a reduced size; `max_source_pixels` counts those that the file has.
    """

    max_bytes: int = 200 * 2**20
    max_pixels: int = 80_000_000
    max_source_pixels: int = 1_000_000_000


DEFAULT_LIMITS = Limits()
