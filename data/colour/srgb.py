"""Pixels of any mode become RGB in sRGB, transparent parts white.

A large picture is converted in tiles, so that only the decoded pixels and the result are ever whole in memory.
"""

from __future__ import annotations

import io
import itertools
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from PIL import ExifTags, Image, ImageCms

from data.colour.profiles import Space, icc_profile
from data.colour.source import BROKEN, Source

REDUCED_FROM = 16_000_000
"""Pixels; what is larger is reduced while it is converted."""
TILE_PIXELS = 2**19
TILE_WIDTH = 2**14
SAME = 2
"""Steps of 255 by which a profile may differ from sRGB and still be taken for it."""
LEAST_RANGE = 48
"""Steps of 255 between black and white; a profile that leaves fewer is broken."""
DARKEST = 24
"""The least mean, in steps of 255, that colours from all over the cube have, and the least distance from white."""
DEEP = ("I", "F")
PROFILE_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}
"""The mode of the pixels that a profile is for, by its colour space."""
_TIFF = ExifTags.Base
_SRGB, _LAB = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")


@dataclass(frozen=True)
class Conversion:
    """How pixels of `mode` become sRGB: by `transform`, or as they are."""

    mode: str = ""
    transform: ImageCms.ImageCmsTransform | None = None


@dataclass(frozen=True)
class DeepGrey:
    """How values of more than 8 bits are read: the value of white, whether 0 is white, whether none is below 0."""

    white: float = 1.0
    negative: bool = False
    unsigned: bool = False

    def values(self, image: Image.Image) -> np.ndarray:
        """Return the values as float32 (height, width); what is no number is 0."""
        values = np.asarray(image)
        return np.nan_to_num((values.view(np.uint32) if self.unsigned else values).astype(np.float32))


class ProfileError(ValueError):
    """The profile cannot be used for this picture; the message is a note."""


def to_srgb(image: Image.Image, source: Source, min_side: int | None = None) -> tuple[Image.Image, tuple[str, ...]]:
    """Return decoded pixels as RGB in sRGB, and notes on what could not be used.

    With `min_side` (pixels) a picture is made smaller where it is large or has to be converted, see `reduction`.
    """
    notes = source.notes
    try:
        conversion = _conversion(image, source)
    except ProfileError as error:
        conversion, notes = Conversion(), (*notes, str(error))
    factor = reduction(image.size, min_side, conversion.transform is not None)
    if image.mode == "RGB" and not image.has_transparency_data and conversion.transform is None and factor == 1:
        return image, notes
    return _in_tiles(image, conversion, _deep_grey(image), factor), notes


def reduction(size: tuple[int, int], min_side: int | None, converted: bool = False) -> int:
    """Return by which whole number a picture of `size` is divided: 1 unless it is large or its colours are converted.

    Twice `min_side` is kept, as `data.pictures.square` keeps it, so that the last step of reducing is a smooth one.
    """
    if min_side is None or not (converted or size[0] * size[1] > REDUCED_FROM):
        return 1
    return max(1, min(size) // (2 * min_side))


def _in_tiles(image: Image.Image, conversion: Conversion, grey: DeepGrey, factor: int) -> Image.Image:
    """Convert tile by tile, as every step of the conversion makes a copy."""
    width, height = image.size
    if width * height <= TILE_PIXELS:
        return _converted(image, conversion, grey, factor)
    across = factor * max(1, TILE_WIDTH // factor)
    down = factor * max(1, TILE_PIXELS // (min(width, across) * factor))
    whole = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    for top, left in itertools.product(range(0, height, down), range(0, width, across)):
        tile = image.crop((left, top, min(width, left + across), min(height, top + down)))
        whole.paste(_converted(tile, conversion, grey, factor), (left // factor, top // factor))
    return whole


def _converted(image: Image.Image, conversion: Conversion, grey: DeepGrey, factor: int) -> Image.Image:
    """Return a tile in sRGB, each side divided by `factor`."""
    plain = _plain(image, conversion, grey)
    if factor > 1 and plain.mode != "I;16":
        plain = plain.reduce(factor)
    if plain.mode in ("LA", "RGBA"):
        return _on_white(_applied(plain.convert(plain.mode[:-1]), conversion), plain.getchannel("A"))
    pixels = _applied(plain, conversion)
    return pixels.reduce(factor) if factor > 1 and plain.mode == "I;16" else pixels


def _applied(image: Image.Image, conversion: Conversion) -> Image.Image:
    if conversion.transform is None:
        return image.convert("RGB")
    ready = image.convert("RGB") if conversion.mode == "RGB" else image
    return ImageCms.applyTransform(ready, conversion.transform) or ready


def _on_white(image: Image.Image, alpha: Image.Image) -> Image.Image:
    ground = Image.new("RGB", image.size, (255, 255, 255))
    ground.paste(image, mask=alpha)
    return ground


def _plain(image: Image.Image, conversion: Conversion, grey: DeepGrey) -> Image.Image:
    """Return the tile in a mode that can be made smaller and converted: L, LA, RGB, RGBA, CMYK, LAB or I;16."""
    if image.mode in DEEP or image.mode.startswith("I;16"):
        return _from_deep_grey(image, grey, conversion.mode == "I;16")
    if image.has_transparency_data:
        return image.convert("LA" if image.mode in ("L", "LA", "La", "1") else "RGBA")
    if image.mode == "1":
        return image.convert("L")
    return image if image.mode in ("L", "RGB", "CMYK", "LAB") else image.convert("RGB")


def _from_deep_grey(image: Image.Image, grey: DeepGrey, deep: bool) -> Image.Image:
    """Return grey of more than 8 bits scaled to its white as I;16 or L; Pillow would clip it at 255.

    The value that a PNG file calls transparent becomes white.
    """
    values = grey.values(image)
    shares = np.clip(values / grey.white, 0, 1)
    if grey.negative:
        shares = 1 - shares
    if (clear := image.info.get("transparency")) is not None:
        shares = np.where(values == clear, np.float32(1), shares)
    if deep:
        return Image.fromarray((shares * 65535).round().astype(np.uint16))
    return Image.fromarray((shares * 255).round().astype(np.uint8))


def _deep_grey(image: Image.Image) -> DeepGrey:
    """Return how the values of a mode of more than 8 bits are read.

    White is 65,535 in 16 bits, 4,095 in 12; in 32 bits the usual one at or above the brightest.
    """
    tags = getattr(image, "tag_v2", {})
    negative, bits = tags.get(_TIFF.PhotometricInterpretation) == 0, tags.get(_TIFF.BitsPerSample)
    if image.mode.startswith("I;16"):
        return DeepGrey(4095.0 if bits == (12,) else 65535.0, negative)
    if image.mode not in DEEP:
        return DeepGrey()
    grey = DeepGrey(1.0, negative, bits == (32,) and image.mode == "I" and tags.get(_TIFF.SampleFormat, (1,)) == (1,))
    brightest = _brightest(image, grey)
    usual = (255.0, 65535.0) if image.mode == "I" else (1.0, 255.0, 65535.0)
    return replace(grey, white=next((white for white in usual if brightest <= white), brightest))


def _brightest(image: Image.Image, grey: DeepGrey) -> float:
    rows = max(1, TILE_PIXELS // image.width)
    strips = (image.crop((0, top, image.width, min(top + rows, image.height))) for top in range(0, image.height, rows))
    return max(float(grey.values(strip).max()) for strip in strips)


def _conversion(image: Image.Image, source: Source) -> Conversion:
    """Return how the picture becomes sRGB. Raises ProfileError for a profile that is broken or for other pixels."""
    if image.mode == "LAB":
        return Conversion("LAB", ImageCms.buildTransform(_LAB, _SRGB, "LAB", "RGB"))
    if source.space is None:
        return Conversion()
    grey = image.mode in ("1", "L", "LA", "La", *DEEP) or image.mode.startswith("I;16")
    profile = _profile(source.space, grey)
    mode = _mode_of(profile)
    if mode == "L" and image.mode.startswith("I;16"):
        mode = "I;16"
    fits = {"CMYK": image.mode == "CMYK", "RGB": image.mode != "CMYK"}.get(mode, grey)
    if not fits:
        raise ProfileError(f"its colour profile is for other pixels than {image.mode}, so its colours are read as sRGB")
    conversion, problem = _transform(profile, mode)
    if problem:
        raise ProfileError(problem)
    return conversion


def _profile(space: bytes | Space, grey: bool) -> bytes:
    try:
        return icc_profile(space, grey) if isinstance(space, Space) else space
    except (ValueError, np.linalg.LinAlgError) as error:
        raise ProfileError(BROKEN) from error


def _mode_of(profile: bytes) -> str:
    """Return the mode of the pixels that a profile is for. Raises ProfileError."""
    mode = PROFILE_MODES.get(profile[16:20].decode("latin-1").strip())
    if mode is None:
        raise ProfileError(BROKEN)
    return mode


@lru_cache(maxsize=32)
def _transform(profile: bytes, mode: str) -> tuple[Conversion, str]:
    """Return the conversion by a profile and what is wrong with it, empty if nothing is; sRGB needs no conversion."""
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        # Without this flag littleCMS rounds dark greys of 16 bits.
        flags = ImageCms.Flags.NOOPTIMIZE if mode == "I;16" else ImageCms.Flags.NONE
        transform = ImageCms.buildTransform(opened, _SRGB, mode, "RGB", flags=flags)
        samples = _samples(mode)
        converted = ImageCms.applyTransform(samples, transform) or samples
    except Exception:  # littleCMS has many reasons, none of which helps a person
        return Conversion(), BROKEN
    pixels = np.asarray(converted).astype(int)
    if np.ptp(pixels.mean(axis=2)) < LEAST_RANGE or not DARKEST < pixels.mean() < 255 - DARKEST:
        return Conversion(), BROKEN
    same = mode in ("RGB", "L") and np.abs(pixels - np.asarray(samples.convert("RGB"))).max() <= SAME
    return Conversion() if same else Conversion(mode, transform), ""


def _samples(mode: str) -> Image.Image:
    """Return a picture of colours from all over the cube, black and white among them, in `mode`."""
    steps = np.linspace(0, 255, 16).round().astype(np.uint8)
    if mode in ("L", "I;16"):
        grey = np.arange(256, dtype=np.uint16)[None]
        return Image.fromarray(grey * 257 if mode == "I;16" else grey.astype(np.uint8))
    cube = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(64, 64, 3)
    rgb = Image.fromarray(cube)
    return rgb.convert("CMYK") if mode == "CMYK" else rgb
