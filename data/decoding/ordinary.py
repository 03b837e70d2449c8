"""Which files cost so little, whatever is in them, that indexing decodes them in its own process.

Only headers are read, by a few lines of our own. Whatever is not known to be cheap counts as costly.
"""

from __future__ import annotations

import struct

from data import png
from data.jpeg.segments import SOS, segments

PIXELS = 8_000_000
"""The largest picture that is decoded at its full size or kept as coefficients: 48 MB or less."""
SCANS = 24
"""Of a progressive JPEG. Encoders write up to 18; each costs as much time as the picture is large."""
BASELINE_PIXELS = 120_000_000
"""The largest JPEG that is reduced while it is decoded, row by row: a second or less."""
BYTES = 64 * 2**20

SOF0, SOF1, SOF2 = 0xC0, 0xC1, 0xC2
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers that begin a frame; the others of this range define tables."""
SCALES = (8, 4, 2, 1)


def is_ordinary(content: bytes, min_side: int | None) -> bool:
    """Return whether a file is a JPEG or PNG that takes little time and memory to decode, reduced to `min_side`."""
    if len(content) > BYTES:
        return False
    try:
        if content.startswith(b"\xff\xd8"):
            return _is_ordinary_jpeg(content, min_side)
        if content.startswith(png.SIGNATURE) and content[12:16] == b"IHDR":
            width, height = struct.unpack_from(">II", content, 16)
            return width * height <= PIXELS
    except (struct.error, IndexError):
        pass  # damaged
    return False


def _is_ordinary_jpeg(content: bytes, min_side: int | None) -> bool:
    """Walk the segments to the first scan, then judge by frame and scan."""
    frame = 0
    for marker, begin, _ in segments(content):
        if marker == SOS:
            return bool(frame) and _is_cheap(content, frame, content[begin], min_side)
        if marker in FRAMES:
            if frame:
                return False
            frame = begin - 4
    return False


def _is_cheap(content: bytes, frame: int, components_in_scan: int, min_side: int | None) -> bool:
    """Return whether the JPEG with this frame segment is cheap, given the number of components in its first scan."""
    kind, (bits, height, width, components) = content[frame + 1], struct.unpack_from(">BHHB", content, frame + 4)
    if bits != 8 or components > 4 or kind not in (SOF0, SOF1, SOF2):
        return False
    if kind == SOF2 or components_in_scan < components:
        # libjpeg keeps all coefficients, and reads every scan there is.
        return width * height <= PIXELS and content.count(bytes((0xFF, SOS))) <= SCANS
    scale = next(scale for scale in SCALES if scale == 1 or (min_side and min(width, height) >= scale * min_side))
    return width * height <= min(BASELINE_PIXELS, PIXELS * scale**2)
