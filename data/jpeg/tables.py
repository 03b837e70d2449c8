"""Huffman tables as the compiled reader looks them up (ITU-T T.81, annexes C and F)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numba import njit

from data.jpeg.header import UnsupportedError

LONGEST = 16
"""Bits of the longest code."""
WINDOW = 13
"""Bits looked up at once wherever they are enough: tables of this size stay in the processor's nearest cache."""
SHORT = 2**LONGEST
SKIPS = SHORT + 2**WINDOW
"""Where the second and the third part of a row begin, see `lookup_row`."""
NO_SKIP = 127 << 5
MOST = 63
"""AC coefficients in a block."""


@lru_cache(maxsize=32)
def lookup_row(table: bytes) -> np.ndarray:
    """Return what the reader looks up of a Huffman table, uint16 (SKIPS + 2**WINDOW,).

    - For each 16 bits, 256 times the length of the code that they begin with and its symbol; 0 where there is no code.
    - From SHORT on the same for each WINDOW bits, 0 where they do not hold the whole code.
    - From SKIPS on for each WINDOW bits what to pass over of AC coefficients: bits + 32 * coefficients, and 2**15 more
      where the block ends behind them; NO_SKIP without a whole code. The number behind the last code may lie outside
      the window, since it does not matter.

    `table` has the numbers of codes of 1 to 16 bits and then their symbols. Raises UnsupportedError.
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
    found = np.zeros(2**LONGEST, np.uint16)
    found[: spans.sum()] = np.repeat(lengths << 8 | np.frombuffer(table[LONGEST:], np.uint8), spans)
    return found


@njit(nogil=True, cache=True)
def _skips(short):  # type: ignore[no-untyped-def]
    found = np.zeros(len(short), np.uint16)
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
        found[first] = bits + 32 * coefficients + (end << 15) if bits else NO_SKIP
    return found
