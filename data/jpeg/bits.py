"""Reading the bits of a JPEG file's coded blocks, compiled (ITU-T T.81, annex F).

Whatever the data hold, reading never leaves them: a lookup table has an entry for any bits, and where the data end or
no code is found, `Bits.beyond` says so.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from data.jpeg.tables import LONGEST, SHORT, WINDOW

MARKER = 0xFF
"""The first byte of a marker; within the data a 0 follows it."""
NO_BITS = np.uint64(0)
ONES, TOPS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
MOST_BITS = 64
BAD = 2**32

# Numba would count references to the arrays in every function, which takes several times as long as reading; nothing
# compiled here makes an array. It joins inlined functions, so that a place in the data stays in registers.
UNCOUNTED: dict[str, Any] = {"_nrt": False}
apart = njit(**UNCOUNTED)
inlined = njit(inline="always", **UNCOUNTED)


class Bits(NamedTuple):
    """A place in the coded data: the bits read `ahead`, from the highest down, how many, where the next byte lies.

    `beyond` tells how many of them lie behind the end of the data, where all are zeros; above MOST_BITS, the data have
    been read too far or are no code.
    """

    ahead: np.uint64
    held: int
    place: int
    beyond: int


@apart
def at_marker(data, bits, marker):  # type: ignore[no-untyped-def]
    """Whether `marker` is next: less than a byte may be left before it, and nothing behind it may have been read."""
    if bits.held < 56 and bits.beyond == 0:
        bits = _filled_slowly(data, bits)
    sound = 0 <= bits.held - bits.beyond < 8
    return sound and bits.place + 1 < len(data) and data[bits.place + 1] == marker


@inlined
def next_symbol(codes, table, bits):  # type: ignore[no-untyped-def]
    """The length of the next code, and what it stands for; no length where there is no such code."""
    found = np.int64(codes[table, np.uint64(SHORT) + (bits.ahead >> np.uint64(MOST_BITS - WINDOW))])
    if found == 0:
        found = np.int64(codes[table, bits.ahead >> np.uint64(MOST_BITS - LONGEST)])
    return found >> 8, found & 255


@inlined
def next_value(bits, length, size):  # type: ignore[no-untyped-def]
    """The number of `size` bits behind a code of `length` bits (T.81, F.2.2.1, EXTEND)."""
    value = np.int64(bits.ahead << np.uint64(length) >> np.uint64(1) >> np.uint64(63 - size))
    return value if value >= 1 << size >> 1 else value + 1 - (1 << size)


@inlined
def after(bits, length, size):  # type: ignore[no-untyped-def]
    """The place behind a code of `length` bits and a number of `size` bits."""
    count = length + size
    return Bits(bits.ahead << np.uint64(count), bits.held - count, bits.place, bits.beyond if length else BAD)


@inlined
def bad(bits):  # type: ignore[no-untyped-def]
    return Bits(bits.ahead, bits.held, bits.place, BAD)


@inlined
def filled(data, bits):  # type: ignore[no-untyped-def]
    """The same place with at least 32 bits ahead: the longest code and the longest number behind one have 31."""
    if bits.held >= 32:
        return bits
    if bits.place + 8 > len(data):
        return _filled_slowly(data, bits)
    word = _word(data, bits.place)
    if (~word - ONES) & word & TOPS:  # one of the bytes is MARKER
        return _filled_slowly(data, bits)
    taken = (63 - bits.held) >> 3
    return Bits(bits.ahead | word >> np.uint64(bits.held), bits.held + 8 * taken, bits.place + taken, bits.beyond)


@apart
def _filled_slowly(data, bits):  # type: ignore[no-untyped-def]
    """Byte by byte: a MARKER is followed by 0 where it is none, and zeros follow the end."""
    ahead, held, place, beyond = bits
    ahead = ahead & ~(~NO_BITS >> np.uint64(held))
    while held <= 56:
        byte = np.uint64(0)
        if place + 1 >= len(data) or (data[place] == MARKER and data[place + 1] != 0):
            beyond += 8
        else:
            byte = np.uint64(data[place])
            place += 2 if byte == MARKER else 1
        ahead |= byte << np.uint64(56 - held)
        held += 8
    return Bits(ahead, held, place, beyond)


@apart
def _word(data, place):  # type: ignore[no-untyped-def]
    high = _pair(data, place) << np.uint64(16) | _pair(data, place + 2)
    return high << np.uint64(32) | _pair(data, place + 4) << np.uint64(16) | _pair(data, place + 6)


@apart
def _pair(data, place):  # type: ignore[no-untyped-def]
    return np.uint64(data[place]) << np.uint64(8) | np.uint64(data[place + 1])
