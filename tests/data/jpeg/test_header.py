from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from data.jpeg.header import LONGEST, NO_SKIP, SHORT, SKIPS, WINDOW, UnsupportedError, lookup_row, read_header

SMALL = bytes([0, 1, 2, 0, 1, *[0] * 11]) + bytes([0x01, 0x00, 0xF0, 0x35])
"""Codes 00, 010, 011 and 10000."""


@pytest.fixture(scope="module")
def usual() -> bytes:
    """The table for AC coefficients of luma that most files have."""
    content = io.BytesIO()
    Image.new("RGB", (8, 8)).save(content, "JPEG")
    return read_header(content.getvalue()).components[0].ac


def codes_of(table: bytes) -> dict[str, int]:
    """The codes as strings of bits, in the order of T.81, annex C."""
    codes, code, symbols = {}, 0, iter(table[LONGEST:])
    for length in range(1, LONGEST + 1):
        for _ in range(table[length - 1]):
            codes[f"{code:0{length}b}"] = next(symbols)
            code += 1
        code *= 2
    return codes


def front(codes: dict[str, int], bits: str) -> str | None:
    return next((code for code in codes if bits.startswith(code)), None)


def passed_over(codes: dict[str, int], window: str) -> int:
    """The whole codes in a window, code by code."""
    bits, coefficients, end = 0, 0, 0
    while bits < WINDOW and not end and (code := front(codes, window[bits:])):
        zeros, size = divmod(codes[code], 16)
        end = int(size == 0 and zeros != 15)
        if not end and coefficients + zeros + 1 > 63:
            break
        bits += len(code) + size
        coefficients += 0 if end else zeros + 1
    return bits + 32 * coefficients + 2**15 * end if bits else NO_SKIP


@pytest.mark.parametrize("table", [SMALL, None], ids=["small", "usual"])
def test_rows_say_what_reading_code_by_code_finds(table: bytes | None, usual: bytes) -> None:
    row, codes = lookup_row(table or usual), codes_of(table or usual)
    for value in np.random.default_rng(0).integers(2**LONGEST, size=500):
        code = front(codes, f"{value:016b}")
        assert row[value] == (256 * len(code) + codes[code] if code else 0)
    for value in range(2**WINDOW):
        window = f"{value:0{WINDOW}b}"
        code = front(codes, window)
        assert row[SHORT + value] == (256 * len(code) + codes[code] if code else 0)
        assert row[SKIPS + value] == passed_over(codes, window)


def test_several_coefficients_are_skipped_at_once() -> None:
    row = lookup_row(SMALL)
    assert row[SKIPS + 0b00_1_00_0_010_0000] == 9 + 32 * 2 + 2**15


@pytest.mark.parametrize(
    "table",
    [b"", bytes(15), bytes([3, *[0] * 15, 1, 2, 3]), bytes([1, *[0] * 15]), SMALL + b"\0"],
    ids=["nothing", "cut", "more codes than bits", "no symbols", "too many symbols"],
)
def test_an_impossible_table_is_refused(table: bytes) -> None:
    with pytest.raises(UnsupportedError):
        lookup_row(table)


def test_a_table_without_codes_finds_none() -> None:
    row = lookup_row(bytes(16))
    assert not row[:SKIPS].any()
    assert (row[SKIPS:] == NO_SKIP).all()
