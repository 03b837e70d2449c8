"""Read the header of a baseline JPEG file and make lookup tables of its Huffman codes (ITU-T T.81, annexes B, C, F)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from data.compiled import njit

SOI, APP0, APP14, COM = 0xD8, 0xE0, 0xEE, 0xFE
SOF0, DHT, SOS, DQT, DRI = 0xC0, 0xC4, 0xDA, 0xDB, 0xDD
IGNORED_MARKERS = frozenset({COM, *range(APP0, APP0 + 16)})
YCBCR_NAMES = b"\x01\x02\x03"
COEFFICIENTS = 64
ALL_COEFFICIENTS = b"\x00\x3f\x00"
"""The end of a scan header with the coefficients 0 to 63 and all their bits."""
AC = 16
"""Huffman tables for AC coefficients are numbered from here, those for DC from 0."""


class UnsupportedError(ValueError):
    """The file is another kind of JPEG or is damaged; it needs a full decoder."""


@dataclass(frozen=True)
class Component:
    """A colour component: its number of blocks across and down a unit, and its tables.

    `quantisation` has 64 bytes in zigzag order. A Huffman table has 16 bytes with the numbers of its codes of 1 to 16
    bits, and then the symbols of the codes.
    """

    across: int
    down: int
    quantisation: bytes
    dc: bytes
    ac: bytes


@dataclass(frozen=True)
class Header:
    """Size in pixels, one component (grey) or three (YCbCr), units between restarts (0: none), offset of the blocks."""

    width: int
    height: int
    components: tuple[Component, ...]
    restart: int
    begin: int


def read_header(content: bytes) -> Header:
    """Read the header of a baseline JPEG file of one scan, 8 bits a sample, grey or YCbCr. Raise UnsupportedError."""
    if not content.startswith(bytes((0xFF, SOI))):
        raise UnsupportedError("no JPEG file")
    parts, position = _Parts(), 2
    try:
        while True:
            fill, marker, length = struct.unpack_from(">BBH", content, position)
            body = content[position + 4 : position + 2 + length]
            position += 2 + length
            if fill != 0xFF or length < 2:
                raise UnsupportedError("the header is damaged")
            if marker == SOS:
                return parts.header(body, position)
            parts.take(marker, body)
    except (struct.error, IndexError, KeyError) as error:
        raise UnsupportedError("the header is damaged") from error


@dataclass
class _Parts:
    """The parts read so far: the frame's segment, the tables by number, the units between restarts."""

    frame: bytes = b""
    quantisation: dict[int, bytes] = field(default_factory=dict)
    huffman: dict[int, bytes] = field(default_factory=dict)
    restart: int = 0

    def take(self, marker: int, body: bytes) -> None:
        """Keep the content of a segment."""
        if marker == SOF0 and not self.frame:
            self.frame = body
        elif marker == DHT:
            self.huffman |= _tables(body, lambda table: 17 + sum(table[1:17]))
        elif marker == DQT:
            self.quantisation |= _tables(body, lambda table: 1 + COEFFICIENTS * (1 + table[0] // 16))
        elif marker == DRI:
            (self.restart,) = struct.unpack(">H", body)
        elif marker not in IGNORED_MARKERS or _not_ycbcr(marker, body):
            raise UnsupportedError("not a baseline JPEG file in YCbCr")

    def header(self, scan: bytes, begin: int) -> Header:
        """Join the components of the frame with those of the `scan`."""
        bits, height, width, count = struct.unpack_from(">BHHB", self.frame)
        names = self.frame[6::3]
        if bits != 8 or not width or not height or len(self.frame) != 6 + 3 * count:
            raise UnsupportedError("not 8 bits a sample, or an odd size")
        if len(scan) != 4 + 2 * count or names != scan[1:-3:2] or scan[-3:] != ALL_COEFFICIENTS:
            raise UnsupportedError("not all components or coefficients in one scan")
        if count != 1 and names != YCBCR_NAMES:
            raise UnsupportedError("neither grey nor YCbCr")
        components = zip(self.frame[7::3], self.frame[8::3], scan[2:-3:2], strict=True)
        return Header(width, height, tuple(self._component(*fields) for fields in components), self.restart, begin)

    def _component(self, factors: int, number: int, tables: int) -> Component:
        quantisation = self.quantisation[number]
        if len(quantisation) != COEFFICIENTS:
            raise UnsupportedError("an odd quantisation table")
        return Component(
            factors >> 4, factors & 15, quantisation, self.huffman[tables >> 4], self.huffman[AC + (tables & 15)]
        )


def _tables(body: bytes, length: Callable[[bytes], int]) -> dict[int, bytes]:
    """Split a segment into tables by number; a byte with the number precedes each."""
    tables = {}
    while body:
        end = length(body)
        tables[body[0]] = body[1:end]
        body = body[end:]
    return tables


def _not_ycbcr(marker: int, body: bytes) -> bool:
    """Return whether it is Adobe's segment and names another colour space."""
    return marker == APP14 and body.startswith(b"Adobe") and body[11] != 1


LONGEST = 16
"""Bits of the longest code."""
WINDOW = 13
"""Bits looked up together where they suffice: tables of this size stay in the processor's nearest cache."""
SHORT = 2**LONGEST
SKIPS = SHORT + 2**WINDOW
"""The offset of the third part of a row, the skips; SHORT is that of the second (see `lookup_row`)."""
NO_SKIP = 127 << 5
MOST = 63
"""AC coefficients in a block."""


@lru_cache(maxsize=32)
def lookup_row(table: bytes) -> np.ndarray:
    """Return the lookup table of a Huffman table, uint16 (SKIPS + 2**WINDOW,).

    - For each 16 bits: 256 times the length of the code at their start, plus its symbol; 0 if there is no code.
    - From SHORT on: the same for each WINDOW bits, 0 if they do not hold the whole code.
    - From SKIPS on: for each WINDOW bits the AC coefficients to skip, as bits + 32 * coefficients, plus 2**15 if the
      block ends after them; NO_SKIP without a whole code. The number after the last code may lie outside the window,
      since its value is not needed.

    `table` has the numbers of codes of 1 to 16 bits and then their symbols. Raise UnsupportedError.
    """
    symbols = _symbols(table)
    start = symbols[:: 2 ** (LONGEST - WINDOW)]
    short = np.where(start >> 8 <= WINDOW, start, 0)
    return np.concatenate([symbols, short, _skips(short)]).astype(np.uint16)


def _symbols(table: bytes) -> np.ndarray:
    lengths = np.array([length for length, count in enumerate(table[:LONGEST], 1) for _ in range(count)], int)
    spans = 2 ** (LONGEST - lengths)
    if len(table) != LONGEST + len(lengths) or spans.sum() > 2**LONGEST:
        raise UnsupportedError("an impossible Huffman table")
    codes = np.zeros(2**LONGEST, np.uint16)
    codes[: spans.sum()] = np.repeat(lengths << 8 | np.frombuffer(table[LONGEST:], np.uint8), spans)
    return codes


@njit(nogil=True, cache=True)
def _skips(short):  # type: ignore[no-untyped-def]
    skips = np.zeros(len(short), np.uint16)
    for first in range(len(short)):
        bits, coefficients, end = 0, 0, 0
        while bits < WINDOW and not end:
            code = np.int64(short[first << bits & len(short) - 1])
            length, zeros, size = code >> 8, code >> 4 & 15, code & 15
            if length == 0 or bits + length > WINDOW or coefficients + zeros >= MOST:
                break
            end = np.int64(size == 0 and zeros != 15)
            coefficients += 0 if end else zeros + 1
            bits += length + size
        skips[first] = bits + 32 * coefficients + (end << 15) if bits else NO_SKIP
    return skips
