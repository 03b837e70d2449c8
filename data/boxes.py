"""Boxes of HEIF, AVIF and JP2 files, and the main picture's properties that Pillow's decoders do not return.

HEIF is ISO/IEC 23008-12, JP2 ISO/IEC 15444-1.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction

CONTAINERS = {b"meta": 4, b"iprp": 0, b"ipco": 0}
"""Boxes that hold boxes, and the bytes before the first of them."""


def properties(content: bytes) -> list[tuple[bytes, bytes]]:
    """Return kind and content of the properties of the main picture, none where the boxes are damaged."""
    try:
        meta = _only(content, b"meta")
        container = _only(meta, b"iprp")
        every = list(boxes(_only(container, b"ipco")))
        numbers = _associated(_only(container, b"ipma"), _primary(_only(meta, b"pitm")))
        return [every[number - 1] for number in numbers if 0 < number <= len(every)]
    except (KeyError, struct.error, IndexError):
        return []


def nclx(content: bytes) -> tuple[int, int] | None:
    """Return the code points of primaries and transfer (ITU-T H.273) of the main picture, None without any."""
    for kind, body in properties(content):
        if kind == b"colr" and body.startswith(b"nclx") and len(body) >= 8:
            primaries, transfer = struct.unpack_from(">HH", body, 4)
            return primaries, transfer
    return None


def clean_aperture(content: bytes, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """Return the box (left, top, right, bottom, in pixels) to which a picture of `size` is to be cropped.

    Return None where the file names no such box, or one that is empty or reaches beyond the picture.
    """
    for kind, body in properties(content):
        if kind == b"clap" and len(body) >= 32:
            numbers = struct.unpack(">IIIIiIiI", body[:32])
            if not all(numbers[1::2]):
                return None
            width, height, right, down = (Fraction(*numbers[at : at + 2]) for at in range(0, 8, 2))
            left, top = (size[0] - width) / 2 + right, (size[1] - height) / 2 + down
            box = round(left), round(top), round(left + width), round(top + height)
            return box if 0 <= box[0] < box[2] <= size[0] and 0 <= box[1] < box[3] <= size[1] else None
    return None


def boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and content of each box; a container's content begins with its first box."""
    position = 0
    while position + 8 <= len(content):
        size, kind = struct.unpack_from(">I4s", content, position)
        begin = position + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", content, begin)
            begin += 8
        end = position + size if size else len(content)
        if end < begin:
            return
        yield kind, content[begin + CONTAINERS.get(kind, 0) : end]
        position = end


def inner(content: bytes, kind: bytes) -> list[tuple[bytes, bytes]]:
    """Return kind and content of the boxes in the first box of a kind, none without it or where it is damaged."""
    try:
        return list(boxes(_only(content, kind)))
    except (KeyError, struct.error):
        return []


def _only(content: bytes, kind: bytes) -> bytes:
    """Return the content of the first box of a kind. Raise KeyError without one."""
    for other, body in boxes(content):
        if other == kind:
            return body
    raise KeyError(kind)


def _primary(pitm: bytes) -> int:
    return int(struct.unpack_from(">I" if pitm[0] else ">H", pitm, 4)[0])


def _associated(ipma: bytes, item: int) -> list[int]:
    """Return the numbers, from 1, of the properties of an item, in their order."""
    wide_id, wide_number = ipma[0] > 0, ipma[3] & 1
    (entries,) = struct.unpack_from(">I", ipma, 4)
    position = 8
    for _ in range(entries):
        (number,) = struct.unpack_from(">I" if wide_id else ">H", ipma, position)
        position += 4 if wide_id else 2
        count, form, mask = ipma[position], ">H" if wide_number else ">B", 0x7FFF if wide_number else 0x7F
        values = [
            value & mask for (value,) in struct.iter_unpack(form, ipma[position + 1 :][: count * (1 + wide_number)])
        ]
        position += 1 + count * (1 + wide_number)
        if number == item:
            return values
    return []
