"""What is lost where colours of 16 bits are converted by a profile in 8; docs/architecture.md has the figures."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from data import png
from data.colour.profiles import ADOBE_RGB, PRIMARIES, Space, icc_profile
from data.pictures import decode
from tests.data.colour.test_srgb import BT2020, P3, in_srgb

RAMP = np.linspace(0, 65535, 4096).round().astype(np.uint16)
LINEAR, GAMMA_1_8 = Space(PRIMARIES[1], gamma=1.0), Space(PRIMARIES[1], gamma=1.8)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@pytest.mark.parametrize(
    ("space", "worst"),
    [(P3, 2), (ADOBE_RGB, 2), (BT2020, 2), (GAMMA_1_8, 2), (LINEAR, 12)],
    ids=["Display P3", "Adobe RGB", "BT.2020", "gamma 1.8", "linear"],
)
def test_ramps_of_16_bits_keep_their_steps(space: Space, worst: int) -> None:
    half = RAMP // 2
    ramps = [(RAMP, RAMP, RAMP), (RAMP, half, half), (half, RAMP, half), (half, half, RAMP)]
    values = np.stack([np.stack(ramp, -1) for ramp in ramps])
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", len(RAMP), len(ramps), 16, 2, 0, 0, 0))
    profile = chunk(b"iCCP", b"p\0\0" + zlib.compress(icc_profile(space)))
    content = png.SIGNATURE + head + profile + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    exact = in_srgb(space, (values.reshape(-1, 3) / 257).tolist()).reshape(values.shape)
    errors = np.abs(np.asarray(decode(content).image, int) - exact)
    assert errors.max() == worst
    assert errors.mean() < 0.5
