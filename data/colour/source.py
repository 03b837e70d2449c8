"""Which colour space the pixels of a file are in: what the file says, in the order of each format's specification."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from PIL import ExifTags, Image

from data import boxes, jpeg2000, png
from data.colour.profiles import ADOBE_RGB, HLG, PQ, PRIMARIES, TRANSFERS, Space

MAX_PROFILE_BYTES = 16 * 2**20
BROKEN = "its colour profile cannot be used, so its colours are read as sRGB"
_EXIF_ADOBE, _EXIF_UNCALIBRATED = 2, 65535


@dataclass(frozen=True)
class Source:
    """An ICC profile or a space by numbers, None for sRGB; `notes` say what could not be used."""

    space: bytes | Space | None = None
    notes: tuple[str, ...] = ()


def colour_source(image: Image.Image, content: bytes) -> Source:
    """Return what a decoded file says of its colours; `content` is the whole file."""
    numbers = _png_cicp(content) if image.format == "PNG" else None
    if numbers is not None and numbers[0] in PRIMARIES and numbers[1] in TRANSFERS:
        return by_numbers(*numbers)
    profile = _embedded_profile(image, content)
    if isinstance(profile, bytes) and 128 <= len(profile) <= MAX_PROFILE_BYTES:
        return Source(profile)
    further = _without_profile(image, content)
    return further if profile is None else Source(further.space, (BROKEN, *further.notes))


def _embedded_profile(image: Image.Image, content: bytes) -> object:
    """Return the ICC profile; False stands for one that Pillow could not read, None for none."""
    if image.format in ("BMP", "DIB"):
        return _bmp_profile(content)
    if image.format == "JPEG2000":
        return jpeg2000.profile(content)
    return image.info["icc_profile"] or False if "icc_profile" in image.info else None


def _without_profile(image: Image.Image, content: bytes) -> Source:
    if image.format == "PNG" and (source := _png_gamma(image)):
        return source
    if image.format in ("HEIF", "AVIF") and (numbers := boxes.nclx(content) or _heif_numbers(image)):
        return by_numbers(*numbers)
    return Source(ADOBE_RGB) if _is_adobe_by_exif(image) else Source()


def _heif_numbers(image: Image.Image) -> tuple[int, int] | None:
    """Return the numbers that libheif found elsewhere than in the main picture's properties."""
    found = image.info.get("nclx_profile")
    return (int(found["color_primaries"]), int(found["transfer_characteristics"])) if found else None


def by_numbers(primaries: int, transfer: int, narrow: bool = False) -> Source:
    """Return the source of colours by primaries and transfer as H.273 numbers them; `narrow` is the range of values."""
    if primaries not in PRIMARIES or transfer not in TRANSFERS:
        return Source(None, (f"its colours ({primaries}/{transfer} in H.273) are not known, and are read as sRGB",))
    space = Space(PRIMARIES[primaries], transfer, narrow=narrow)
    if transfer in (PQ, HLG):
        name = "PQ" if transfer == PQ else "HLG"
        return Source(space, (f"its high dynamic range ({name}) is reduced to that of sRGB",))
    return Source(None if space.is_srgb else space)


def _png_cicp(content: bytes) -> tuple[int, int, bool] | None:
    """Return primaries, transfer and whether the range is narrow, None without a valid cICP chunk."""
    for kind, begin, end in png.chunks(content):
        if kind == b"IDAT":
            return None
        body = content[begin:end]
        if kind == b"cICP" and len(body) == 4 and body[2] == 0:
            return body[0], body[1], body[3] == 0
    return None


def _png_gamma(image: Image.Image) -> Source | None:
    """Return what the chunks sRGB, gAMA and cHRM say; a chunk sRGB settles it."""
    info = image.info
    if "srgb" in info:
        return Source()
    gamma, primaries = info.get("gamma"), info.get("chromaticity")
    if gamma is None and primaries is None:
        return None
    if gamma is not None and not 0.05 <= gamma <= 5:
        return Source(None, ("its gamma is impossible, so its colours are read as sRGB",))
    space = Space(PRIMARIES[1] if primaries is None else primaries, gamma=None if gamma is None else 1 / gamma)
    return Source(None if space.is_srgb else space)


def _bmp_profile(content: bytes) -> bytes | None:
    """Return the profile embedded in a bitmap of version 5."""
    begin = 14 if content.startswith(b"BM") else 0
    if content[begin : begin + 4] != b"\x7c\0\0\0" or content[begin + 56 : begin + 60] != b"DEBM":
        return None
    offset, size = struct.unpack_from("<II", content, begin + 112)
    return content[begin + offset : begin + offset + size]


def _is_adobe_by_exif(image: Image.Image) -> bool:
    """Whether EXIF says Adobe RGB: cameras write "uncalibrated" and name the space in the interoperability part."""
    if image.format in ("JPEG", "MPO") and "exif" not in image.info:  # most files of the web: saves reading nothing
        return False
    try:
        exif = image.getexif()
        kind = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.ColorSpace)
        if kind not in (_EXIF_UNCALIBRATED, None):
            return bool(kind == _EXIF_ADOBE)
        return str(exif.get_ifd(ExifTags.IFD.Interop).get(ExifTags.Interop.InteropIndex)).strip("\0 ") == "R03"
    except Exception:  # EXIF blocks are free-form and often broken
        return False
