"""The coded blocks of a baseline JPEG file at an eighth of its size, compiled (ITU-T T.81, annex F).

At that size a pixel of luma is the mean of a block of 8 x 8, its DC coefficient. The 63 others, which are nearly all of
the file, are only passed over, several at once (`data.jpeg.tables`). Chroma that was halved both ways has two pixels a
block each way, for which its coefficients are read and transformed as libjpeg does.

Numba keeps what it compiled until this file changes: change a line here too where `data.jpeg.bits` or
`data.jpeg.tables` does.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from data.jpeg.bits import (
    MOST_BITS,
    NO_BITS,
    UNCOUNTED,
    Bits,
    after,
    apart,
    at_marker,
    bad,
    filled,
    inlined,
    next_symbol,
    next_value,
)
from data.jpeg.tables import MOST, SKIPS, WINDOW

ZEROS = 0xF0
"""The symbol for 16 zeros; any other without bits of a coefficient ends a block."""
RST0, EOI = 0xD0, 0xD9
# fmt: off
ZIGZAG = np.array([
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5,
    12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
    58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
])
# fmt: on
"""Where the coefficients, in the order of the file, have their place in a block, row after row."""


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

    `codes` has a row a Huffman table; `rows`, int64 (components, 2), tells which are for DC and AC coefficients.
    `quantisation` is int64 (components, 64) in zigzag order. `dc`, int64 (components,), and `block`, int64 (64,), are
    zeros to work with. Returns whether the blocks are sound.
    """
    bits, left, restarts = Bits(NO_BITS, 0, begin, 0), layout.restart, 0
    for row in range(layout.rows):
        for column in range(layout.columns):
            if layout.restart and left == 0:
                if not at_marker(data, bits, RST0 + restarts % 8):
                    return False
                bits, left, restarts = Bits(NO_BITS, 0, bits.place + 2, 0), layout.restart, restarts + 1
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
    """Read the one block of component `number` in a unit; it fills as many pixels as the unit has of luma."""
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
    """Pass over the AC coefficients of a block."""
    place = 1
    while place <= MOST:
        bits = filled(data, bits)
        skip = np.int64(codes[table, np.uint64(SKIPS) + (bits.ahead >> np.uint64(MOST_BITS - WINDOW))])
        behind = place + (skip >> 5 & 127)
        if behind <= MOST:
            bits, place = after(bits, skip & 31, 0), behind
            if skip >> 15:
                break
        else:
            length, symbol = next_symbol(codes, table, bits)
            bits = after(bits, length, symbol & 15)
            if symbol & 15 == 0 and symbol != ZEROS:
                break
            place += (symbol >> 4) + 1
    return bits if place <= MOST + 1 else bad(bits)


@inlined
def _read_ac(data, bits, codes, table, quantisation, number, block):  # type: ignore[no-untyped-def]
    """Put the AC coefficients into `block`, which is zero there; also tell whether there are any."""
    place, more = 1, False
    while place <= MOST:
        bits = filled(data, bits)
        length, symbol = next_symbol(codes, table, bits)
        size, place = symbol & 15, place + (symbol >> 4)
        if size and place <= MOST:
            block[ZIGZAG[place]] = next_value(bits, length, size) * quantisation[number, place]
            more = True
        bits, place = after(bits, length, size), place + 1
        if size == 0 and symbol != ZEROS:
            return bits, more
    return bits if place <= MOST + 1 else bad(bits), more


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
    """One of the two values (`sign` 1 or -1) that the first pass makes of a column."""
    odd = 29692 * block[8 + column] - 10426 * block[24 + column] + 6967 * block[40 + column] - 5906 * block[56 + column]
    return ((block[column] << 15) + sign * odd + (1 << 12)) >> 13


@apart
def _sample(value):  # type: ignore[no-untyped-def]
    return np.uint8(min(max(value + 128, 0), 255))
