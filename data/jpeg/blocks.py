"""Decode the coded blocks of a baseline JPEG file at an eighth of its size, compiled with numba (ITU-T T.81, annex F).

At that size a pixel of luma is the mean of a block of 8 x 8, its DC coefficient. The 63 others, nearly all of the
file, are only skipped, several at once (`data.jpeg.header`). Chroma that was halved both ways has two pixels a
block each way, for which its coefficients are read and transformed as libjpeg does.

Reading never leaves the data, whatever it contains: a lookup table has an entry for any bits, and past the end of the
data, or without a valid code, `Bits.beyond` is raised.

Numba caches what it compiled until this file changes: change a line here when `data.jpeg.header` changes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from data.compiled import njit
from data.jpeg.header import LONGEST, MOST, SHORT, SKIPS, WINDOW

MARKER = 0xFF
"""The first byte of a marker; within the data a 0 follows it."""
NO_BITS = np.uint64(0)
ONES, TOPS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
MOST_BITS = 64
BAD = 2**32

# Without "_nrt" numba counts no references to arrays, which would take several times as long as reading; nothing
# compiled here makes an array. Functions are inlined so that the position in the data stays in registers.
UNCOUNTED: dict[str, Any] = {"_nrt": False}
apart = njit(**UNCOUNTED)
inlined = njit(inline="always", **UNCOUNTED)


class Bits(NamedTuple):
    """A position in the coded data.

    `ahead` has the bits read ahead, from the highest down, `available` their number; `position` is the index of the
    next byte. `beyond` is the number of bits past the end of the data, which are zeros. Above MOST_BITS, reading went
    too far past the end or met no valid code.
    """

    ahead: np.uint64
    available: int
    position: int
    beyond: int


@apart
def at_marker(data, bits, marker):  # type: ignore[no-untyped-def]
    """Return whether `marker` is next, with less than a byte left before it and nothing read past it."""
    if bits.available < 56 and bits.beyond == 0:
        bits = _filled_slowly(data, bits)
    sound = 0 <= bits.available - bits.beyond < 8
    return sound and bits.position + 1 < len(data) and data[bits.position + 1] == marker


@inlined
def next_symbol(codes, table, bits):  # type: ignore[no-untyped-def]
    """Return the length of the next code and its symbol; the length is 0 if there is no such code."""
    entry = np.int64(codes[table, np.uint64(SHORT) + (bits.ahead >> np.uint64(MOST_BITS - WINDOW))])
    if entry == 0:
        entry = np.int64(codes[table, bits.ahead >> np.uint64(MOST_BITS - LONGEST)])
    return entry >> 8, entry & 255


@inlined
def next_value(bits, length, size):  # type: ignore[no-untyped-def]
    """Return the number of `size` bits after a code of `length` bits (T.81, F.2.2.1, EXTEND)."""
    value = np.int64(bits.ahead << np.uint64(length) >> np.uint64(1) >> np.uint64(63 - size))
    return value if value >= 1 << size >> 1 else value + 1 - (1 << size)


@inlined
def after(bits, length, size):  # type: ignore[no-untyped-def]
    """Return the position after a code of `length` bits and a number of `size` bits."""
    count = length + size
    return Bits(bits.ahead << np.uint64(count), bits.available - count, bits.position, bits.beyond if length else BAD)


@inlined
def bad(bits):  # type: ignore[no-untyped-def]
    return Bits(bits.ahead, bits.available, bits.position, BAD)


@inlined
def filled(data, bits):  # type: ignore[no-untyped-def]
    """Return the same position with at least 32 bits ahead; the longest code and number have 31 together."""
    if bits.available >= 32:
        return bits
    if bits.position + 8 > len(data):
        return _filled_slowly(data, bits)
    word = _word(data, bits.position)
    if (~word - ONES) & word & TOPS:  # one of the bytes is MARKER
        return _filled_slowly(data, bits)
    taken = (63 - bits.available) >> 3
    return Bits(
        bits.ahead | word >> np.uint64(bits.available), bits.available + 8 * taken, bits.position + taken, bits.beyond
    )


@apart
def _filled_slowly(data, bits):  # type: ignore[no-untyped-def]
    """Fill byte by byte: a MARKER followed by 0 is data, and zeros follow the end."""
    ahead, available, position, beyond = bits
    ahead = ahead & ~(~NO_BITS >> np.uint64(available))
    while available <= 56:
        byte = np.uint64(0)
        if position + 1 >= len(data) or (data[position] == MARKER and data[position + 1] != 0):
            beyond += 8
        else:
            byte = np.uint64(data[position])
            position += 2 if byte == MARKER else 1
        ahead |= byte << np.uint64(56 - available)
        available += 8
    return Bits(ahead, available, position, beyond)


@apart
def _word(data, position):  # type: ignore[no-untyped-def]
    high = _pair(data, position) << np.uint64(16) | _pair(data, position + 2)
    return high << np.uint64(32) | _pair(data, position + 4) << np.uint64(16) | _pair(data, position + 6)


@apart
def _pair(data, position):  # type: ignore[no-untyped-def]
    return np.uint64(data[position]) << np.uint64(8) | np.uint64(data[position + 1])


ZEROS = 0xF0
"""The symbol for 16 zeros; any other symbol of size 0 ends a block."""
RST0, EOI = 0xD0, 0xD9
# fmt: off
ZIGZAG = np.array([
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5,
    12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
    58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
])
# fmt: on
"""The index in a block, row by row, of each coefficient in the order of the file."""


class Layout(NamedTuple):
    """Rows and columns of units, blocks of luma down and across a unit, units between restarts (0: none)."""

    rows: int
    columns: int
    down: int
    across: int
    restart: int


@njit(nogil=True, cache=True, **UNCOUNTED)
def read_planes(data, begin, layout, codes, rows, quantisation, dc, block, planes):  # type: ignore[no-untyped-def]
    """Read the blocks of `data` from `begin` into `planes`, uint8 (components, rows * down, columns * across).

    `codes` has a row for each Huffman table; `rows`, int64 (components, 2), gives the rows for DC and AC coefficients.
    `quantisation` is int64 (components, 64) in zigzag order. `dc`, int64 (components,), and `block`, int64 (64,), are
    work arrays of zeros. Return whether the blocks are valid.
    """
    bits, left, restarts = Bits(NO_BITS, 0, begin, 0), layout.restart, 0
    for row in range(layout.rows):
        for column in range(layout.columns):
            if layout.restart and left == 0:
                if not at_marker(data, bits, RST0 + restarts % 8):
                    return False
                bits, left, restarts = Bits(NO_BITS, 0, bits.position + 2, 0), layout.restart, restarts + 1
                dc[:] = 0
            left -= 1
            bits = _read_luma(data, bits, layout, codes, rows, quantisation, dc, planes, row, column)
            for number in range(1, len(planes)):
                bits = _read_chroma(
                    data, bits, layout, codes, rows, quantisation, dc, block, planes, number, row, column
                )
            if bits.beyond > MOST_BITS:
                return False
    return at_marker(data, bits, EOI)


@inlined
def _read_luma(data, bits, layout, codes, rows, quantisation, dc, planes, row, column):  # type: ignore[no-untyped-def]
    for y in range(row * layout.down, (row + 1) * layout.down):
        for x in range(column * layout.across, (column + 1) * layout.across):
            bits = _read_dc(data, bits, codes, rows[0, 0], dc, 0)
            bits = _skip_ac(data, bits, codes, rows[0, 1])
            planes[0, y, x] = _sample((dc[0] * quantisation[0, 0] + 4) >> 3)
    return bits


@inlined
def _read_chroma(data, bits, layout, codes, rows, quantisation, dc, block, planes, number, row, column):  # type: ignore[no-untyped-def]
    """Read the block of component `number` in a unit; it fills as many pixels as the luma of the unit."""
    bits = _read_dc(data, bits, codes, rows[number, 0], dc, number)
    mean = dc[number] * quantisation[number, 0]
    top, left = row * layout.down, column * layout.across
    if layout.down == 2 and layout.across == 2:
        bits, more = _read_ac(data, bits, codes, rows[number, 1], quantisation, number, block)
        if more:
            block[0] = mean
            _transform(block, planes, number, top, left)
            block[:] = 0
            return bits
    else:
        bits = _skip_ac(data, bits, codes, rows[number, 1])
    for y in range(top, top + layout.down):
        for x in range(left, left + layout.across):
            planes[number, y, x] = _sample((mean + 4) >> 3)
    return bits


@inlined
def _read_dc(data, bits, codes, table, dc, number):  # type: ignore[no-untyped-def]
    bits = filled(data, bits)
    length, size = next_symbol(codes, table, bits)
    dc[number] += next_value(bits, length, size)
    return after(bits, length, size)


@inlined
def _skip_ac(data, bits, codes, table):  # type: ignore[no-untyped-def]
    """Skip the AC coefficients of a block."""
    index = 1
    while index <= MOST:
        bits = filled(data, bits)
        skip = np.int64(codes[table, np.uint64(SKIPS) + (bits.ahead >> np.uint64(MOST_BITS - WINDOW))])
        behind = index + (skip >> 5 & 127)
        if behind <= MOST:
            bits, index = after(bits, skip & 31, 0), behind
            if skip >> 15:
                break
        else:
            length, symbol = next_symbol(codes, table, bits)
            bits = after(bits, length, symbol & 15)
            if symbol & 15 == 0 and symbol != ZEROS:
                break
            index += (symbol >> 4) + 1
    return bits if index <= MOST + 1 else bad(bits)


@inlined
def _read_ac(data, bits, codes, table, quantisation, number, block):  # type: ignore[no-untyped-def]
    """Put the AC coefficients into `block`, which is zero there; also return whether there are any."""
    index, more = 1, False
    while index <= MOST:
        bits = filled(data, bits)
        length, symbol = next_symbol(codes, table, bits)
        size, index = symbol & 15, index + (symbol >> 4)
        if size and index <= MOST:
            block[ZIGZAG[index]] = next_value(bits, length, size) * quantisation[number, index]
            more = True
        bits, index = after(bits, length, size), index + 1
        if size == 0 and symbol != ZEROS:
            return bits, more
    return bits if index <= MOST + 1 else bad(bits), more


@apart
def _transform(block, planes, number, top, left):  # type: ignore[no-untyped-def]
    """Turn a block into 2 x 2 pixels: jpeg_idct_2x2 of libjpeg (jidctred.c), in its whole numbers."""
    for row in range(2):
        even = _half(block, 0, 1 - 2 * row) << 15
        odd = 29692 * _half(block, 1, 1 - 2 * row) - 10426 * _half(block, 3, 1 - 2 * row)
        odd += 6967 * _half(block, 5, 1 - 2 * row) - 5906 * _half(block, 7, 1 - 2 * row)
        planes[number, top + row, left] = _sample((even + odd + (1 << 19)) >> 20)
        planes[number, top + row, left + 1] = _sample((even - odd + (1 << 19)) >> 20)


@apart
def _half(block, column, sign):  # type: ignore[no-untyped-def]
    """Return one of the two values (`sign` 1 or -1) that the first pass computes from a column."""
    odd = 29692 * block[8 + column] - 10426 * block[24 + column] + 6967 * block[40 + column] - 5906 * block[56 + column]
    return ((block[column] << 15) + sign * odd + (1 << 12)) >> 13


@apart
def _sample(value):  # type: ignore[no-untyped-def]
    return np.uint8(min(max(value + 128, 0), 255))


HALF = 1 << 15


@njit(nogil=True, cache=True)
def to_rgb(planes, pixels):  # type: ignore[no-untyped-def]
    """Fill `pixels`, uint8 (height, width, 3), from `planes`, uint8 (3, rows, columns), in libjpeg's whole numbers.

    The formula is that of JFIF, with factors times 2**16 (jdcolor.c).
    """
    for y in range(pixels.shape[0]):
        for x in range(pixels.shape[1]):
            luma, blue, red = np.int64(planes[0, y, x]), planes[1, y, x] - 128, planes[2, y, x] - 128
            pixels[y, x, 0] = min(max(luma + ((91881 * red + HALF) >> 16), 0), 255)
            pixels[y, x, 1] = min(max(luma + ((-22554 * blue - 46802 * red + HALF) >> 16), 0), 255)
            pixels[y, x, 2] = min(max(luma + ((116130 * blue + HALF) >> 16), 0), 255)
