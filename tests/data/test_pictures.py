from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from unittest import mock

import numba
import numpy as np
import pytest
from PIL import ExifTags, Image, ImageFile

from data import loading
from data.errors import NotAPicture, PictureError, PictureTooLarge, PictureUnreadable, RetroflexError
from data.limits import Limits
from data.loading import SUFFIXES
from data.pictures import decode, read_bytes, square

Encode = Callable[..., bytes]

RED, GREEN, DARK = (255, 0, 0), (0, 255, 0), (0, 0, 0)


def corner_colours(image: Image.Image) -> list[tuple[int, ...]]:
    """The colours near the four corners (top left, top right, bottom left, bottom right), rounded to 0 or 255."""
    last_x, last_y = image.width - 4, image.height - 4
    pixels = np.asarray(image)
    corners = [pixels[y, x] for y, x in ((3, 3), (3, last_x), (last_y, 3), (last_y, last_x))]
    return [tuple(255 if value > 127 else 0 for value in corner) for corner in corners]


def exif(orientation: int | None = None, date: str | None = None) -> Image.Exif:
    tags = Image.Exif()
    tags[ExifTags.Base.Make] = "Maker"
    if orientation is not None:
        tags[ExifTags.Base.Orientation] = orientation
    if date is not None:
        tags.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = date
    return tags


def png_that_claims(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("picture_format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF"])
def test_each_format_decodes_to_rgb(encode: Encode, picture_format: str) -> None:
    picture = decode(encode(picture_format))
    assert picture.image.mode == "RGB"
    assert (picture.width, picture.height) == picture.image.size == (60, 40)
    assert picture.format == picture_format
    assert corner_colours(picture.image) == [RED, (0, 255, 0), RED, DARK]
    assert picture.metadata.taken_at is None


def test_every_suffix_is_lower_case_with_a_dot() -> None:
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in SUFFIXES)


@pytest.mark.parametrize(
    ("orientation", "corners", "turned"),
    [
        (1, [RED, GREEN, RED, DARK], False),
        (2, [GREEN, RED, DARK, RED], False),
        (3, [DARK, RED, GREEN, RED], False),
        (4, [RED, DARK, RED, GREEN], False),
        (5, [RED, RED, GREEN, DARK], True),
        (6, [RED, RED, DARK, GREEN], True),
        (7, [DARK, GREEN, RED, RED], True),
        (8, [GREEN, DARK, RED, RED], True),
    ],
)
@pytest.mark.parametrize("picture_format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_a_rotated_phone_picture_comes_upright(
    encode: Encode, picture_format: str, orientation: int, corners: list[tuple[int, ...]], turned: bool
) -> None:
    picture = decode(encode(picture_format, exif=exif(orientation)))
    assert corner_colours(picture.image) == corners
    assert (picture.width, picture.height) == picture.image.size == ((40, 60) if turned else (60, 40))


@pytest.mark.parametrize("size", [(1010, 1000), (1008, 1007), (800, 800)])
def test_a_reduced_sideways_jpeg_keeps_its_true_size(encode: Encode, size: tuple[int, int]) -> None:
    picture = decode(encode("JPEG", Image.new("RGB", size), exif=exif(6)), min_side=100)
    assert (picture.width, picture.height) == (size[1], size[0])
    assert 100 <= min(picture.image.size) < 300


def test_the_shorter_side_never_falls_below_min_side(encode: Encode) -> None:
    for side in (39, 40, 41, 200):
        assert min(decode(encode("JPEG"), min_side=side).image.size) == 40


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}], ids=str)
@pytest.mark.parametrize("picture_format", ["JPEG", "MPO"])
@pytest.mark.parametrize("side", [50, 51, 300])
def test_decoding_in_bulk_changes_nothing(
    encode: Encode, picture_format: str, options: dict[str, int], side: int
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (400, 600, 3), np.uint8)
    tags = exif(6, "2020:01:02 03:04:05")
    content = encode(picture_format, Image.fromarray(noise), exif=tags, **options)
    alone, bulk = (decode(content, min_side=side, bulk=bulk) for bulk in (False, True))
    np.testing.assert_array_equal(np.asarray(bulk.image), np.asarray(alone.image))
    assert replace(bulk, image=alone.image) == alone
    assert (bulk.width, bulk.height, bulk.metadata.taken_at) == (400, 600, datetime(2020, 1, 2, 3, 4, 5))


def test_decoding_in_bulk_does_not_compute_what_an_eighth_does_not_need(encode: Encode) -> None:
    with mock.patch.object(ImageFile.ImageFile, "load", side_effect=OSError("not to be called")):
        assert decode(encode("JPEG", Image.new("RGB", (400, 600))), min_side=50, bulk=True).image.size == (50, 75)


def test_decoding_in_bulk_works_where_compiled_code_cannot_be_kept(
    encode: Encode, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("data.jpeg.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr("numba.core.config.CACHE_LOCATOR_CLASSES", "ZipCacheLocator", raising=False)
    assert decode(encode("JPEG", Image.new("RGB", (400, 600))), min_side=50, bulk=True).image.size == (50, 75)


def test_decoding_in_bulk_works_where_numba_cannot_be_loaded(encode: Encode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "data.jpeg.eighth", None)
    assert decode(encode("JPEG", Image.new("RGB", (400, 600))), min_side=50, bulk=True).image.size == (50, 75)


def test_why_decoding_in_bulk_is_slow_is_logged_once(
    encode: Encode, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(loading, "_warned_types", set())
    monkeypatch.setitem(sys.modules, "data.jpeg.eighth", None)
    for _ in range(3):
        decode(encode("JPEG", Image.new("RGB", (400, 600))), min_side=50, bulk=True)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "decoded by Pillow, more slowly: the faster decoder failed: import of data.jpeg.eighth" in caplog.text


def test_decoding_in_bulk_works_where_numba_lost_an_option(encode: Encode, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("data.jpeg.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr("data.compiled.njit", lambda **options: numba.jit(no_such_option=True))
    assert decode(encode("JPEG", Image.new("RGB", (400, 600))), min_side=50, bulk=True).image.size == (50, 75)


def test_a_damaged_jpeg_in_bulk_has_the_usual_note(encode: Encode) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (600, 400, 3), np.uint8)
    content = encode("JPEG", Image.fromarray(noise))
    alone, bulk = (decode(content[: len(content) // 2], min_side=50, bulk=bulk) for bulk in (False, True))
    np.testing.assert_array_equal(np.asarray(bulk.image), np.asarray(alone.image))
    assert alone.notes == bulk.notes != ()


@pytest.mark.parametrize("value", [0, 9, 99])
def test_an_orientation_that_does_not_exist_is_ignored(encode: Encode, value: int) -> None:
    assert decode(encode("JPEG", exif=exif(value))).image.size == (60, 40)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_broken_exif_does_not_cost_the_picture(encode: Encode) -> None:
    content = bytearray(encode("JPEG", exif=exif(6, "2020:01:02 03:04:05")))
    start = content.index(b"Exif\0\0") + 6
    content[start + 4 : start + 8] = b"\xff\xff\xff\xf0"
    picture = decode(bytes(content))
    assert picture.image.size == (60, 40)
    assert picture.metadata.taken_at is None


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("2020:01:02 03:04:05", datetime(2020, 1, 2, 3, 4, 5)),
        ("0000:00:00 00:00:00", None),
        ("yesterday", None),
    ],
)
@pytest.mark.parametrize("picture_format", ["JPEG", "PNG"])
def test_the_date_of_the_photograph(encode: Encode, picture_format: str, date: str, expected: datetime | None) -> None:
    assert decode(encode(picture_format, exif=exif(date=date))).metadata.taken_at == expected


def test_a_cmyk_jpeg_keeps_its_colours(encode: Encode) -> None:
    cmyk = decode(encode("PNG")).image.convert("CMYK")
    assert corner_colours(decode(encode("JPEG", cmyk)).image) == [RED, GREEN, RED, DARK]


def test_sixteen_bit_png_is_scaled_not_clipped(encode: Encode) -> None:
    ramp = np.linspace(0, 65535, 256 * 4).astype(np.uint16).reshape(4, 256)
    grey = np.asarray(decode(encode("PNG", Image.fromarray(ramp))).image)[..., 0]
    assert np.abs(grey.astype(int) - ramp // 257).max() <= 1
    dark = np.full((4, 4), 200, np.uint16)
    assert np.asarray(decode(encode("PNG", Image.fromarray(dark))).image).max() == 1


@pytest.mark.parametrize("white", [1.0, 255.0, 65535.0, 1e6])
def test_float_tiff_is_scaled_by_its_range(encode: Encode, white: float) -> None:
    values = np.array([[0, white / 2], [white, np.nan]], np.float32)
    grey = np.asarray(decode(encode("TIFF", Image.fromarray(values))).image)[..., 0]
    assert grey.tolist() == [[0, 128], [255, 0]]


def test_thirty_two_bit_grey_may_hold_eight_bit_values(encode: Encode) -> None:
    grey = decode(encode("TIFF", Image.fromarray(np.array([[0, 200]], np.int32)))).image
    assert np.asarray(grey)[..., 0].tolist() == [[0, 200]]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_parts_become_white(encode: Encode, mode: str) -> None:
    clear = Image.new("RGBA", (8, 8), (10, 20, 30, 0)).convert(mode)
    assert decode(encode("PNG", clear)).image.getpixel((4, 4)) == (255, 255, 255)


@pytest.mark.parametrize("picture_format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_only_the_first_frame_of_an_animation_counts(encode: Encode, picture_format: str) -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue", "lime")]
    content = encode(picture_format, frames[0], save_all=True, append_images=frames[1:])
    assert corner_colours(decode(content).image) == [RED] * 4


@pytest.mark.parametrize("content", [b"hello, I am a text file called .jpg", b"\xff\xd8", b"P6 1 1 255\n\0\0\0"])
def test_what_is_no_picture_is_refused(content: bytes) -> None:
    with pytest.raises(NotAPicture, match="not a picture in a supported format"):
        decode(content)


def test_a_picture_of_an_unsupported_format_is_not_even_tried(encode: Encode) -> None:
    with pytest.raises(NotAPicture):
        decode(encode("EPS"))


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(NotAPicture, match="is empty"):
        read_bytes(tmp_path / "empty.jpg")
    with pytest.raises(NotAPicture, match="is empty"):
        decode(b"")


@pytest.mark.parametrize("side", [9_000, 50_000])
def test_a_decompression_bomb_is_refused_before_decoding(side: int) -> None:
    with pytest.raises(PictureTooLarge, match=f"{side}x{side} pixels, the cap is .*; set RETROFLEX_MAX_"):
        decode(png_that_claims(side, side))


def test_caps_on_bytes_and_pixels(encode: Encode, tmp_path: Path) -> None:
    content = encode("PNG")
    (tmp_path / "a.png").write_bytes(content)
    assert decode(content, Limits(max_bytes=len(content), max_pixels=2400)).width == 60
    with pytest.raises(PictureTooLarge, match="60x40 pixels, the cap is 2,399"):
        decode(content, Limits(max_pixels=2399))
    with pytest.raises(PictureTooLarge, match="bytes"):
        decode(content, Limits(max_bytes=len(content) - 1))
    with pytest.raises(PictureTooLarge, match="bytes"):
        read_bytes(tmp_path / "a.png", Limits(max_bytes=len(content) - 1))


def test_a_file_comes_back_byte_for_byte_by_an_odd_name(encode: Encode, tmp_path: Path) -> None:
    path = tmp_path / "new\nline \udcff.png"
    path.write_bytes(encode("PNG"))
    assert read_bytes(path) == encode("PNG")


@pytest.mark.parametrize(("cap", "allowed"), [(9, True), (8, False)])
def test_a_file_that_grows_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cap: int, allowed: bool
) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"123")
    before = path.stat()
    monkeypatch.setattr(Path, "stat", lambda *_, **__: before)
    path.write_bytes(b"123456789")
    if allowed:
        assert read_bytes(path, Limits(max_bytes=cap)) == b"123456789"
    else:
        with pytest.raises(PictureTooLarge, match="bytes"):
            read_bytes(path, Limits(max_bytes=cap))


def test_a_picture_without_read_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The superuser may read anything, so the refusal is simulated."""
    path = tmp_path / "a.jpg"
    path.write_bytes(b"x")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PictureUnreadable, match=r"^cannot be read: Permission denied$"):
        read_bytes(path)


@pytest.mark.parametrize("name", ["missing.jpg", "."])
def test_no_file_and_a_folder_cannot_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(PictureUnreadable, match="cannot be read"):
        read_bytes(tmp_path / name)


def test_every_refusal_is_an_error_for_users() -> None:
    assert issubclass(PictureError, RetroflexError)


def test_square_squeezes_the_whole_picture(encode: Encode) -> None:
    pixels = square(decode(encode("PNG")).image, 16)
    assert (pixels.shape, pixels.dtype) == ((16, 16, 3), np.uint8)
    assert pixels[1, 1].tolist() == [255, 0, 0]
    assert pixels[14, 14].tolist() == [0, 0, 0]
