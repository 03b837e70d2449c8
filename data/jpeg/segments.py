"""The segments of a JPEG file before its pixels."""

from __future__ import annotations

from collections.abc import Iterator

SOS = 0xDA
"""The marker of a scan."""


def segments(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, begin and end of the content of each segment up to the first scan, as libjpeg meets them.

    They end where the file is cut off, or where something else than a segment begins.
    """
    position, marker = 2, 0
    while position + 5 < len(content) and marker != SOS:
        if content[position] != 0xFF:
            return
        marker, length = content[position + 1], int.from_bytes(content[position + 2 : position + 4], "big")
        if marker == 0xFF:  # a byte that only fills
            position += 1
        elif length < 2:
            return
        else:
            yield marker, position + 4, position + 2 + length
            position += 2 + length
