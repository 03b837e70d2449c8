"""Large, damaged and unusual files: read as far as they go, or refused with a precise reason."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from data.errors import NotAPicture, PictureDamaged, PictureError, PictureTooLarge
from data.limits import Limits
from data.loading import SUFFIXES
from data.pictures import decode

Encode = Callable[..., bytes]
SMALL = Limits(max_pixels=130_000)
"""A cap on decoded pixels, so that a picture of 600 x 400 stands for one of 108 megapixels."""


@pytest.fixture(scope="module")
def noise() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(30, 226, (400, 600, 3), np.uint8))


def test_suffixes_are_those_of_the_decoders() -> None:
    usual = ".jpg .jpeg .jpe .jfif .mpo .png .apng .webp .gif .bmp .dib .tif .tiff"
    assert {*usual.split(), ".heic", ".heics", ".heif", ".heifs", ".hif", ".avif", ".avifs"} <= SUFFIXES


def test_no_other_suffixes_are_read() -> None:
    assert not SUFFIXES & {".psd", ".eps", ".pdf", ".mpg", ".tga", ".cr3", ".txt"}


@pytest.mark.parametrize("options", [{}, {"progressive": True}], ids=str)
@pytest.mark.parametrize("min_side", [None, 50, 100])
def test_a_jpeg_above_the_cap_is_read_at_a_reduced_size(
    encode: Encode, noise: Image.Image, options: dict, min_side: int | None
) -> None:
    picture = decode(encode("JPEG", noise, **options), SMALL, min_side)
    assert (picture.width, picture.height) == (600, 400)
    assert picture.image.width * picture.image.height <= SMALL.max_pixels
    assert min(picture.image.size) >= (min_side or 1)


def test_a_progressive_jpeg_counts_what_it_needs_in_memory(encode: Encode, noise: Image.Image) -> None:
    whole = encode("JPEG", noise, progressive=True, subsampling=0)
    with pytest.raises(PictureTooLarge, match=r"600x400 pixels and is progressive.*RETROFLEX_MAX_PIXELS"):
        decode(whole, SMALL, min_side=50)
    assert decode(encode("JPEG", noise, subsampling=0), SMALL, min_side=50).image.size == (75, 50)


@pytest.mark.parametrize(
    ("name", "options", "share"), [("JPEG", {}, 0.002), ("TIFF", {"compression": "tiff_lzw"}, 0.5)]
)
def test_a_file_that_ends_before_its_header_is_told_to_be_cut_off(
    encode: Encode, noise: Image.Image, name: str, options: dict, share: float
) -> None:
    whole = encode(name, noise, **options)
    with pytest.raises(PictureDamaged, match="is cut off: it ends before"):
        decode(whole[: int(len(whole) * share)])


def test_other_formats_above_the_cap_are_refused_with_the_setting(encode: Encode, noise: Image.Image) -> None:
    with pytest.raises(PictureTooLarge, match=r"600x400 pixels, the cap is 130,000; set RETROFLEX_MAX_PIXELS"):
        decode(encode("PNG", noise), SMALL, min_side=50)


def test_the_size_in_the_header_has_a_cap_too(encode: Encode, noise: Image.Image) -> None:
    with pytest.raises(PictureTooLarge, match=r"600x400 pixels.*RETROFLEX_MAX_SOURCE_PIXELS"):
        decode(encode("JPEG", noise), Limits(max_source_pixels=200_000), min_side=50)


def test_a_cap_above_that_of_pillow_has_an_effect(encode: Encode) -> None:
    content = encode("PNG", Image.new("1", (9_500, 9_500)))
    assert decode(content, Limits(max_pixels=100_000_000)).image.size == (9_500, 9_500)


@pytest.mark.parametrize("options", [{}, {"progressive": True}], ids=str)
@pytest.mark.parametrize("min_side", [None, 60])
def test_a_jpeg_without_its_end_marker_is_whole(
    encode: Encode, noise: Image.Image, options: dict, min_side: int | None
) -> None:
    content = encode("JPEG", noise, **options)
    whole, cut = decode(content, min_side=min_side), decode(content[:-2], min_side=min_side)
    np.testing.assert_array_equal(np.asarray(cut.image), np.asarray(whole.image))
    assert (whole.notes, cut.notes) == ((), ("lacks its end, but all of its rows can be read",))


@pytest.mark.parametrize("picture_format", ["JPEG", "PNG", "BMP", "TIFF", "GIF"])
def test_half_a_file_is_half_a_picture_and_grey(encode: Encode, noise: Image.Image, picture_format: str) -> None:
    content = encode(picture_format, noise, **({"interlace": 0} if picture_format == "GIF" else {}))
    whole, cut = decode(content), decode(content[: len(content) // 2])
    assert len(cut.notes) == 1
    assert "of its rows are missing" in cut.notes[0]
    pixels, right = np.asarray(cut.image), np.asarray(whole.image)
    if picture_format == "BMP":  # stored from the bottom up
        pixels, right = pixels[::-1], right[::-1]
    np.testing.assert_array_equal(pixels[:150], right[:150])
    if picture_format != "GIF":  # the grey of a palette need not exist
        assert (pixels[-150:] == 128).all()


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_half_a_progressive_jpeg_is_a_coarse_picture(encode: Encode, noise: Image.Image, share: float) -> None:
    content = encode("JPEG", noise.resize((60, 40)).resize((600, 400)), progressive=True)
    whole, cut = decode(content), decode(content[: int(len(content) * share)])
    difference = np.abs(np.asarray(whole.image, int) - np.asarray(cut.image, int))
    assert np.median(difference[:150]) < 25
    assert cut.notes


@pytest.mark.parametrize("picture_format", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "HEIF"])
@pytest.mark.parametrize("share", [0.05, 0.2, 0.5, 0.9, 0.99])
def test_a_cut_file_is_read_with_a_note_or_refused_in_one_line(
    encode: Encode, noise: Image.Image, picture_format: str, share: float
) -> None:
    content = encode(picture_format, noise.crop((0, 0, 120, 120)))
    try:
        picture = decode(content[: int(len(content) * share)])
    except PictureError as error:
        assert "\n" not in str(error)  # noqa: PT017
        return
    assert picture.image.size == (120, 120)
    assert picture.notes or picture_format in ("AVIF", "TIFF", "HEIF", "GIF")  # the rest was no pixels


def test_a_jpeg_of_which_nothing_can_be_decoded_is_refused(encode: Encode, noise: Image.Image) -> None:
    content = encode("JPEG", noise)
    scan = content.index(b"\xff\xda")
    with pytest.raises(PictureDamaged, match=r"is damaged: .*truncated"):
        decode(content[: scan + 14])


def test_an_ancillary_chunk_that_is_damaged_does_not_cost_a_png(encode: Encode, noise: Image.Image) -> None:
    content = bytearray(encode("PNG", noise, icc_profile=b"p" * 500))
    content[content.index(b"iCCP") + 8] ^= 0xFF  # its checksum is wrong now
    np.testing.assert_array_equal(np.asarray(decode(bytes(content)).image), np.asarray(noise))


def bitmap(
    bits: int, compression: int, pixels: bytes, masks: tuple[int, ...] = (), size: tuple[int, int] = (2, 1)
) -> bytes:
    header = 40 if not masks else 108
    body = struct.pack("<IiiHHIIiiII", header, *size, 1, bits, compression, len(pixels), 0, 0, 0, 0)
    body += struct.pack(f"<{len(masks)}I", *masks)
    body = body.ljust(header, b"\0")
    return struct.pack("<2sIHHI", b"BM", 14 + header + len(pixels), 0, 0, 14 + header) + body + pixels


BGRA = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)


@pytest.mark.parametrize(
    ("content", "colours"),
    [
        (bitmap(32, 0, bytes((10, 20, 30, 0, 40, 50, 60, 255))), [[30, 20, 10], [60, 50, 40]]),
        (bitmap(32, 3, bytes((10, 20, 30, 0, 40, 50, 60, 255)), BGRA), [[255, 255, 255], [60, 50, 40]]),
        (bitmap(32, 3, bytes((10, 20, 30, 0, 40, 50, 60, 0)), BGRA), [[30, 20, 10], [60, 50, 40]]),
    ],
    ids=["no alpha", "alpha", "alpha that nobody filled"],
)
def test_bitmaps_of_32_bits(content: bytes, colours: list[list[int]]) -> None:
    assert np.asarray(decode(content).image)[0].tolist() == colours
    assert np.asarray(decode(content[14:]).image)[0].tolist() == colours  # a DIB, without the file's header
    assert decode(content[14:]).format == "BMP"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (bitmap(32, 3, bytes(8), (0xF, 0xF0, 0xF00, 0)), "BMP, Unsupported BMP bitfields layout"),
        (bitmap(64, 0, bytes(16)), r"BMP, Unsupported BMP pixel depth \(64\)"),
        (b"\x89PNG\r\n\x1a\n" + bytes(20), "PNG, "),
    ],
)
def test_an_unsupported_layout_has_a_precise_reason(content: bytes, reason: str) -> None:
    with pytest.raises(NotAPicture, match=f"not a picture in a supported format: {reason}"):
        decode(content)


def test_a_tiff_of_another_layout_has_a_precise_reason(encode: Encode) -> None:
    content = bytearray(encode("TIFF", Image.new("RGB", (4, 4))))
    tags, (count,) = content, struct.unpack_from("<H", content, struct.unpack_from("<I", content, 4)[0])
    start = struct.unpack_from("<I", content, 4)[0] + 2
    for entry in range(start, start + 12 * count, 12):
        if struct.unpack_from("<H", tags, entry)[0] == 262:
            struct.pack_into("<H", tags, entry + 8, 9)  # ICCLab
    with pytest.raises(NotAPicture, match=r"TIFF, unknown pixel mode \(photometric 9, 3 x 8 bits, whole numbers\)"):
        decode(bytes(content))


def test_libtiff_writes_nothing_to_the_terminal(encode: Encode, noise: Image.Image) -> None:
    content = bytearray(encode("TIFF", noise, compression="tiff_lzw"))
    content[len(content) // 3 : len(content) // 3 + 40] = b"\xff" * 40
    program = "import sys; from data.pictures import decode; print(decode(sys.stdin.buffer.read()).notes)"
    done = subprocess.run([sys.executable, "-c", program], input=bytes(content), capture_output=True, check=True)
    assert b"rows are missing" in done.stdout
    assert done.stderr == b""


def png_of(depth: int, colour: int, rows: bytes, *chunks: tuple[bytes, bytes], size: tuple[int, int] = (2, 1)) -> bytes:
    every = [(b"IHDR", struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0)), *chunks]
    every += [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    pieces = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in every
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(pieces)


@pytest.mark.parametrize(
    ("content", "colours"),
    [
        (png_of(8, 0, b"\0\x0a\x64", (b"tRNS", b"\0\x64")), [10, 255]),
        (png_of(16, 0, b"\0\x0a\x00\x64\x01", (b"tRNS", b"\x64\x01")), [10, 255]),
        (png_of(16, 0, b"\0\x0a\x00\x64\x02", (b"tRNS", b"\x64\x01")), [10, 100]),
        (png_of(2, 0, b"\0\x70", (b"tRNS", b"\0\x01")), [255, 255]),
        (png_of(16, 2, b"\0" + b"\x0a\0" * 3 + b"\x64\x01" * 3, (b"tRNS", b"\x64\x01" * 3)), [10, 255]),
        (png_of(16, 4, b"\0" + b"\x0a\0\xff\xff" + b"\0\0\x80\0"), [10, 127]),
        (png_of(8, 3, b"\0\0\1", (b"PLTE", b"\x0a\x0a\x0a\0\0\0"), (b"tRNS", b"\xff\x80")), [10, 127]),
    ],
    ids=["grey", "16-bit grey", "16-bit grey, nearly", "2-bit grey", "16-bit colour", "16-bit alpha", "palette"],
)
def test_what_a_png_calls_transparent_becomes_white(content: bytes, colours: list[int]) -> None:
    if content[24] == 2:
        assert np.asarray(decode(content).image)[0].tolist() == [[255, 255, 255], [255, 255, 255]]
    else:
        assert np.asarray(decode(content).image)[0, :, 0].tolist() == colours


def test_pixels_are_decoded_by_several_threads_at_once(encode: Encode, noise: Image.Image) -> None:
    from concurrent.futures import ThreadPoolExecutor

    whole = encode("JPEG", noise)
    with ThreadPoolExecutor(4) as pool:
        notes = list(pool.map(lambda number: decode(whole[: -2 if number % 2 else None]).notes, range(40)))
    assert [bool(note) for note in notes] == [bool(number % 2) for number in range(40)]
