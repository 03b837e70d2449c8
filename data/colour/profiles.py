"""ICC profiles of colour spaces that a file names by numbers, so that littleCMS converts these too.

Numbers of primaries and transfer functions are those of ITU-T H.273, as HEIF, AVIF and PNG use them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

Numbers = tuple[float, ...]
D50 = np.array([0.9642, 1.0, 0.8249])
"""The white of ICC profiles, XYZ."""
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
D65 = (0.3127, 0.3290)
BT709 = (*D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
BT601 = (*D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070)
PRIMARIES: dict[int, Numbers] = {
    1: BT709,
    2: BT709,  # unspecified
    4: (0.310, 0.316, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: BT601,
    7: BT601,
    8: (0.310, 0.316, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049),
    9: (*D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    22: (*D65, 0.630, 0.340, 0.295, 0.605, 0.155, 0.077),
}
"""Chromaticities x and y of white, red, green and blue by number."""
SRGB, UNSPECIFIED, PQ, HLG = 13, 2, 16, 18
VIDEO = frozenset({1, 6, 11, 12, 14, 15})
"""The transfer function of television, which has several numbers."""
GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0, 17: 2.6}
TRANSFERS = frozenset({SRGB, UNSPECIFIED, PQ, HLG, *VIDEO, *GAMMAS})
POINTS = 4096
"""Entries in the table of a transfer function."""


@dataclass(frozen=True)
class Space:
    """A colour space: chromaticities as in PRIMARIES, the gamma or else the transfer's number, the range of values.

    With `narrow`, black is 16 and white 235 in 255.
    """

    primaries: Numbers
    transfer: int = SRGB
    gamma: float | None = None
    narrow: bool = False

    @property
    def is_srgb(self) -> bool:
        """Whether its values are those of sRGB.

        Television's transfer with sRGB's primaries counts too: it is what cameras and tools write for plain sRGB.
        """
        transfer = self.transfer in VIDEO | {SRGB, UNSPECIFIED} and self.gamma is None
        gamma = self.gamma is not None and abs(self.gamma - 2.2) < 0.03  # what PNG writers write for sRGB
        close = np.allclose(self.primaries, BT709, atol=0.002)
        return (transfer or gamma) and close and not self.narrow


ADOBE_RGB = Space((*D65, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06), gamma=563 / 256)


@lru_cache(maxsize=64)
def icc_profile(space: Space, grey: bool = False) -> bytes:
    """Return an ICC profile (version 4) of `space`, or of its greys only. Raises ValueError for impossible numbers."""
    curve = _curve_tag(space)
    tags = {b"wtpt": _xyz_tag(D50)}
    if grey:
        tags[b"kTRC"] = curve
    else:
        for name, column in zip((b"r", b"g", b"b"), _to_d50(space.primaries).T, strict=True):
            tags[name + b"XYZ"] = _xyz_tag(column)
            tags[name + b"TRC"] = curve
    return _assembled(b"GRAY" if grey else b"RGB ", tags)


def _assembled(kind: bytes, tags: dict[bytes, bytes]) -> bytes:
    """Join header, table and contents of the tags."""
    begin = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += name + struct.pack(">II", begin + len(body), len(content))
        body += content
    header = struct.pack(">I4xI4s4s4s12x4s", begin + len(body), 0x04200000, b"mntr", kind, b"XYZ ", b"acsp")
    header = header.ljust(68, b"\0") + _xyz_tag(D50)[8:]
    return header.ljust(128, b"\0") + table + body


def _xyz_tag(xyz: np.ndarray) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(float(value) * 65536) for value in xyz))


def _curve_tag(space: Space) -> bytes:
    values = np.linspace(0, 1, POINTS)
    if space.narrow:
        values = np.clip((values * 255 - 16) / 219, 0, 1)
    linear = values**space.gamma if space.gamma is not None else _linear(space.transfer)(values)
    table = np.clip(linear * 65535, 0, 65535).round().astype(">u2").tobytes()
    return b"curv\0\0\0\0" + struct.pack(">I", POINTS) + table


def _to_d50(primaries: Numbers) -> np.ndarray:
    """Return the matrix (3, 3) from linear RGB to XYZ under D50. Raises ValueError for impossible chromaticities."""
    xy = np.array(primaries, float).reshape(4, 2)
    if not np.isfinite(xy).all() or (xy[:, 1] <= 0).any() or (np.abs(xy) > 2).any():
        raise ValueError("impossible chromaticities")
    white, *colours = (np.array([x / y, 1, (1 - x - y) / y]) for x, y in xy)
    matrix = np.array(colours).T
    if abs(np.linalg.det(matrix)) < 1e-3 or (BRADFORD @ white <= 0).any():
        raise ValueError("impossible chromaticities")
    matrix = matrix * np.linalg.solve(matrix, white)
    adapted = np.linalg.inv(BRADFORD) @ np.diag((BRADFORD @ D50) / (BRADFORD @ white)) @ BRADFORD @ matrix
    if np.abs(adapted).max() > 4:
        raise ValueError("impossible chromaticities")
    return adapted


def _linear(transfer: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function from values to light, both from 0 to 1."""
    if transfer in GAMMAS:
        return lambda values: values ** GAMMAS[transfer]
    if transfer in VIDEO:
        return lambda values: np.where(values < 0.081, values / 4.5, ((values + 0.099) / 1.099) ** (1 / 0.45))
    if transfer == PQ:
        return lambda values: _tone_mapped(_pq_nits(values))
    if transfer == HLG:
        return lambda values: _tone_mapped(_hlg_nits(values))
    return lambda values: np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def _pq_nits(values: np.ndarray) -> np.ndarray:
    """SMPTE ST 2084: values to candela per square metre."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    root = values ** (1 / m2)
    return 10_000 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)


def _hlg_nits(values: np.ndarray) -> np.ndarray:
    """ARIB STD-B67 on a display of 1,000 candela per square metre; each channel by itself, as an ICC curve needs."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(values <= 0.5, values**2 / 3, (np.exp((values - c) / a) + b) / 12)
    return 1_000 * scene**1.2


GRAPHICS_WHITE = 203.0
"""Candela per square metre of white paper in HDR (ITU-R BT.2408)."""
KNEE = 0.8


def _tone_mapped(nits: np.ndarray) -> np.ndarray:
    """Return light from 0 to 1: unchanged up to KNEE of paper white; brighter light approaches 1."""
    light = nits / GRAPHICS_WHITE
    above = np.maximum(light - KNEE, 0)
    rest = 1 - KNEE
    return np.minimum(light, KNEE) + rest * above / (above + rest)
