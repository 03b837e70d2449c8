"""WebP files that are large or cut off: libwebp decodes them at a reduced scale, as far as they go.

Pillow decodes every WebP as an animation of whole canvases, which takes 18 bytes a pixel and reads no cut file. The
functions of libwebp are found through Pillow's compiled part; where that hides them, Pillow goes on alone.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterator
from contextlib import suppress
from ctypes import POINTER, Structure, Union, byref, c_int, c_size_t, c_uint8, c_uint32, c_void_p
from functools import cache
from typing import Any

import numpy as np
from PIL import Image, _webp

_ABI = 0x0209
"""The version of libwebp's decoding interface whose structures these are; only its high byte has to agree."""
LARGE = 16_000_000
"""Pixels from which on a WebP is not left to Pillow."""
_RGB, _RGBA = 0, 1
_OK = 0
_ANIMATED, _ALPHA = 0x02, 0x10
"""Flags of the chunk VP8X."""
_INFO = {b"ICCP": "icc_profile", b"EXIF": "exif", b"XMP ": "xmp"}


class _Pixels(Structure):
    _fields_ = [("start", c_void_p), ("stride", c_int), ("size", c_size_t)]


class _Planes(Structure):
    _fields_ = [("starts", c_void_p * 4), ("strides", c_int * 4), ("sizes", c_size_t * 4)]


class _Either(Union):
    _fields_ = [("pixels", _Pixels), ("planes", _Planes)]


class _Config(Structure):
    """WebPDecoderConfig: features of the file, where the output goes, and options."""

    _fields_ = [
        ("features", c_int * 5),
        ("features_pad", c_uint32 * 5),
        ("colours", c_int),
        ("width", c_int),
        ("height", c_int),
        ("external", c_int),
        ("output", _Either),
        ("output_pad", c_uint32 * 4),
        ("private", POINTER(c_uint8)),
        ("before_scaling", c_int * 7),
        ("use_scaling", c_int),
        ("scaled_width", c_int),
        ("scaled_height", c_int),
        ("after_scaling", c_int * 4),
        ("options_pad", c_uint32 * 5),
    ]


@cache
def _library() -> Any:
    """Return libwebp, None where its functions are hidden or of another version."""
    with suppress(AttributeError, OSError, TypeError):
        library = ctypes.CDLL(_webp.__file__)
        library.WebPIDecode.restype = c_void_p
        library.WebPIDecode.argtypes = [c_void_p, c_size_t, POINTER(_Config)]
        library.WebPIUpdate.argtypes = [c_void_p, c_void_p, c_size_t]
        library.WebPIDelete.argtypes = [c_void_p]
        if library.WebPInitDecoderConfigInternal(byref(_Config()), _ABI):
            return library
    return None


class StillWebp(Image.Image):
    """A WebP picture without animation; it may be given another size to be decoded at before it is loaded."""

    format = "WEBP"

    def __init__(self, content: bytes, size: tuple[int, int], lossless: bool, alpha: bool) -> None:
        """Use `open_still`."""
        super().__init__()
        self._size, self._mode, self.lossless = size, "RGBA" if alpha else "RGB", lossless
        self._content: bytes | None = content
        self._source = size
        for kind, begin, end in _chunks(content):
            if kind in _INFO and end <= len(content):
                self.info[_INFO[kind]] = content[begin:end]

    def scale_to(self, size: tuple[int, int]) -> None:
        """Decode at this size, in pixels, which is not above its own."""
        self._size = size

    def load(self) -> Any:
        """Decode the file. Raises OSError where it is cut off or damaged; what could be read is loaded then."""
        if self._content is not None:
            content, self._content = self._content, None
            status, pixels = _decoded(content, self.size, len(self.mode), self.size != self._source)
            self.im = Image.fromarray(pixels).im
            if status != _OK:
                raise OSError("its end is missing" if status == 5 else "its data is broken")
        return super().load()


def open_still(content: bytes) -> StillWebp | None:
    """Return a WebP file that is no animation, its pixels not decoded yet; None for others, or without libwebp."""
    kind, size, flags = header(content)
    if size is None or 0 in size or flags & _ANIMATED or _library() is None:
        return None
    kinds = {one for one, _, _ in _chunks(content)}
    alpha = bool(flags & _ALPHA) if kind == b"VP8X" else kind == b"VP8L" and bool(content[24] & _ALPHA)
    return StillWebp(content, size, b"VP8L" in kinds, alpha)


def is_large_still(content: bytes) -> bool:
    """Return whether the file is better decoded here than by Pillow."""
    _, size, flags = header(content)
    large = size is not None and size[0] * size[1] > LARGE
    return large and not flags & _ANIMATED and _library() is not None


def header(content: bytes) -> tuple[bytes, tuple[int, int] | None, int]:
    """Return the kind of the first chunk, the size in pixels (None for no WebP), and the flags of VP8X or 0."""
    if content[:4] != b"RIFF" or content[8:12] != b"WEBP" or len(content) < 30:
        return b"", None, 0
    kind = content[12:16]
    if kind == b"VP8X":
        sides = int.from_bytes(content[24:27], "little"), int.from_bytes(content[27:30], "little")
        return kind, (1 + sides[0], 1 + sides[1]), content[20]
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", content, 21)
        return kind, (1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)), 0
    width, height = struct.unpack_from("<HH", content, 26)
    return kind, (width & 0x3FFF, height & 0x3FFF), 0


def _chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, begin and end of each chunk, the last of which may be cut off."""
    position = 12
    while position + 8 <= len(content):
        kind, length = struct.unpack_from("<4sI", content, position)
        yield kind, position + 8, position + 8 + length
        position += 8 + length + length % 2


def _decoded(content: bytes, size: tuple[int, int], channels: int, scaled: bool) -> tuple[int, np.ndarray]:
    """Return libwebp's status, and pixels, uint8 (height, width, channels), 0 where nothing was decoded."""
    library, config = _library(), _Config()
    pixels = np.zeros((size[1], size[0], channels), np.uint8)
    library.WebPInitDecoderConfigInternal(byref(config), _ABI)
    config.colours, config.external = _RGBA if channels == 4 else _RGB, 1
    config.output.pixels = _Pixels(pixels.ctypes.data, size[0] * channels, pixels.nbytes)
    if scaled:
        config.use_scaling, config.scaled_width, config.scaled_height = 1, *size
    decoder = library.WebPIDecode(None, 0, byref(config))
    if not decoder:
        raise MemoryError("no memory for a decoder")
    try:
        return int(library.WebPIUpdate(decoder, content, len(content))), pixels
    finally:
        library.WebPIDelete(decoder)
