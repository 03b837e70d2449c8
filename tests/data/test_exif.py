"""What cameras write into files becomes readable text; odd values are left out."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

from data.errors import PictureError, PictureTooLarge
from data.exif import LONGEST, Exif, read_exif
from data.limits import Limits

T = ExifTags.Base


def shot(
    picture_format: str = "JPEG", plain: dict[int, Any] | None = None, inner: dict[int, Any] | None = None
) -> bytes:
    """A picture file with these EXIF entries, and a place that must not appear."""
    exif = Image.Exif()
    exif.update(plain or {})
    exif.get_ifd(ExifTags.IFD.Exif).update(inner or {})
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (47.0, 39.0, 0.0)})
    content = io.BytesIO()
    Image.new("RGB", (8, 6)).save(content, picture_format, exif=exif)
    return content.getvalue()


@pytest.mark.parametrize("picture_format", ["JPEG", "PNG", "WEBP", "HEIF", "AVIF"])
def test_a_camera_becomes_text(picture_format: str) -> None:
    content = shot(
        picture_format,
        {T.Make: "Canon", T.Model: "Canon EOS 5D\x00", T.DateTime: "2021:01:01 00:00:00"},
        {
            T.LensModel: "EF50mm f/1.8",
            T.ExposureTime: IFDRational(1, 250),
            T.FNumber: IFDRational(28, 10),
            T.ISOSpeedRatings: 400,
            T.FocalLength: IFDRational(50, 1),
            T.DateTimeOriginal: "2020:02:03 04:05:06",
        },
    )
    assert read_exif(content) == Exif(
        "Canon EOS 5D", "EF50mm f/1.8", "1/250 s", "f/2.8", "400", "50 mm", "2020-02-03T04:05:06"
    )


@pytest.mark.parametrize(
    ("make", "model", "camera"),
    [
        ("NIKON CORPORATION", "NIKON D70", "NIKON D70"),
        ("Apple", "iPhone 12", "Apple iPhone 12"),
        ("Leica", "", "Leica"),
    ],
)
def test_a_camera_is_named_once(make: str, model: str, camera: str) -> None:
    assert read_exif(shot(plain={T.Make: make, T.Model: model})).camera == camera


@pytest.mark.parametrize(("seconds", "words"), [((1, 3), "0.333 s"), ((30, 1), "30 s"), ((1, 8000), "1/8000 s")])
def test_exposures(seconds: tuple[int, int], words: str) -> None:
    assert read_exif(shot(inner={T.ExposureTime: IFDRational(*seconds)})).exposure == words


def test_what_is_odd_is_left_out() -> None:
    inner = {T.ExposureTime: IFDRational(1, 0), T.FNumber: IFDRational(0, 5), T.LensModel: "\x1b[31m" + "x" * 500}
    found = read_exif(shot(inner=inner))
    assert (found.exposure, found.aperture) == (None, None)
    assert found.lens is not None
    assert found.lens.isprintable()
    assert len(found.lens) == LONGEST


def test_a_picture_without_a_camera_says_nothing() -> None:
    content = io.BytesIO()
    Image.new("RGB", (8, 6)).save(content, "PNG")
    assert read_exif(content.getvalue()) == Exif()


def test_the_caps_hold() -> None:
    with pytest.raises(PictureTooLarge):
        read_exif(shot(), Limits(max_source_pixels=10))
    with pytest.raises(PictureTooLarge):
        read_exif(shot(), Limits(max_bytes=10))


@pytest.mark.filterwarnings("ignore::UserWarning")
@given(st.binary(min_size=1, max_size=40), st.integers(0, 400))
def test_a_broken_block_is_no_error(garbage: bytes, place: int) -> None:
    whole = shot(plain={T.Make: "Canon"}, inner={T.ExposureTime: IFDRational(1, 250)})
    start = whole.index(b"Exif\x00\x00") + 6 + place % 200
    try:
        found = read_exif(whole[:start] + garbage + whole[start + len(garbage) :])
    except PictureError:  # what follows the block was hit too
        return
    assert all(value is None or value.isprintable() for value in vars(found).values())
