"""What a baseline JPEG file says before its coded blocks (ITU-T T.81, annex B)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

SOI, APP0, APP14, COM = 0xD8, 0xE0, 0xEE, 0xFE
SOF0, DHT, SOS, DQT, DRI = 0xC0, 0xC4, 0xDA, 0xDB, 0xDD
PASSED_OVER = frozenset({COM, *range(APP0, APP0 + 16)})
YCBCR_NAMES = b"\x01\x02\x03"
COEFFICIENTS = 64
ALL_COEFFICIENTS = b"\x00\x3f\x00"
"""How a scan says that it has the coefficients 0 to 63 with all their bits."""
AC = 16
"""Huffman tables for AC coefficients are numbered from here, those for DC from 0."""


class UnsupportedError(ValueError):
    """The file is another kind of JPEG, or is damaged; a full decoder has to see to it."""


@dataclass(frozen=True)
class Component:
    """A colour component: how many of its blocks lie beside and below each other in a unit, and its tables.

    The table of `quantisation` has 64 bytes in zigzag order. A Huffman table is the numbers of its codes of 1 to 16
    bits, 16 bytes, and then the codes' symbols.
    """

    across: int
    down: int
    quantisation: bytes
    dc: bytes
    ac: bytes


@dataclass(frozen=True)
class Header:
    """Pixels, one component (grey) or three (YCbCr), units between restarts (0: none), where the blocks begin."""

    width: int
    height: int
    components: tuple[Component, ...]
    restart: int
    begin: int


def read_header(content: bytes) -> Header:
    """Read the header of a baseline JPEG file of one scan, 8 bits a sample, grey or YCbCr. Raises UnsupportedError."""
    if not content.startswith(bytes((0xFF, SOI))):
        raise UnsupportedError("no JPEG file")
    parts, place = _Parts(), 2
    try:
        while True:
            fill, marker, length = struct.unpack_from(">BBH", content, place)
            body = content[place + 4 : place + 2 + length]
            place += 2 + length
            if fill != 0xFF or length < 2:
                raise UnsupportedError("the header is damaged")
            if marker == SOS:
                return parts.header(body, place)
            parts.take(marker, body)
    except (struct.error, IndexError, KeyError) as error:
        raise UnsupportedError("the header is damaged") from error


@dataclass
class _Parts:
    """What has been read: the frame's segment, the tables by their numbers, the units between restarts."""

    frame: bytes = b""
    quantisation: dict[int, bytes] = field(default_factory=dict)
    huffman: dict[int, bytes] = field(default_factory=dict)
    restart: int = 0

    def take(self, marker: int, body: bytes) -> None:
        """Keep what a segment says."""
        if marker == SOF0 and not self.frame:
            self.frame = body
        elif marker == DHT:
            self.huffman |= _tables(body, lambda table: 17 + sum(table[1:17]))
        elif marker == DQT:
            self.quantisation |= _tables(body, lambda table: 1 + COEFFICIENTS * (1 + table[0] // 16))
        elif marker == DRI:
            (self.restart,) = struct.unpack(">H", body)
        elif marker not in PASSED_OVER or _not_ycbcr(marker, body):
            raise UnsupportedError("not a baseline JPEG file in YCbCr")

    def header(self, scan: bytes, begin: int) -> Header:
        """Join what the frame says of the components with what the `scan` says."""
        bits, height, width, count = struct.unpack_from(">BHHB", self.frame)
        names = self.frame[6::3]
        if bits != 8 or not width or not height or len(self.frame) != 6 + 3 * count:
            raise UnsupportedError("not 8 bits a sample, or an odd size")
        if len(scan) != 4 + 2 * count or names != scan[1:-3:2] or scan[-3:] != ALL_COEFFICIENTS:
            raise UnsupportedError("not all components or coefficients in one scan")
        if count != 1 and names != YCBCR_NAMES:
            raise UnsupportedError("neither grey nor YCbCr")
        found = zip(self.frame[7::3], self.frame[8::3], scan[2:-3:2], strict=True)
        return Header(width, height, tuple(self._component(*one) for one in found), self.restart, begin)

    def _component(self, factors: int, number: int, tables: int) -> Component:
        quantisation = self.quantisation[number]
        if len(quantisation) != COEFFICIENTS:
            raise UnsupportedError("an odd quantisation table")
        return Component(
            factors >> 4, factors & 15, quantisation, self.huffman[tables >> 4], self.huffman[AC + (tables & 15)]
        )


def _tables(body: bytes, length: Callable[[bytes], int]) -> dict[int, bytes]:
    """Split a segment of tables, each behind a byte with its number."""
    tables = {}
    while body:
        end = length(body)
        tables[body[0]] = body[1:end]
        body = body[end:]
    return tables


def _not_ycbcr(marker: int, body: bytes) -> bool:
    """Whether it is Adobe's segment, and tells of other colours."""
    return marker == APP14 and body.startswith(b"Adobe") and body[11] != 1
