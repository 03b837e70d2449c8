"""What is ordered of a picture, made here or in a child, is the same."""

from __future__ import annotations

import io
from datetime import datetime

import numpy as np
import pytest
from PIL import ExifTags, Image

from data.decoding.orders import Decoded, Job, Order, Part, Webp, make, shrink
from data.exif import Exif
from data.limits import DEFAULT_LIMITS, Limits
from data.metadata.embedded import Metadata
from data.pictures import PictureFacts
from data.records import PictureText


def photograph() -> bytes:
    tags = Image.Exif()
    tags[ExifTags.Base.ImageDescription] = "A boat"
    tags[ExifTags.Base.Make], tags[ExifTags.Base.Model] = "Canon", "EOS 5D"
    tags.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2019:05:04 10:11:12"
    buffer = io.BytesIO()
    Image.new("RGB", (640, 480), (200, 40, 30)).save(buffer, "JPEG", exif=tags)
    return buffer.getvalue()


def test_a_square_and_a_webp_come_with_the_facts() -> None:
    made = make(photograph(), Order(64, Webp(100, 200, quality=80)), DEFAULT_LIMITS)
    metadata = Metadata(datetime(2019, 5, 4, 10, 11, 12), "original", (PictureText("description", "A boat"),))
    assert made.facts == PictureFacts(width=640, height=480, format="JPEG", metadata=metadata)
    assert made.square is not None
    assert made.square.shape == (64, 64, 3)
    assert np.abs(made.square.astype(int) - (200, 40, 30)).max() <= 3
    with Image.open(io.BytesIO(made.webp)) as small:
        assert (small.format, small.size) == ("WEBP", (133, 100))
    assert made.exif is None


def test_exif_comes_alone() -> None:
    made = make(photograph(), Order(exif=True), DEFAULT_LIMITS)
    assert made == Decoded(exif=Exif(camera="Canon EOS 5D", taken_at="2019-05-04T10:11:12"))


@pytest.mark.parametrize("order", [Order(64, Webp(100, 200, 80)), Order(64), Order(webp=Webp(100, 200, 80))])
def test_all_of_it_travels(order: Order) -> None:
    made = make(photograph(), order, DEFAULT_LIMITS)
    arrived = Decoded.from_messages(made.to_messages(), order.square)
    assert (arrived.facts, arrived.webp, arrived.exif) == (made.facts, made.webp, None)
    assert np.array_equal(arrived.square, made.square) if order.square else arrived.square is None
    job = Job(order, Limits(5, 6), 1.5, b"content")
    assert Job.from_messages(*job.to_messages()) == job


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1600, 1200), (427, 320)), ((600, 1200), (320, 640)), ((100, 80), (100, 80)), ((9600, 320), (960, 32))],
)
def test_the_shorter_side_is_shrunk_and_never_enlarged(size: tuple[int, int], expected: tuple[int, int]) -> None:
    small = Image.open(io.BytesIO(shrink(Image.new("RGB", size), Webp(320, 960, quality=82))))
    assert (small.size, small.format) == (expected, "WEBP")


def test_a_line_of_pixels_keeps_one() -> None:
    assert Image.open(io.BytesIO(shrink(Image.new("RGB", (5000, 1)), Webp(320, 960, 82)))).size == (960, 1)


@pytest.mark.parametrize("part", [(0.5, 0.0, 1.0, 1.0), (0.75, 0.25, 0.7500001, 0.2500001), (0.98, 0.98, 1.0, 1.0)])
def test_of_a_part_all_that_shows_the_picture_shows_only_that(part: Part) -> None:
    image = Image.new("RGB", (640, 480), (0, 0, 255))
    image.paste((255, 0, 0), (320, 0, 640, 480))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    made = make(buffer.getvalue(), Order(16, Webp(64, 64, 90), within=64, part=part), DEFAULT_LIMITS)
    assert made.facts is not None
    assert (made.facts.width, made.facts.height) == (640, 480)
    for pixels in (made.square, made.pixels, np.asarray(Image.open(io.BytesIO(made.webp)))):
        assert pixels is not None
        assert np.abs(pixels.reshape(-1, 3).astype(int) - (255, 0, 0)).max() <= 8


def test_a_part_is_decoded_larger_so_that_it_has_pixels_enough() -> None:
    assert Order(64, part=(0.0, 0.0, 0.25, 0.5)).min_side == 256
    assert Order(64).min_side == 64
