"""The only place where a picture file becomes pixels.

Every caller, from the indexer to the upload form, uses `decode`. So the caps on bytes and pixels, the rotation to
upright and the reasons for a refusal are the same everywhere.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import logging
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import ExifTags, Image

from data.errors import RetroflexError
from data.limits import DEFAULT_LIMITS, FORMATS, Limits
from data.metadata.dates import now
from data.metadata.embedded import Metadata, read_metadata

pillow_heif.register_heif_opener()
# Pillow warns of harmless oddities (broken EXIF and the like), which would break a progress bar.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
warnings.simplefilter("error", Image.DecompressionBombWarning)

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif"}
)

logger = logging.getLogger(__name__)
_warned_types: set[type[Exception]] = set()

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

REDUCED_FROM = 16_000_000
"""Pixels; what is larger is reduced while it is converted."""
TILE_PIXELS = 2**19
TILE_WIDTH = 2**14


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


@dataclass(frozen=True, kw_only=True)
class PictureFacts:
    """What is known of a picture besides its pixels; `width` and `height` are those of the upright original.

    `pixels` is its `pixel_hash`, None unless `decode` was asked for it. Facts travel between processes, see
    `data.decoding.orders`.
    """

    width: int
    height: int
    format: str
    metadata: Metadata
    pixels: str | None = None


@dataclass(frozen=True, kw_only=True)
class Picture(PictureFacts):
    """An upright RGB picture with its facts."""

    image: Image.Image


def read_bytes(path: Path, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """Return the bytes of the file at `path`.

    Raises PictureUnreadable or PictureTooLarge; the size is checked before anything is read.
    """
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
    """Decode a picture file's bytes to upright RGB.

    With `min_side` (pixels) a JPEG or a large picture may be reduced to one whose shorter side is still at
    least that long. Only the first frame of an animation is read. `bulk` uses a faster reader of JPEG at an
    eighth of its size, which returns the same pixels; loading it pays only for many pictures. With `hashed` the
    answer has the `pixel_hash`. Raises a PictureError.
    """
    image = open_header(content, limits)
    width, height = image.size
    pixels = _load(image, content, min_side, bulk)
    digest = pixel_hash(pixels) if hashed else None
    orientation = _orientation(image)
    if orientation in _SIDEWAYS:
        width, height = height, width
    metadata = read_metadata(image, content, now())
    upright = _upright(pixels, orientation, min_side)
    size = {"width": width, "height": height}
    return Picture(image=upright, **size, format=str(image.format), metadata=metadata, pixels=digest)


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
    image = _open(content)
    width, height = image.size
    if width * height > limits.max_pixels:
        raise PictureTooLarge(f"has {width}x{height} pixels, the cap is {limits.max_pixels:,}")
    return image


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
        return Image.open(io.BytesIO(content), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureTooLarge("has too many pixels (a decompression bomb?)") from error
    except Exception as error:
        raise NotAPicture("is not a picture in a supported format") from error


def _load(image: Image.Image, content: bytes, min_side: int | None, bulk: bool) -> Image.Image:
    """Decode the pixels. EXIF is read afterwards, since some formats store it behind them."""
    try:
        if min_side is not None:
            image.draft("RGB", draft_size(image.size, min_side))
        pixels = _decode_eighth(image, content) if bulk else None
        if pixels is None:
            image.load()
        return pixels or image
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureTooLarge("has too many pixels (a decompression bomb?)") from error
    except Exception as error:
        raise PictureDamaged(f"is damaged: {_one_line(error)}") from error


def _decode_eighth(image: Image.Image, content: bytes) -> Image.Image | None:
    """Return the pixels of a JPEG that draft has set to an eighth, None where `data.jpeg` cannot read the file."""
    if getattr(image, "decoderconfig", None) != (8, 0):
        return None
    try:
        from data.jpeg.eighth import decode_eighth  # loads numba, which few callers need

        return decode_eighth(content)
    except Exception as error:  # for example, numba does not fit this NumPy or has no folder for compiled code
        _warn_once(error)
        return None


def _warn_once(error: Exception) -> None:
    """Log why the faster decoder does not run, once for each type of error."""
    if type(error) not in _warned_types:
        _warned_types.add(type(error))
        logger.warning("JPEG files are decoded by Pillow, more slowly: the faster decoder failed: %s", _one_line(error))


def draft_size(size: tuple[int, int], min_side: int) -> tuple[int, int]:
    """Return the size to ask JPEG's draft for: the shorter side is `min_side`, and draft never goes below that."""
    scale = min_side / min(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _orientation(image: Image.Image) -> int | None:
    try:
        return image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # EXIF blocks are free-form and often broken; such a picture is not turned.
        return None


def _upright(image: Image.Image, orientation: int | None, min_side: int | None) -> Image.Image:
    """Return `image` in RGB, turned by the EXIF orientation.

    Pillow's exif_transpose also rewrites the EXIF block, and fails on odd values in it.
    """
    try:
        rgb = _rgb_in_tiles(image, reduction(image.size, min_side))
    except Exception as error:
        raise PictureDamaged(f"cannot be converted to RGB from {image.mode}: {_one_line(error)}") from error
    return rgb.transpose(_TURNS[orientation]) if orientation in _TURNS else rgb


def reduction(size: tuple[int, int], min_side: int | None) -> int:
    """Return by which whole number a picture of `size` is divided while it is converted: 1 unless it is large.

    Twice `min_side` is kept, as `square` keeps it, so that the last step of reducing is a smooth one.
    """
    if min_side is None or size[0] * size[1] <= REDUCED_FROM:
        return 1
    return max(1, min(size) // (2 * min_side))


def _rgb_in_tiles(image: Image.Image, factor: int) -> Image.Image:
    """Convert to RGB, divided by `factor`; tile by tile, as every step of the conversion makes a copy."""
    width, height = image.size
    if factor == 1 and (image.mode == "RGB" or width * height <= TILE_PIXELS):
        return _to_rgb(image)
    white = _white(image.mode, _brightest(image)) if _is_deep(image) else None
    across = factor * max(1, TILE_WIDTH // factor)
    down = factor * max(1, TILE_PIXELS // (min(width, across) * factor))
    rgb = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    for top, left in itertools.product(range(0, height, down), range(0, width, across)):
        tile = _to_rgb(image.crop((left, top, min(width, left + across), min(height, top + down))), white)
        rgb.paste(tile.reduce(factor), (left // factor, top // factor))
    return rgb


def _to_rgb(image: Image.Image, white: float | None = None) -> Image.Image:
    """Convert to RGB, transparent pixels on white; `white` is the value of white of deep grey, by default its own."""
    if _is_deep(image):
        return _from_deep_grey(image, white or _white(image.mode, _brightest(image)))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        ground = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return Image.alpha_composite(ground, rgba).convert("RGB")
    return image.convert("RGB")


def _is_deep(image: Image.Image) -> bool:
    return image.mode.startswith("I") or image.mode == "F"


def _from_deep_grey(image: Image.Image, white: float) -> Image.Image:
    """Scale grey of more than 8 bits by the value of white; Pillow would clip it at 255."""
    shares = np.clip(_values(image) / white, 0, 1)
    return Image.fromarray((shares * 255).round().astype(np.uint8)).convert("RGB")


def _values(image: Image.Image) -> np.ndarray:
    return np.nan_to_num(np.asarray(image, dtype=np.float32))


def _brightest(image: Image.Image) -> float:
    rows = max(1, TILE_PIXELS // image.width)
    strips = (image.crop((0, top, image.width, min(image.height, top + rows))) for top in range(0, image.height, rows))
    return max((float(_values(strip).max(initial=0)) for strip in strips), default=0.0)


def _white(mode: str, brightest: float) -> float:
    """Return the value of white: 65,535 in a 16-bit mode; in a 32-bit mode the usual one at or above `brightest`."""
    if mode.startswith("I;16"):
        return 65535.0
    usual = (255.0, 65535.0) if mode == "I" else (1.0, 255.0, 65535.0)
    return next((white for white in usual if brightest <= white), brightest)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
