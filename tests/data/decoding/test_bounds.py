"""Hostile files are decoded or refused within bounds; memory is that of this process and its children together."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from PIL import Image

from data.decoding.budget import MEMORY
from data.decoding.orders import Order, Webp
from data.decoding.pool import Decoders
from data.errors import NotAPicture, PictureDamaged, PictureError, PictureTooLarge
from data.limits import DEFAULT_LIMITS
from tests.data.decoding.hostile import (
    GIANT,
    giant_gif,
    giant_png,
    heic,
    many_scans,
    peak_growth,
    png_header,
    silly_tiff,
)

CAP = MEMORY + 150 * 2**20
"""The memory for decoding, and two children that have nothing to do."""
RED = (227, 147, 142)
"""(200, 40, 30) at half on white."""
SECONDS = 20


@pytest.fixture(scope="module")
def decoders() -> Decoders:
    return Decoders(processes=2)


def drawn(picture_format: str, mode: str, size: tuple[int, int], colour: Any = 7, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size, colour).save(buffer, picture_format, **options)
    return buffer.getvalue()


def webp_that_claims_to_be_giant() -> bytes:
    content = drawn("WEBP", "RGB", (100, 100))
    canvas = b"".join((side - 1).to_bytes(3, "little") for side in GIANT)
    length = (len(content) + 10).to_bytes(4, "little")
    return b"RIFF" + length + b"WEBPVP8X" + bytes([10, 0, 0, 0, 0, 0, 0, 0]) + canvas + content[12:]


def test_giants_at_once_stay_below_the_cap(decoders: Decoders) -> None:
    """80 megapixels each: 320 MB of pixels, and several copies of these while they become RGB on white."""
    content = giant_png()
    orders = [Order(webp=Webp(320, 960, 82)), Order(square=224), Order(webp=Webp(320, 960, 82))]
    with peak_growth() as peak, ThreadPoolExecutor(3) as threads:
        thumbnail, square, _ = threads.map(lambda order: decoders.decode(content, order, DEFAULT_LIMITS, None), orders)
    assert 320e6 < peak[0] < CAP
    assert square.square is not None
    assert np.abs(square.square.astype(int) - RED).max() <= 1
    assert square.facts is not None
    assert (square.facts.width, square.facts.height) == GIANT
    with Image.open(io.BytesIO(thumbnail.webp)) as small:
        assert small.size == (401, 320)


READ: dict[str, tuple[Callable[[], bytes], tuple[int, int, int]]] = {
    "a row of giant length": (lambda: giant_png((5_000_000, 8)), RED),
    "a giant GIF with one pixel": (giant_gif, (0, 0, 0)),
    "a HEIC": (heic, (201, 40, 30)),
    "a large AVIF": (lambda: drawn("AVIF", "RGB", (8000, 4000), (200, 40, 30), speed=10), (201, 40, 30)),
    "a large WebP": (lambda: drawn("WEBP", "RGB", (8000, 4000), (200, 40, 30), method=0), (200, 43, 30)),
    "a giant WebP": (
        lambda: drawn("WEBP", "RGBA", (16000, 4990), (1, 2, 3, 4), lossless=True, quality=0, method=0, exact=True),
        (251, 251, 251),
    ),
    "grey of 32 bits": (lambda: drawn("TIFF", "I", (9000, 8000), compression="tiff_deflate"), (7, 7, 7)),
    "floats": (lambda: drawn("TIFF", "F", (9000, 8000), compression="tiff_deflate"), (7, 7, 7)),
    "a progressive JPEG in four colours": (
        lambda: drawn("JPEG", "CMYK", (9000, 8000), (1, 2, 3, 4), progressive=True),
        (250, 249, 248),
    ),
    "a TIFF of one giant strip": (lambda: silly_tiff(t278=(4, 1, 2**32 - 1)), (128, 128, 128)),
    "a TIFF of giant tiles": (lambda: silly_tiff(t322=(4, 1, 2**31), t323=(4, 1, 2**31)), (128, 128, 128)),
}


@pytest.mark.parametrize("name", READ)
def test_what_costs_much_is_read_within_bounds(decoders: Decoders, name: str) -> None:
    make, colour = READ[name]
    content, began = make(), time.monotonic()
    with peak_growth() as peak:
        square = decoders.decode(content, Order(square=224), DEFAULT_LIMITS).square
    assert square is not None
    assert np.abs(square.reshape(-1, 3).mean(axis=0) - colour).max() <= 3
    assert peak[0] < CAP
    assert time.monotonic() - began < SECONDS


REFUSED: dict[str, tuple[Callable[[], bytes], type[PictureError], str]] = {
    "a PNG without its pixels": (lambda: png_header(*GIANT), NotAPicture, "not a picture"),
    "a PNG above the cap": (lambda: giant_png((300_000, 280)), PictureTooLarge, "300000x280"),
    "a line of pixels": (lambda: giant_png((79_000_000, 1)), PictureTooLarge, "more than 640 MiB of memory"),
    "a WebP that claims to be giant": (webp_that_claims_to_be_giant, PictureDamaged, "is damaged"),
    "a TIFF of very many samples": (lambda: silly_tiff(t277=(3, 1, 65535)), NotAPicture, "not a picture"),
    "a TIFF without its pixels": (
        lambda: silly_tiff((9000, 8000), t279=(4, 1, 2**32 - 1)),
        PictureDamaged,
        "truncated",
    ),
    "a TIFF of giant tiles outside the file": (
        lambda: silly_tiff((9000, 8000), t322=(4, 1, 60000), t323=(4, 1, 60000), t324=(4, 1, 400), t325=(4, 1, 2400)),
        PictureDamaged,
        "truncated",
    ),
}
REFUSED |= {
    f"a TIFF that claims compression {method}": (
        lambda method=method: silly_tiff((9000, 8000), t259=(3, 1, method), t278=(4, 1, 2**32 - 1)),
        PictureDamaged,
        "is damaged",
    )
    for method in (2, 3, 4, 5, 7, 8)
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_costs_too_much_is_refused_within_bounds(decoders: Decoders, name: str) -> None:
    make, error, reason = REFUSED[name]
    content, began = make(), time.monotonic()
    with peak_growth() as peak, pytest.raises(error, match=reason) as refused:
        decoders.decode(content, Order(square=224), DEFAULT_LIMITS)
    assert "\n" not in str(refused.value)
    assert peak[0] < CAP
    assert time.monotonic() - began < SECONDS


def test_a_jpeg_of_very_many_scans_takes_a_few_seconds_of_the_processor() -> None:
    content = many_scans((1000, 1000), 20_000)
    began = sum(os.times()[2:4])
    with pytest.raises(PictureDamaged, match="takes too long to decode: more than 1 seconds"):
        Decoders(seconds=1.0).decode(content, Order(square=224), DEFAULT_LIMITS)
    assert sum(os.times()[2:4]) - began < 5


def test_a_tiff_with_tags_of_very_many_values_is_read_or_refused(decoders: Decoders) -> None:
    for number in range(254, 340):
        for kind in (1, 3, 4, 5, 12):
            content = silly_tiff(**{f"t{number}": (kind, 2**32 - 1, 8)})
            with suppress(NotAPicture, PictureDamaged, PictureTooLarge):
                decoders.decode(content, Order(square=8), DEFAULT_LIMITS)
