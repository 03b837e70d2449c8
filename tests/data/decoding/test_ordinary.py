"""Which files are decoded in the process that indexes."""

from __future__ import annotations

import io
import struct
from typing import Any

import pytest
from PIL import Image

from data.decoding import ordinary
from data.decoding.ordinary import is_ordinary
from tests.data.decoding.hostile import many_scans, png_header


def encoded(picture_format: str, size: tuple[int, int] = (400, 300), mode: str = "RGB", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, picture_format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_an_ordinary_jpeg_is(mode: str, progressive: bool) -> None:
    assert is_ordinary(encoded("JPEG", mode=mode, progressive=progressive), 224)


def test_a_camera_s_file_is_where_it_is_reduced() -> None:
    content = encoded("JPEG", (4500, 3000))
    assert is_ordinary(content, 224)
    assert not is_ordinary(content, None)
    assert not is_ordinary(content, 2000)


def test_an_embedded_preview_counts_as_no_frame() -> None:
    tags = Image.Exif()
    tags[0x927C] = encoded("JPEG", (160, 120))
    assert is_ordinary(encoded("JPEG", exif=tags), 224)


def test_a_small_png_is_and_a_large_one_is_not() -> None:
    assert is_ordinary(encoded("PNG", mode="RGBA"), 224)
    assert not is_ordinary(png_header(10_000, 7_990), 224)


@pytest.mark.parametrize("picture_format", ["WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_other_formats_are_not(picture_format: str) -> None:
    assert not is_ordinary(encoded(picture_format), 224)


def test_a_progressive_jpeg_is_not_when_large_or_of_many_scans() -> None:
    assert not is_ordinary(encoded("JPEG", (3000, 3000), progressive=True), 224)
    assert not is_ordinary(many_scans((400, 300), 500), 224)


def test_a_baseline_jpeg_in_several_scans_counts_as_progressive() -> None:
    content = bytearray(encoded("JPEG", (4500, 3000)))
    scan = content.index(b"\xff\xda")
    content[scan + 4] = 1  # the first scan holds one component only
    assert not is_ordinary(bytes(content), 224)


def test_whatever_is_cut_or_changed_is_judged_without_an_error() -> None:
    content = encoded("JPEG")
    header = content.index(b"\xff\xda")
    assert not any(is_ordinary(content[:length], 224) for length in range(header))
    for position in range(2, header):
        for value in (0, 0xC2, 0xFF):
            assert is_ordinary(content[:position] + bytes([value]) + content[position + 1 :], 224) in (True, False)


@pytest.mark.parametrize("content", [b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"no picture"])
def test_no_picture_is_not(content: bytes) -> None:
    assert not is_ordinary(content, 224)


def test_a_huge_file_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordinary, "BYTES", 100)
    assert not is_ordinary(encoded("JPEG"), 224)


def test_two_frames_are_not() -> None:
    content = encoded("JPEG")
    start = content.index(b"\xff\xc0")
    (length,) = struct.unpack_from(">H", content, start + 2)
    frame = content[start : start + 2 + length]
    assert not is_ordinary(content[:start] + frame + content[start:], 224)
