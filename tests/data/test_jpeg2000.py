"""JPEG 2000: read whole or at a reduced scale, in its colours, and within the caps."""

from __future__ import annotations

import io
import struct
from datetime import datetime

import numpy as np
import pytest
from PIL import Image

from data.colour.profiles import PRIMARIES, Space, icc_profile
from data.decoding.orders import Job, Order
from data.decoding.pool import decode_bounded
from data.decoding.worker import estimate
from data.errors import NotAPicture, PictureDamaged, PictureTooLarge
from data.jpeg2000 import halvings, levels
from data.limits import DEFAULT_LIMITS
from data.pictures import decode
from tests.data.colour.test_srgb import COLOURS, bars, in_srgb
from tests.data.metadata.test_sidecars import PACKET
from tests.data.test_boxes import box

P3 = Space(PRIMARIES[12])


def jp2(image: Image.Image, **options: object) -> bytes:
    content = io.BytesIO()
    image.save(content, "JPEG2000", **options)
    return content.getvalue()


def with_box(content: bytes, body: bytes, kind: bytes = b"colr") -> bytes:
    """Put a box at the end of the header box of a JP2 file, in place of its own colour box."""
    start = content.index(b"jp2h") - 4
    end = start + int.from_bytes(content[start : start + 4], "big")
    colour = content.index(b"colr") - 4
    header = content[start + 8 : colour] + box(kind, body)
    return content[:start] + box(b"jp2h", header) + content[end:]


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("options", [{}, {"no_jp2": True}, {"tile_size": (64, 64)}])
def test_pixels_are_those_that_were_saved(mode: str, options: dict[str, object]) -> None:
    if mode == "I;16" and "tile_size" in options:
        pytest.skip("Pillow writes wrong tiles of 16 bits")
    source = bars("L" if mode == "I;16" else mode)
    image = Image.fromarray(np.asarray(source, np.uint16) * 257) if mode == "I;16" else source
    picture = decode(jp2(image, **options))
    assert (picture.format, picture.width, picture.height) == ("JPEG2000", 128, 64)
    np.testing.assert_array_equal(np.asarray(picture.image), np.asarray(source.convert("RGB")))


@pytest.mark.parametrize("size", [(1005, 777), (1001, 999), (643, 1027), (512, 512)])
@pytest.mark.parametrize("side", [30, 100, 300])
def test_a_reduced_picture_shows_the_same(size: tuple[int, int], side: int) -> None:
    image = Image.linear_gradient("L").convert("RGB").resize(size)
    picture = decode(jp2(image), min_side=side)
    assert (picture.width, picture.height) == size
    assert min(picture.image.size) >= side
    small, expected = (np.asarray(one.resize((8, 8), Image.Resampling.BOX), int) for one in (picture.image, image))
    assert np.abs(small - expected).max() <= 5


def test_only_scales_that_the_file_has_are_used() -> None:
    content = jp2(Image.new("L", (1024, 1024)), num_resolutions=3)
    assert (levels(content), levels(content[:60]), levels(b"")) == (2, 0, 0)
    assert [halvings(content, (1024, 1024), (least, least)) for least in (1024, 513, 512, 256, 1)] == [0, 0, 1, 2, 2]
    assert halvings(content, (1001, 1001), (1, 1)) == 1, "Pillow expects 250 pixels at 2, there are 251"


def test_a_large_one_costs_little_memory_when_it_is_reduced() -> None:
    content = jp2(Image.new("RGB", (2048, 2048)))
    whole, square = (estimate(Job(order, DEFAULT_LIMITS, 1.0, content)).size for order in (Order(), Order(square=160)))
    assert square < whole / 2
    assert decode_bounded(content, Order(square=160)).square is not None


def test_profiles_and_words_in_boxes_are_read() -> None:
    content = with_box(jp2(bars()), b"\2\0\0" + icc_profile(P3))
    content += box(
        b"uuid", bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + PACKET.format(date="2019", title="Sea").encode()
    )
    picture = decode(content)
    shown = np.asarray(picture.image)[32, 16::32].astype(int)
    assert np.abs(shown - in_srgb(P3, COLOURS)).max() <= 2
    assert [text for _, text in picture.metadata.texts] == ["Sea", "lake", "Places|Italy|Rome"]
    assert picture.metadata.taken_at is None or picture.metadata.taken_at == datetime(2019, 1, 1)


def test_what_is_too_large_cut_or_lies_is_refused_with_a_reason() -> None:
    content = jp2(Image.effect_noise((300, 200), 50))
    header, stream = content.index(b"ihdr") + 4, content.index(b"\xff\x4f\xff\x51")
    giant = content[:header] + struct.pack(">II", 60_000, 60_000) + content[header + 8 :]
    with pytest.raises(PictureTooLarge, match="60000x60000 pixels"):
        decode(giant)
    with pytest.raises(PictureDamaged, match="is damaged"):
        decode(content[: len(content) // 2])
    with pytest.raises(NotAPicture):
        decode(content[: header + 3])
    lying = content[: stream + 8] + struct.pack(">II", 30_000, 30_000) + content[stream + 16 :]
    with pytest.raises((PictureDamaged, PictureTooLarge)):
        decode_bounded(lying, Order(square=160))
