"""Large WebP files are decoded at a reduced scale, cut ones as far as they go; the pixels are those of Pillow."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from data import webp
from data.decoding.orders import Job, Order
from data.decoding.pool import decode_bounded
from data.decoding.worker import estimate
from data.errors import PictureDamaged, PictureError, PictureTooLarge
from data.limits import DEFAULT_LIMITS
from data.pictures import decode
from data.webp import header, is_large_still, open_still

pytestmark = pytest.mark.skipif(webp._library() is None, reason="libwebp's functions are hidden here")


def noise(mode: str) -> Image.Image:
    bands = [Image.effect_noise((120, 90), 60) for _ in mode]
    return Image.merge(mode, bands)


def encoded(image: Image.Image, **options: object) -> bytes:
    content = io.BytesIO()
    image.save(content, "WEBP", **options)
    return content.getvalue()


def giant(size: tuple[int, int], lossless: bool = False) -> bytes:
    return encoded(Image.new("RGB", size, (200, 40, 30)), quality=10, method=0, lossless=lossless)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("lossless", [False, True])
def test_pixels_and_facts_are_those_of_pillow(mode: str, lossless: bool) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded(noise(mode), lossless=lossless, exact=True, exif=exif, icc_profile=b"p" * 200, xmp=b"<x/>")
    by_pillow, here = Image.open(io.BytesIO(content)), open_still(content)
    assert here is not None
    assert (here.mode, here.size, here.lossless) == (mode, (120, 90), lossless)
    assert {name: here.info[name] for name in ("exif", "icc_profile", "xmp")} == {
        name: by_pillow.info[name] for name in ("exif", "icc_profile", "xmp")
    }
    assert here.getexif()[0x0112] == 6
    np.testing.assert_array_equal(np.asarray(here), np.asarray(by_pillow))


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("lossless", [False, True])
def test_a_cut_file_is_read_as_far_as_it_goes(mode: str, lossless: bool) -> None:
    content = encoded(noise(mode), lossless=lossless, exact=True, quality=95)
    whole, cut = decode(content), decode(content[: len(content) * 3 // 4])
    (note,) = cut.notes
    assert note.startswith("is damaged or cut off: ")
    first, second = np.asarray(whole.image), np.asarray(cut.image)
    np.testing.assert_array_equal(first[:16], second[:16])
    assert not np.array_equal(first[-8:], second[-8:])
    with pytest.raises(PictureError):
        decode(content[:60])


def test_a_large_one_is_reduced_and_takes_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    content = giant((8_000, 6_000))
    picture = decode(content, min_side=160)
    assert (picture.width, picture.height, picture.image.size) == (8_000, 6_000, (213, 160))
    assert np.abs(np.asarray(picture.image, int) - (200, 40, 30)).max() <= 4
    assert estimate(Job(Order(square=160), DEFAULT_LIMITS, 1.0, content)).size < 160 * 2**20
    assert decode_bounded(content, Order(square=160)).square is not None
    monkeypatch.setattr(webp, "_library", lambda: None)
    assert not is_large_still(content)
    assert estimate(Job(Order(square=160), DEFAULT_LIMITS, 1.0, content)).size > 800 * 2**20


@pytest.mark.parametrize("lossless", [False, True])
def test_more_pixels_than_the_cap_are_read_reduced(lossless: bool) -> None:
    facts = decode_bounded(giant((16_000, 8_000), lossless), Order(square=160)).facts
    assert facts is not None
    assert (facts.width, facts.height) == (16_000, 8_000)


def test_headers_that_lie_do_no_harm() -> None:
    content = bytearray(encoded(noise("RGBA")))
    assert header(bytes(content))[1] == (120, 90)
    content[24:30] = struct.pack("<I", 16_382)[:3] * 2
    with pytest.raises((PictureDamaged, PictureTooLarge)):
        decode_bounded(bytes(content), Order(square=32))
    assert [open_still(one) for one in (b"", b"RIFF", bytes(content[:25]))] == [None] * 3
