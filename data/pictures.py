"""The only place where a picture file becomes pixels.

Every caller, from the indexer to the upload form, uses `decode`. So the caps on bytes and pixels, the colours, the
rotation to upright and the reasons for a refusal are the same everywhere.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from data import boxes
from data.colour.source import colour_source
from data.colour.srgb import to_srgb
from data.errors import NotAPicture, PictureDamaged, PictureTooLarge, PictureUnreadable, one_line
from data.limits import DEFAULT_LIMITS, Limits
from data.loading import NAMES, check_pixels, load, open_picture
from data.metadata.dates import now
from data.metadata.embedded import Metadata, read_metadata
from data.remote import is_remote, read_remote

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = {5, 6, 7, 8}
_STRIP = 64
"""Rows of pixels that are hashed at a time."""


@dataclass(frozen=True, kw_only=True)
class PictureFacts:
    """What is known of a picture besides its pixels; `width` and `height` are those of the upright original.

    `pixels` is its `pixel_hash`, None unless `decode` was asked for it. `notes` say what of the file could not be used,
    one line each: a broken profile, missing rows. Facts travel between processes, see `data.decoding.orders`.
    """

    width: int
    height: int
    format: str
    metadata: Metadata
    pixels: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Picture(PictureFacts):
    """An upright picture, RGB in sRGB, with its facts."""

    image: Image.Image


def read_bytes(path: Path, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """Return the bytes of the file at `path`, which may be in a store of objects.

    Raises PictureUnreadable or PictureTooLarge; the size is checked before anything is read.
    """
    if not path.is_absolute() and is_remote(path):
        content = read_remote(path, limits.max_bytes)
        _check_bytes(len(content), limits)
        return content
    try:
        size = path.stat().st_size
        _check_bytes(size, limits)
        with path.open("rb") as file:
            content = file.read(size + 1)
            if len(content) > size:  # it has grown since
                content += file.read(limits.max_bytes)
    except OSError as error:
        raise PictureUnreadable(f"cannot be read: {error.strerror or error}") from error
    _check_bytes(len(content), limits)
    return content


def decode(
    content: bytes,
    limits: Limits = DEFAULT_LIMITS,
    min_side: int | None = None,
    bulk: bool = False,
    hashed: bool = False,
) -> Picture:
    """Decode a picture file's bytes to upright RGB in sRGB, transparent parts white.

    With `min_side` (pixels) a JPEG or a large picture may be reduced to one whose shorter side is still at
    least that long. Only the first frame of an animation is read. `bulk` uses a faster reader of JPEG at an
    eighth of its size, which returns the same pixels; loading it pays only for many pictures. With `hashed` the
    answer has the `pixel_hash`. Raises a PictureError.
    """
    image = open_header(content, limits)
    size = image.size
    pixels, damage = load(image, content, min_side, limits, bulk)
    digest = pixel_hash(pixels) if hashed else None
    if image.format == "AVIF":
        pixels = _cropped(pixels, content)
        size = pixels.size
    # EXIF is read after the pixels, since some formats store it behind them.
    orientation, metadata = _orientation(image), read_metadata(image, content, now())
    name = NAMES.get(str(image.format), str(image.format))
    try:
        rgb, notes = to_srgb(pixels, colour_source(image, content), min_side)
    except Exception as error:
        raise PictureDamaged(f"cannot be converted to RGB from {pixels.mode}: {one_line(error)}") from error
    del image, pixels  # a large picture is not kept while it is turned
    width, height = reversed(size) if orientation in _SIDEWAYS else size
    facts = PictureFacts(
        width=width, height=height, format=name, metadata=metadata, pixels=digest, notes=damage + notes
    )
    return Picture(image=_upright(rgb, orientation), **vars(facts))


def pixel_hash(image: Image.Image) -> str:
    """Return a hash of decoded pixels, 32 hexadecimal digits: as stored, before they are turned or converted.

    So it stays the same when only metadata changes, be it the orientation or the colour profile. A JPEG decoded at
    another scale has another hash.
    """
    state = hashlib.blake2b(f"{image.mode} {image.size}".encode(), digest_size=16)
    state.update(bytes(image.getpalette() or ()))
    for top in range(0, image.height, _STRIP):  # a copy of all pixels would double the memory
        state.update(image.crop((0, top, image.width, min(top + _STRIP, image.height))).tobytes())
    return state.hexdigest()


def open_header(content: bytes, limits: Limits = DEFAULT_LIMITS) -> Image.Image:
    """Return a picture within the caps whose pixels are not decoded yet. Raises a PictureError."""
    _check_bytes(len(content), limits)
    image = open_picture(content)
    check_pixels(image, content, limits)
    return image


def square(image: Image.Image, side: int) -> np.ndarray:
    """Return `image` squeezed to a `side` x `side` square, uint8 of shape (side, side, 3)."""
    return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC, reducing_gap=2.0))


def within(image: Image.Image, longest: int) -> np.ndarray:
    """Return the pixels of `image`, uint8 (height, width, 3), at most `longest` along the longer side."""
    scale = longest / max(image.size)
    if scale < 1:
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        image = image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    return np.asarray(image)


def _check_bytes(size: int, limits: Limits) -> None:
    if size == 0:
        raise NotAPicture("is empty (0 bytes)")
    if size > limits.max_bytes:
        raise PictureTooLarge(
            f"has {size:,} bytes, the cap is {limits.max_bytes:,}; set RETROFLEX_MAX_BYTES to allow more"
        )


def _cropped(pixels: Image.Image, content: bytes) -> Image.Image:
    """Return AVIF pixels cropped to their clean aperture, which libavif leaves to its callers."""
    box = boxes.clean_aperture(content, pixels.size)
    return pixels.crop(box) if box else pixels


def _orientation(image: Image.Image) -> int | None:
    try:
        return image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # EXIF blocks are free-form and often broken; such a picture is not turned.
        return None


def _upright(image: Image.Image, orientation: int | None) -> Image.Image:
    """Return `image` turned by the EXIF orientation, without the file's profile and EXIF block, which no longer apply.

    Pillow's exif_transpose also rewrites the EXIF block, and fails on odd values in it.
    """
    turned = image.transpose(_TURNS[orientation]) if orientation in _TURNS else image
    turned.info = {}
    return turned
