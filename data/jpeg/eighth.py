"""Decode a baseline JPEG file at an eighth of its size: the pixels of libjpeg, in less time.

libjpeg decodes every coefficient of a file, though a picture of an eighth of the size needs one in 64. Importing this
loads numba and compiled code, which is compiled the first time; that pays off only for hundreds of pictures.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from data.jpeg.blocks import Layout, read_planes, to_rgb
from data.jpeg.header import LONGEST, Component, Header, UnsupportedError, lookup_row, read_header

SCALE = 8
LONGEST_DC = 15
"""The most bits that a difference between DC coefficients has."""


def decode_eighth(content: bytes) -> Image.Image | None:
    """Return the picture at an eighth of its size, rounded up, as L or RGB; not turned upright.

    Return None for a damaged file or one that needs a full decoder: not baseline, more than one scan, neither grey nor
    YCbCr. The size in the header is trusted, so check it first.
    """
    try:
        header = read_header(content)
        planes = _read_planes(content, header)
    except UnsupportedError:
        return None
    height, width = -(-header.height // SCALE), -(-header.width // SCALE)
    if len(planes) == 1:
        return Image.fromarray(planes[0, :height, :width])
    pixels = np.empty((height, width, 3), np.uint8)
    to_rgb(planes, pixels)
    return Image.fromarray(pixels)


def _read_planes(content: bytes, header: Header) -> np.ndarray:
    layout = _layout(header)
    shape = len(header.components), layout.rows * layout.down, layout.columns * layout.across
    planes = np.empty(shape, np.uint8)
    quantisation = np.array([list(component.quantisation) for component in header.components])
    scratch = np.zeros(len(planes), np.int64), np.zeros(64, np.int64)
    data = np.frombuffer(content, np.uint8)
    if not read_planes(data, header.begin, layout, *_codes(header.components), quantisation, *scratch, planes):
        raise UnsupportedError("the blocks are damaged")
    return planes


def _layout(header: Header) -> Layout:
    """Return the layout of the scan; a single component always has units of one block."""
    luma, *chroma = header.components
    across, down = (luma.across, luma.down) if chroma else (1, 1)
    if across not in (1, 2) or down not in (1, 2) or any((plane.across, plane.down) != (1, 1) for plane in chroma):
        raise UnsupportedError("chroma of an odd size")
    rows, columns = -(-header.height // (SCALE * down)), -(-header.width // (SCALE * across))
    return Layout(rows, columns, down, across, header.restart)


def _codes(components: tuple[Component, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return the lookup tables, and the rows of them that each component uses for DC and AC coefficients."""
    if any(max(component.dc[LONGEST:], default=0) > LONGEST_DC for component in components):
        raise UnsupportedError("an impossible Huffman table")
    tables = list(dict.fromkeys(table for component in components for table in (component.dc, component.ac)))
    rows = [(tables.index(component.dc), tables.index(component.ac)) for component in components]
    return np.stack([lookup_row(table) for table in tables]), np.array(rows)
