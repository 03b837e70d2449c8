"""What the headers of JPEG 2000 files say beyond what Pillow reads (ISO/IEC 15444-1)."""

from __future__ import annotations

import struct

from data import boxes

CODESTREAM = b"\xff\x4f\xff\x51"
"""Start of a codestream (SOC), then its size (SIZ)."""
_COD, _TILE = 0xFF52, 0xFF90
_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_RESTRICTED, _ANY = 2, 3
"""The methods of a colour box that holds an ICC profile."""


def levels(content: bytes) -> int:
    """Return how many times a decoder may halve each side while it decodes; 0 where the header does not tell."""
    position = content.find(CODESTREAM) + 2
    try:
        while position >= 2:
            marker, length = struct.unpack_from(">HH", content, position)
            if marker == _COD:
                return content[position + 9]
            if marker == _TILE or length < 2:
                return 0
            position += 2 + length
    except (struct.error, IndexError):
        pass  # cut off
    return 0


def halvings(content: bytes, size: tuple[int, int], least: tuple[int, int]) -> int:
    """Return how often to halve the sides of a picture of `size` so that they stay at least `least`, in pixels.

    Only a number at which Pillow, which rounds, expects the same size as the standard, which rounds up.
    """
    fitting = [0]
    for count in range(1, levels(content) + 1):
        if any(side >> count < wanted for side, wanted in zip(size, least, strict=True)):
            break
        if all(-(-side >> count) == side + (1 << count - 1) >> count for side in size):
            fitting.append(count)
    return fitting[-1]


def profile(content: bytes) -> bytes | None:
    """Return the ICC profile of a JP2 file, None without one."""
    for kind, body in boxes.inner(content, b"jp2h"):
        if kind == b"colr" and body[:1] in (bytes([_RESTRICTED]), bytes([_ANY])):
            return body[3:]
    return None


def xmp(content: bytes) -> bytes:
    """Return the XMP packet of a JP2 file, empty without one."""
    packets = (body[16:] for kind, body in boxes.boxes(content) if kind == b"uuid" and body.startswith(_XMP))
    return next(packets, b"")
