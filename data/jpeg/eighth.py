"""A baseline JPEG file at an eighth of its size: the same pixels as libjpeg's, sooner.

libjpeg decodes every coefficient of a file, though a picture of an eighth of the size needs one in 64. Importing this
loads numba and compiled code, which the first time has to be compiled; neither pays for a few pictures.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from data.jpeg.colours import to_rgb
from data.jpeg.header import Component, Header, UnsupportedError, read_header
from data.jpeg.kernels import Layout, read_planes
from data.jpeg.tables import LONGEST, lookup_row

SCALE = 8
LONGEST_DC = 15
"""The most bits of a difference between DC coefficients."""


def decode_eighth(content: bytes) -> Image.Image | None:
    """Return the picture at an eighth of its size, rounded up, as L or RGB; not turned upright.

    None stands for a file that is damaged or of another kind than nearly all cameras write (baseline, one scan, grey or
    YCbCr): a full decoder has to see to it. The header's size is believed, so check it before.
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
    quantisation = np.array([list(one.quantisation) for one in header.components])
    scratch = np.zeros(len(planes), np.int64), np.zeros(64, np.int64)
    data = np.frombuffer(content, np.uint8)
    if not read_planes(data, header.begin, layout, *_codes(header.components), quantisation, *scratch, planes):
        raise UnsupportedError("the blocks are damaged")
    return planes


def _layout(header: Header) -> Layout:
    """The units of the scan; a lone component has units of one block, whatever its factors."""
    luma, *chroma = header.components
    across, down = (luma.across, luma.down) if chroma else (1, 1)
    if across not in (1, 2) or down not in (1, 2) or any((one.across, one.down) != (1, 1) for one in chroma):
        raise UnsupportedError("chroma of an odd size")
    rows, columns = -(-header.height // (SCALE * down)), -(-header.width // (SCALE * across))
    return Layout(rows, columns, down, across, header.restart)


def _codes(components: tuple[Component, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The rows of lookup tables, and which of them each component uses for DC and AC coefficients."""
    if any(max(one.dc[LONGEST:], default=0) > LONGEST_DC for one in components):
        raise UnsupportedError("an impossible Huffman table")
    tables = list(dict.fromkeys(table for one in components for table in (one.dc, one.ac)))
    rows = [(tables.index(one.dc), tables.index(one.ac)) for one in components]
    return np.stack([lookup_row(table) for table in tables]), np.array(rows)
