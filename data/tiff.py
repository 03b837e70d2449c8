"""TIFF files whose samples Pillow does not know: colours of floating point or 32 bits, grey of 16 bits with alpha.

libtiff decompresses them as bytes: a copy of the file gets another directory, by which each row is so many samples of
8 bits. Samples, and differences between them (the predictors), are put together here, some rows at a time.
"""

from __future__ import annotations

import io
import struct
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, TiffImagePlugin

STRIP = 64
"""Rows that are put together at a time."""
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES = 256, 257, 258, 259, 262, 277
_PLANAR, _PREDICTOR, _TILE_WIDTH, _EXTRA, _FORMAT, _PROFILE = 284, 317, 322, 338, 339, 34675
_COPIED = (_COMPRESSION, 266, 273, 278, 279, 323, 324, 325)
"""Fill order, and where the strips or tiles are and how long."""
_TYPES = {(1, 16): "u2", (1, 32): "u4", (3, 16): "f2", (3, 32): "f4", (3, 64): "f8"}
_COLOURS = {0: "L", 1: "L", 2: "RGB"}
_LOSSLESS = (1, 5, 8, 32773, 32946)
"""No compression, LZW, Deflate, PackBits, Deflate by its former number."""
_USUAL_WHITES = (1.0, 255.0, 65535.0)
_ASSOCIATED = 1
_DIFFERENCES, _FLOAT_DIFFERENCES = 2, 3


class Layout(NamedTuple):
    """Size in pixels, NumPy's type of a sample in the file, samples of a pixel, and the mode that they become."""

    size: tuple[int, int]
    kind: np.dtype[Any]
    samples: int
    mode: str
    predictor: int
    negative: bool

    @property
    def row(self) -> int:
        """Bytes of a row."""
        return self.size[0] * self.samples * self.kind.itemsize


class WideTiff(Image.Image):
    """A picture whose samples become 8 bits each when it is loaded."""

    format = "TIFF"

    def __init__(self, content: bytes, tags: Any, layout: Layout) -> None:
        super().__init__()
        self._size, self._mode, self.tag_v2, self._layout = layout.size, layout.mode, tags, layout
        self._packed: Image.Image | None = Image.open(io.BytesIO(_as_bytes(content, tags, layout)), formats=("TIFF",))
        self._content = content
        if isinstance(profile := tags.get(_PROFILE), bytes):
            self.info["icc_profile"] = profile

    def load(self) -> Any:
        """Put the samples together. Raises what Pillow raises for a damaged file."""
        if self._packed is not None:
            packed, self._packed = self._packed, None
            self.im = _put_together(packed, self._layout).im
        return super().load()

    def getexif(self) -> Image.Exif:
        """Return the tags of the file's first directory."""
        exif = Image.Exif()
        exif.load_from_fp(io.BytesIO(self._content))
        return exif


def open_wide(content: bytes) -> WideTiff | None:
    """Return a TIFF file of such a layout, its pixels not decoded yet, None for other files."""
    if content[:4] not in (b"II*\0", b"MM\0*"):
        return None
    tags = TiffImagePlugin.ImageFileDirectory_v2(content[:8])
    stream = io.BytesIO(content)
    stream.seek(tags.next)
    tags.load(stream)
    layout = _layout(tags, "<" if content[:1] == b"I" else ">")
    return WideTiff(content, tags, layout) if layout else None


def _layout(tags: Any, order: str) -> Layout | None:
    bits, formats, samples = tags.get(_BITS, (1,)), tags.get(_FORMAT, (1,)), tags.get(_SAMPLES, 1)
    kind, colours = _TYPES.get((formats[0], bits[0])), _COLOURS.get(tags.get(_PHOTOMETRIC))
    alpha = samples - len(colours or "")
    if kind is None or colours is None or alpha not in (0, 1) or len({*bits}) > 1 or len({*formats}) > 1:
        return None
    if tags.get(_PLANAR, 1) != 1 or tags.get(_COMPRESSION, 1) not in _LOSSLESS:
        return None
    if _TILE_WIDTH in tags and tags.get(_PREDICTOR, 1) != 1:  # each tile has differences of its own
        return None
    extra = tags.get(_EXTRA, (0,))
    mode = colours + ("a" if extra[0] == _ASSOCIATED else "A") * alpha
    size = int(tags[_WIDTH]), int(tags[_HEIGHT])
    return Layout(size, np.dtype(order + kind), samples, mode, tags.get(_PREDICTOR, 1), tags.get(_PHOTOMETRIC) == 0)


def _as_bytes(content: bytes, tags: Any, layout: Layout) -> bytes:
    """Return the file with a directory by which a pixel is so many pixels of one byte."""
    factor, order = layout.row // layout.size[0], "<" if content[:1] == b"I" else ">"
    values = {name: tags[name] for name in _COPIED if name in tags}
    values |= {_WIDTH: layout.row, _HEIGHT: layout.size[1], _BITS: 8, _PHOTOMETRIC: 1, _SAMPLES: 1}
    if _TILE_WIDTH in tags:
        values[_TILE_WIDTH] = tags[_TILE_WIDTH] * factor
    entries, further = b"", b""
    begin = len(content) + len(content) % 2
    after = begin + 2 + 12 * len(values) + 4
    for name, value in sorted(values.items()):
        numbers = value if isinstance(value, tuple) else (value,)
        packed = struct.pack(f"{order}{len(numbers)}I", *numbers)
        if len(numbers) > 1:
            packed, further = struct.pack(order + "I", after + len(further)), further + packed
        entries += struct.pack(order + "HHI", name, 4, len(numbers)) + packed
    directory = struct.pack(order + "H", len(values)) + entries + bytes(4) + further
    return content[:4] + struct.pack(order + "I", begin) + content[8:].ljust(begin - 8, b"\0") + directory


def _put_together(packed: Image.Image, layout: Layout) -> Image.Image:
    packed.load()
    whole = Image.new(layout.mode, layout.size)
    tops = range(0, layout.size[1], STRIP)
    white = _white(packed, layout)
    for top in tops:
        shares = np.clip(_samples(packed, layout, top) / white, 0, 1)
        colours = len(layout.mode.rstrip("aA"))
        if layout.negative:
            shares[..., :colours] = 1 - shares[..., :colours]
        pixels = (shares * 255).round().astype(np.uint8)
        size = layout.size[0], len(pixels)
        whole.paste(Image.frombytes(layout.mode, size, np.ascontiguousarray(pixels).tobytes()), (0, top))
    return whole


def _white(packed: Image.Image, layout: Layout) -> np.ndarray:
    """Return the value of white for each sample: of numbers with a point the usual one at or above the brightest."""
    if layout.kind.kind == "u":
        return np.full(layout.samples, np.iinfo(layout.kind).max, np.float32)
    colours = len(layout.mode.rstrip("aA"))
    strips = (_samples(packed, layout, top)[..., :colours] for top in range(0, layout.size[1], STRIP))
    brightest = max(float(strip.max()) for strip in strips)
    white = next((usual for usual in _USUAL_WHITES if brightest <= usual), brightest)
    return np.array([white] * colours + [1.0] * (layout.samples - colours), np.float32)


def _samples(packed: Image.Image, layout: Layout, top: int) -> np.ndarray:
    """Return STRIP rows as float32 (rows, width, samples); what is no number is 0."""
    rows = np.asarray(packed.crop((0, top, layout.row, min(top + STRIP, layout.size[1]))))
    size = layout.kind.itemsize
    if layout.predictor == _FLOAT_DIFFERENCES:  # TIFF Technical Note 3: bytes of the same rank beside each other
        whole = np.cumsum(rows.reshape(len(rows), -1, layout.samples), axis=1, dtype=np.uint8).reshape(
            len(rows), size, -1
        )
        values = np.ascontiguousarray(whole.swapaxes(1, 2)).view(layout.kind.newbyteorder(">"))
    else:
        values = np.ascontiguousarray(rows).view(layout.kind)
    values = values.reshape(len(rows), -1, layout.samples)
    if layout.predictor == _DIFFERENCES:
        unsigned = np.dtype(f"u{size}")
        plain = values.astype(layout.kind.newbyteorder("=")).view(unsigned)
        values = np.cumsum(plain, axis=1, dtype=unsigned).view(layout.kind.newbyteorder("="))
    with np.errstate(all="ignore"):
        return np.nan_to_num(values.astype(np.float32), posinf=0, neginf=0)
