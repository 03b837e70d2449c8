"""True colours: what a file says of its colours reaches the decoded pixels, whatever the format says it with."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from data.colour import srgb
from data.colour.profiles import ADOBE_RGB, BT709, PRIMARIES, Space, _to_d50, icc_profile
from data.pictures import decode

Encode = Callable[..., bytes]
P3 = Space(PRIMARIES[12])
BT2020 = Space(PRIMARIES[9])
COLOURS = [(200, 60, 60), (140, 190, 100), (70, 70, 200), (190, 190, 40)]
"""Bars inside of sRGB when they are read as Display P3, Adobe RGB or BT.2020."""
PIL_RGB = ("JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF")
LOSSLESS = {
    "JPEG": {"quality": 100, "subsampling": 0},
    "WEBP": {"lossless": True},
    "HEIF": {"quality": -1, "chroma": 444},
    "AVIF": {"quality": 100, "subsampling": "4:4:4"},
}


def bars(mode: str = "RGB") -> Image.Image:
    pixels = np.repeat(np.array(COLOURS, np.uint8)[None], 64, 0).repeat(32, 1)
    return Image.fromarray(pixels).convert(mode)


def colours_of(content: bytes, **options: int) -> np.ndarray:
    """The decoded colours of the bars, (4, 3)."""
    image = decode(content, **options).image
    return np.asarray(image)[image.height // 2, [image.width * (2 * bar + 1) // 8 for bar in range(4)]].astype(int)


def in_srgb(space: Space, colours: list[tuple[int, ...]] = COLOURS) -> np.ndarray:
    """The right colours by the formulas of IEC 61966-2-1, without littleCMS; for the white of sRGB."""

    def matrix(primaries: tuple[float, ...]) -> np.ndarray:
        white, *rest = (np.array([x / y, 1, (1 - x - y) / y]) for x, y in np.array(primaries).reshape(4, 2))
        columns = np.array(rest).T
        return columns * np.linalg.solve(columns, white)

    values = np.array(colours) / 255
    srgb_curve = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    light = srgb_curve if space.gamma is None else values**space.gamma
    light = np.clip(light @ (np.linalg.inv(matrix(BT709)) @ matrix(space.primaries)).T, 0, 1)
    return (255 * np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)).round().astype(int)


def png_with(content: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """Put chunks behind the header of a PNG file."""
    pieces = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    return content[:33] + b"".join(pieces) + content[33:]


CICP_P3, CICP_2020 = (b"cICP", bytes((12, 13, 0, 1))), (b"cICP", bytes((9, 13, 0, 1)))
ICCP_2020 = (b"iCCP", b"p\0\0" + zlib.compress(icc_profile(BT2020)))
SRGB_CHUNK = (b"sRGB", b"\0")
GAMMA_1 = (b"gAMA", struct.pack(">I", 100_000))
GAMMA_1_8 = (b"gAMA", struct.pack(">I", 55_556))
CHROMATICITIES_P3 = (b"cHRM", struct.pack(">8I", *(round(value * 100_000) for value in PRIMARIES[12])))


@pytest.mark.parametrize("space", [P3, ADOBE_RGB, BT2020], ids=["Display P3", "Adobe RGB", "BT.2020"])
@pytest.mark.parametrize("picture_format", PIL_RGB)
def test_a_profile_is_applied_in_each_format(encode: Encode, picture_format: str, space: Space) -> None:
    content = encode(picture_format, bars(), icc_profile=icc_profile(space), **LOSSLESS.get(picture_format, {}))
    np.testing.assert_allclose(colours_of(content), in_srgb(space), atol=4)
    assert decode(content).notes == ()
    assert decode(content).image.info == {}


@pytest.mark.parametrize("picture_format", ["JPEG", "PNG"])
def test_a_profile_by_a_table_is_applied(encode: Encode, picture_format: str) -> None:
    """A profile of an input device, as scanners write it, that says of sRGB that red is green and green is red."""
    corners = np.stack(np.meshgrid(*[[0, 1]] * 3, indexing="ij"), -1).reshape(-1, 3)
    linear = corners[:, [1, 0, 2]] @ _to_d50(BT709).T
    table = (linear * 32768).round().astype(">u2").tobytes()
    values = np.linspace(0, 1, 4096)
    light = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    inputs = (light * 65535).round().astype(">u2").tobytes() * 3
    identity = struct.pack(">9i", *(65536 * one for one in (1, 0, 0, 0, 1, 0, 0, 0, 1)))
    lut = b"mft2\0\0\0\0" + bytes((3, 3, 2, 0)) + identity
    lut += struct.pack(">HH", 4096, 2) + inputs + table + struct.pack(">2H", 0, 65535) * 3
    profile = table_profile(b"scnr", b"RGB ", b"XYZ ", lut)
    content = encode(picture_format, bars(), icc_profile=profile, **LOSSLESS.get(picture_format, {}))
    np.testing.assert_allclose(colours_of(content), np.array(COLOURS)[:, [1, 0, 2]], atol=4)
    assert decode(content).notes == ()


def test_the_faster_decoder_applies_it_too(encode: Encode) -> None:
    content = encode("JPEG", bars().resize((1280, 640), 0), icc_profile=icc_profile(P3))
    alone, bulk = (decode(content, min_side=80, bulk=bulk).image for bulk in (False, True))
    assert alone.size == (160, 80)
    np.testing.assert_array_equal(np.asarray(alone), np.asarray(bulk))
    np.testing.assert_allclose(colours_of(content, min_side=80), in_srgb(P3), atol=6)


def test_a_profile_of_srgb_changes_and_converts_nothing(encode: Encode) -> None:
    for profile in (ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), icc_profile(Space(BT709))):
        assert colours_of(encode("PNG", bars(), icc_profile=profile)).tolist() == [list(one) for one in COLOURS]
        assert srgb._transform(profile, "RGB")[0].transform is None


@pytest.mark.parametrize(
    ("chunks", "space"),
    [
        ([CICP_P3], P3),
        ([CICP_P3, ICCP_2020], P3),
        ([CICP_P3, SRGB_CHUNK], P3),
        ([(b"cICP", bytes((1, 13, 0, 1))), ICCP_2020], None),
        ([(b"cICP", bytes((77, 13, 0, 1))), ICCP_2020], BT2020),
        ([ICCP_2020, SRGB_CHUNK], BT2020),
        ([SRGB_CHUNK, GAMMA_1], None),
        ([GAMMA_1], Space(BT709, gamma=1.0)),
        ([GAMMA_1_8], Space(BT709, gamma=1.8)),
        ([(b"gAMA", struct.pack(">I", 45_455))], None),
        ([CHROMATICITIES_P3, (b"gAMA", struct.pack(">I", 45_455))], Space(PRIMARIES[12], gamma=2.2)),
        ([CHROMATICITIES_P3], P3),
    ],
)
def test_the_chunks_of_png_in_their_order(encode: Encode, chunks: list, space: Space | None) -> None:
    expected = COLOURS if space is None else in_srgb(space)
    np.testing.assert_allclose(colours_of(png_with(encode("PNG", bars()), *chunks)), expected, atol=2)


@pytest.mark.parametrize("mode", ["P", "RGBA"])
def test_palettes_and_alpha_have_true_colours(encode: Encode, mode: str) -> None:
    image = bars("RGBA") if mode == "RGBA" else bars().quantize(4)
    if mode == "RGBA":
        image.putalpha(Image.linear_gradient("L").resize(image.size).point(lambda value: 255 * (value > 100)))
    content = encode("PNG", image, icc_profile=icc_profile(P3))
    np.testing.assert_allclose(colours_of(content), in_srgb(P3), atol=2)
    if mode == "RGBA":
        assert decode(content).image.getpixel((3, 3)) == (255, 255, 255)


def test_half_transparent_colours_are_converted_before_they_are_mixed_with_white(encode: Encode) -> None:
    image = bars("RGBA")
    image.putalpha(128)
    content = encode("PNG", image, icc_profile=icc_profile(P3))
    np.testing.assert_allclose(colours_of(content), (in_srgb(P3) * 128 + 255 * 127) / 255, atol=2)


@pytest.mark.parametrize("bits", [8, 16])
def test_grey_profiles(encode: Encode, bits: int) -> None:
    values = np.array([[0, 16, 64, 128, 255]], np.uint16)
    grey = Image.fromarray(values.astype(np.uint8) if bits == 8 else values * 257)
    light = values[0] / 255
    expected = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055) * 255
    for picture_format in ("PNG", "TIFF"):
        content = encode(picture_format, grey, icc_profile=icc_profile(Space(BT709, gamma=1.0), grey=True))
        np.testing.assert_allclose(np.asarray(decode(content).image)[0, :, 1], expected, atol=1)


def test_16_bits_of_linear_grey_keep_their_dark_steps(encode: Encode) -> None:
    ramp = np.linspace(0, 655, 50).astype(np.uint16)[None]  # the darkest hundredth: one or two steps of 8 bits
    pixels = np.asarray(decode(png_with(encode("PNG", Image.fromarray(ramp)), GAMMA_1)).image)[0, :, 0]
    assert len(np.unique(pixels)) > 20
    assert pixels[-1] == pytest.approx(25, abs=1)


def table_profile(device: bytes, colours: bytes, connection: bytes, table: bytes) -> bytes:
    """A profile (version 2) of a class of devices whose `table` leads from `colours` to the connection space."""
    tags = {b"A2B0": table + bytes(-len(table) % 4), b"wtpt": b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)}
    begin, body, index = 132 + 12 * len(tags), b"", struct.pack(">I", len(tags))
    for name, content in tags.items():
        index, body = index + name + struct.pack(">II", begin + len(body), len(content)), body + content
    header = struct.pack(">I4xI4s4s4s12x4s", begin + len(body), 0x02400000, device, colours, connection, b"acsp")
    return (header.ljust(68, b"\0") + struct.pack(">3i", 63190, 65536, 54061)).ljust(128, b"\0") + index + body


def cmyk_profile() -> bytes:
    """An output profile whose colours are Lab with lightness 100 less all inks: a table of two points an ink."""
    table = b"".join(
        struct.pack(">3B", max(0, 255 - 85 * (c + m + y + 3 * k)), 128 + 40 * (m - c), 128 + 40 * (y - m))
        for c in (0, 1) for m in (0, 1) for y in (0, 1) for k in (0, 1)
    )  # fmt: skip
    ramp = bytes(range(256))
    lut = (
        b"mft1\0\0\0\0"
        + bytes((4, 3, 2, 0))
        + struct.pack(">9i", *(65536 * one for one in (1, 0, 0, 0, 1, 0, 0, 0, 1)))
    )
    lut += ramp * 4 + table + ramp * 3
    return table_profile(b"prtr", b"CMYK", b"Lab ", lut)


@pytest.mark.parametrize("picture_format", ["JPEG", "TIFF"])
def test_cmyk_profiles(encode: Encode, picture_format: str) -> None:
    inks = Image.new("CMYK", (16, 16), (0, 0, 0, 128))
    expected = ImageCms.profileToProfile(
        inks, ImageCms.ImageCmsProfile(io.BytesIO(cmyk_profile())), ImageCms.createProfile("sRGB"), outputMode="RGB"
    )
    content = encode(picture_format, inks, icc_profile=cmyk_profile(), **LOSSLESS.get(picture_format, {}))
    assert expected is not None
    np.testing.assert_allclose(decode(content).image.getpixel((8, 8)), expected.getpixel((8, 8)), atol=4)
    assert decode(content).notes == ()


def test_lab_tiff(encode: Encode) -> None:
    lab = ImageCms.profileToProfile(
        bars(), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    np.testing.assert_allclose(colours_of(encode("TIFF", lab)), COLOURS, atol=5)


@pytest.mark.parametrize(
    ("profile", "mode"),
    [
        (b"\0" * 200, "RGB"),
        (b"not a profile", "RGB"),
        (icc_profile(P3)[:300], "RGB"),
        (cmyk_profile(), "RGB"),
        (icc_profile(Space(BT709, gamma=1.0), grey=True), "RGB"),
        (icc_profile(P3), "CMYK"),
        (icc_profile(P3)[:132] + b"\xff" * 400, "RGB"),
        (icc_profile(Space(BT709, gamma=5000.0)), "RGB"),
    ],
    ids=["zeros", "text", "cut", "CMYK for RGB", "grey for RGB", "RGB for CMYK", "tags", "black"],
)
@pytest.mark.parametrize("picture_format", ["JPEG", "TIFF"])
def test_a_profile_that_cannot_be_used_leaves_srgb_and_a_note(
    encode: Encode, picture_format: str, profile: bytes, mode: str
) -> None:
    plain, marked = (encode(picture_format, bars(mode), icc_profile=one) for one in (b"", profile))
    assert colours_of(marked).tolist() == colours_of(plain).tolist()
    (note,) = decode(marked).notes
    assert "read as sRGB" in note


def test_broken_chunks_of_png_leave_srgb_and_a_note(encode: Encode) -> None:
    for chunk in (
        (b"iCCP", b"p\0\0garbage"),
        (b"gAMA", bytes(4)),
        (b"cHRM", bytes(32)),
        (b"cICP", bytes((77, 99, 0, 1))),
    ):
        picture = decode(png_with(encode("PNG", bars()), chunk))
        assert picture.image.getpixel((16, 8)) == COLOURS[0]
        assert picture.notes or chunk[0] == b"cICP"


@pytest.mark.parametrize(
    ("colour_space", "index", "space"),
    [(65535, "R03", ADOBE_RGB), (2, None, ADOBE_RGB), (1, "R98", None), (65535, None, None), (1, "R03", None)],
)
def test_adobe_rgb_by_exif(encode: Encode, colour_space: int, index: str | None, space: Space | None) -> None:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ColorSpace] = colour_space
    if index:
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.IFD.Interop] = {ExifTags.Interop.InteropIndex: index}
    content = encode("JPEG", bars(), exif=exif, **LOSSLESS["JPEG"])
    np.testing.assert_allclose(colours_of(content), COLOURS if space is None else in_srgb(space), atol=4)


def nclx(content: bytes, primaries: int, transfer: int) -> bytes:
    """Change the code points of a HEIF or AVIF file."""
    place = content.index(b"colrnclx") + 8
    return content[:place] + struct.pack(">HH", primaries, transfer) + content[place + 4 :]


@pytest.mark.parametrize("picture_format", ["HEIF", "AVIF"])
@pytest.mark.parametrize(
    ("numbers", "space"),
    [
        ((12, 13), P3),
        ((9, 13), BT2020),
        ((1, 13), None),
        ((1, 1), None),
        ((2, 2), None),
        ((9, 4), Space(PRIMARIES[9], gamma=2.2)),
    ],
)
def test_the_numbers_of_heif_and_avif(encode: Encode, picture_format: str, numbers: tuple, space: Space | None) -> None:
    content = nclx(encode(picture_format, bars(), **LOSSLESS[picture_format]), *numbers)
    np.testing.assert_allclose(colours_of(content), COLOURS if space is None else in_srgb(space), atol=5)


@pytest.mark.parametrize("picture_format", ["HEIF", "AVIF"])
@pytest.mark.parametrize(("transfer", "name", "white"), [(16, "PQ", 148), (18, "HLG", 191)])
def test_high_dynamic_range_is_reduced_with_a_note(
    encode: Encode, picture_format: str, transfer: int, name: str, white: int
) -> None:
    """`white` is paper white, 203 candela per square metre."""
    ramp = np.array([[0, 64, white, 255]], np.uint8).repeat(64, 0).repeat(32, 1)
    content = nclx(
        encode(picture_format, Image.fromarray(ramp).convert("RGB"), **LOSSLESS[picture_format]), 9, transfer
    )
    black, dark, paper, bright = colours_of(content)[:, 0]
    assert black <= 2 < dark < 128 < 225 < paper < 250 < bright
    assert name in decode(content).notes[0]


def test_a_bitmap_of_version_5_has_a_profile() -> None:
    profile, pixels = icc_profile(P3), np.asarray(bars())[::-1, :, ::-1].tobytes()
    header = struct.pack("<IiiHHIIiiII", 124, 128, 64, 1, 24, 0, len(pixels), 0, 0, 0, 0).ljust(56, b"\0")
    header += b"DEBM" + bytes(52) + struct.pack("<III", 124 + len(pixels), len(profile), 0)
    content = struct.pack("<2sIHHI", b"BM", 0, 0, 0, 14 + 124) + header + pixels + profile
    np.testing.assert_allclose(colours_of(content), in_srgb(P3), atol=2)


def test_negatives_and_32_bits_of_grey(encode: Encode) -> None:
    values = np.array([[0, 65535]], np.uint16)
    negative = encode("TIFF", Image.fromarray(values), tiffinfo={262: 0})
    assert np.asarray(decode(negative).image)[0, :, 0].tolist() == [255, 0]
    unsigned = encode("TIFF", Image.fromarray(np.array([[0, 2**31, 2**32 - 1]], np.uint32).view(np.int32)))
    place = unsigned.index(struct.pack("<HHIH", 339, 3, 1, 2)) + 8  # Pillow writes them as signed numbers
    assert np.asarray(decode(unsigned[:place] + b"\1" + unsigned[place + 1 :]).image)[0, :, 0].tolist() == [0, 128, 255]


def tiff(tags: dict[int, tuple[int, ...]], pixels: bytes) -> bytes:
    """A TIFF of whole numbers as tags: SHORT, or LONG where they need it."""
    entries, body, begin = b"", b"", 8 + 2 + 12 * (len(tags) + 1) + 4
    extra = {273: tuple(begin + 600 + offset for offset in tags[273])}
    for tag, values in sorted((tags | extra).items()):
        content = struct.pack(f"<{len(values)}H", *values)
        if len(content) > 4:
            content, body = struct.pack("<I", begin + len(body)), body + content
        entries += struct.pack("<HHI", tag, 3, len(values)) + content.ljust(4, b"\0")
    head = struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries + bytes(4)
    return head.ljust(begin, b"\0") + body.ljust(600, b"\0") + pixels


def test_planes_of_16_bits() -> None:
    planes = np.asarray(bars()).transpose(2, 0, 1).astype("<u2") * 257
    size = planes[0].nbytes
    tags = {256: (128,), 257: (64,), 258: (16,) * 3, 259: (1,), 262: (2,), 277: (3,), 278: (64,), 284: (2,)}
    tags |= {273: (0, size, 2 * size), 279: (size,) * 3}
    assert colours_of(tiff(tags, planes.tobytes())).tolist() == [list(one) for one in COLOURS]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "CMYK", "L", "I;16", "F"])
def test_a_picture_that_is_converted_in_tiles_is_the_same(
    encode: Encode, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    if mode in ("I;16", "F"):
        image = Image.fromarray(
            (random.random((101, 67)) * (65535 if mode == "I;16" else 1)).astype(
                np.uint16 if mode == "I;16" else np.float32
            )
        )
    else:
        image = Image.fromarray(random.integers(0, 256, (101, 67, 4), np.uint8)).convert(mode)
    options = {"icc_profile": icc_profile(P3)} if mode in ("RGB", "RGBA") else {}
    content = encode("TIFF", image, **options)
    monkeypatch.setattr(srgb, "REDUCED_FROM", 0)
    whole = [np.asarray(decode(content, min_side=side).image) for side in (None, 10)]
    monkeypatch.setattr(srgb, "TILE_PIXELS", 30 * 13)
    monkeypatch.setattr(srgb, "TILE_WIDTH", 30)
    for side, expected in zip((None, 10), whole, strict=True):
        np.testing.assert_array_equal(np.asarray(decode(content, min_side=side).image), expected)
