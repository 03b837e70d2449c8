"""The one place where a picture file becomes pixels.

Every caller, from the indexer to the upload form, decodes through `decode`, so the caps on bytes and
pixels, the upright turn and the reasons given for a refusal are the same everywhere.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import ExifTags, Image, ImageOps

from data.errors import RetroflexError
from data.limits import DEFAULT_LIMITS, Limits

pillow_heif.register_heif_opener()
warnings.simplefilter("error", Image.DecompressionBombWarning)

FORMATS = {"JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF"}
SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif"}
)


class PictureError(RetroflexError):
    """A picture could not be decoded; the message says why in one line."""


class PictureUnreadable(PictureError):
    """The file could not be opened or read."""


class PictureTooLarge(PictureError):
    """The file has more bytes, or the picture more pixels, than the cap allows."""


class NotAPicture(PictureError):
    """The bytes are no picture of a supported format."""


class PictureDamaged(PictureError):
    """The file begins like a picture but its pixels cannot be decoded."""


@dataclass(frozen=True)
class Picture:
    """An upright RGB picture with the facts of its file; `width` and `height` are those of the upright original."""

    image: Image.Image
    width: int
    height: int
    format: str
    taken_at: datetime | None


def read_bytes(path: Path, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """Return the bytes of the file at `path`.

    Raises PictureUnreadable or PictureTooLarge; the size is checked before anything is read.
    """
    try:
        _check_bytes(path.stat().st_size, limits)
        return path.read_bytes()
    except OSError as error:
        raise PictureUnreadable(f"cannot be read: {error.strerror or error}") from error


def decode(content: bytes, limits: Limits = DEFAULT_LIMITS, min_side: int | None = None) -> Picture:
    """Decode a picture file's bytes to upright RGB.

    With `min_side` (pixels) a JPEG may be decoded at a reduced scale whose shorter side is still at
    least that long. Only the first frame of an animation is read. Raises a PictureError.
    """
    _check_bytes(len(content), limits)
    image = _open(content)
    width, height = image.size
    if width * height > limits.max_pixels:
        raise PictureTooLarge(f"has {width}x{height} pixels, the cap is {limits.max_pixels:,}")
    picture_format = image.format or "unknown"
    exif_date = _taken_at(image)
    upright = _load_upright(image, min_side)
    if (upright.width > upright.height) != (width > height) and upright.width != upright.height:
        width, height = height, width
    return Picture(upright, width, height, picture_format, exif_date)


def square(image: Image.Image, side: int) -> np.ndarray:
    """Return `image` squeezed to a `side` x `side` square, uint8 of shape (side, side, 3)."""
    return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC, reducing_gap=2.0))


def _check_bytes(size: int, limits: Limits) -> None:
    if size == 0:
        raise NotAPicture("is empty (0 bytes)")
    if size > limits.max_bytes:
        raise PictureTooLarge(f"has {size:,} bytes, the cap is {limits.max_bytes:,}")


def _open(content: bytes) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(content))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureTooLarge("has too many pixels (a decompression bomb?)") from error
    except Exception as error:
        raise NotAPicture("is not a picture in a supported format") from error
    if image.format not in FORMATS:
        raise NotAPicture(f"is {image.format}, which is not a supported picture format")
    return image


def _load_upright(image: Image.Image, min_side: int | None) -> Image.Image:
    try:
        if min_side is not None:
            image.draft("RGB", _draft_size(image.size, min_side))
        image.load()
        return _to_rgb(ImageOps.exif_transpose(image))
    except Exception as error:
        raise PictureDamaged(f"is damaged: {_one_line(error)}") from error


def _draft_size(size: tuple[int, int], min_side: int) -> tuple[int, int]:
    """Scale `size` so that the shorter side is `min_side`; JPEG's draft never goes below what is asked."""
    scale = min_side / min(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return _from_deep_grey(image)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _from_deep_grey(image: Image.Image) -> Image.Image:
    """Pillow clips 16-bit grey at 255 on conversion; scale it by its range instead."""
    values = np.asarray(image, dtype=np.float32)
    top = 65535.0 if values.max(initial=0) > 255 else 255.0
    return Image.fromarray((np.clip(values / top, 0, 1) * 255).astype(np.uint8)).convert("RGB")


def _taken_at(image: Image.Image) -> datetime | None:
    try:
        exif = image.getexif()
        text = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal) or exif.get(ExifTags.Base.DateTime)
        return datetime.strptime(str(text).strip("\x00 "), "%Y:%m:%d %H:%M:%S") if text else None
    except Exception:  # EXIF blocks are free-form and often broken; a picture without a date is fine.
        return None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
