"""From YCbCr to RGB, compiled."""

from __future__ import annotations

import numpy as np
from numba import njit

HALF = 1 << 15


@njit(nogil=True, cache=True)
def to_rgb(planes, pixels):  # type: ignore[no-untyped-def]
    """Fill `pixels`, uint8 (height, width, 3), from `planes`, uint8 (3, rows, columns), in libjpeg's whole numbers.

    The formula is that of JFIF, with factors times 2**16 (jdcolor.c).
    """
    for y in range(pixels.shape[0]):
        for x in range(pixels.shape[1]):
            luma, blue, red = np.int64(planes[0, y, x]), planes[1, y, x] - 128, planes[2, y, x] - 128
            pixels[y, x, 0] = min(max(luma + ((91881 * red + HALF) >> 16), 0), 255)
            pixels[y, x, 1] = min(max(luma + ((-22554 * blue - 46802 * red + HALF) >> 16), 0), 255)
            pixels[y, x, 2] = min(max(luma + ((116130 * blue + HALF) >> 16), 0), 255)
