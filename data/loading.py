"""From a file's bytes to decoded pixels as they are in the file: opened, reduced, and as far as a damaged file goes."""

from __future__ import annotations

import ctypes
import io
import logging
import threading
import warnings
import zlib
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image, PngImagePlugin, TiffImagePlugin

from data import jpeg2000, png
from data.errors import NotAPicture, PictureDamaged, PictureTooLarge, one_line
from data.jpeg.segments import SOS, segments
from data.limits import DEFAULT_LIMITS, FORMATS, Limits
from data.tiff import open_wide
from data.webp import LARGE, StillWebp, is_large_still, open_still

READERS = (*FORMATS, "DIB")
"""Pillow's names of what is opened, which include bitmaps without a file header."""
NAMES = {"DIB": "BMP", "MPO": "JPEG"}
"""What Pillow calls by another name than users do; it opens MPO, several JPEG pictures in a file, as JPEG."""

pillow_heif.register_heif_opener()
for _name in ("Jpeg", "Mpo", "Png", "WebP", "Gif", "Bmp", "Tiff", "Avif", "Jpeg2K"):
    import_module(f"PIL.{_name}ImagePlugin")  # registers what it reads
Image.MAX_IMAGE_PIXELS = None  # `Limits` caps pixels; Pillow's own cap counts those that are not decoded.
PngImagePlugin.MAX_TEXT_CHUNK = 16 * 2**20  # Larger colour profiles than Pillow's megabyte exist.
# Pillow warns of harmless oddities (broken EXIF and the like), which would break a progress bar.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

LEAST = 8
"""The most by which libjpeg divides each side of a picture while it decodes it."""
SUFFIXES = frozenset(suffix for suffix, name in Image.EXTENSION.items() if NAMES.get(name, name) in FORMATS)
"""The suffixes that Pillow and pillow_heif register for what is opened, in lower case with a dot."""

logger = logging.getLogger(__name__)
_LIBTIFF = threading.Lock()
_warned_types: set[type[Exception]] = set()


def _silence_libtiff() -> None:
    """Keep libtiff from writing to standard error; Pillow raises its errors and nobody needs its warnings.

    The functions are found through Pillow's compiled part, which links libtiff. Where it hides them (in Windows),
    libtiff goes on writing.
    """
    with suppress(AttributeError, OSError, TypeError):
        library = ctypes.CDLL(Image.core.__file__)
        for function in (library.TIFFSetErrorHandler, library.TIFFSetWarningHandler):
            function.restype = ctypes.c_void_p
            function(None)


_silence_libtiff()


def open_picture(content: bytes) -> Image.Image:
    """Return a picture whose pixels are not decoded yet. Raises NotAPicture or PictureDamaged."""
    if is_large_still(content) and (still := open_still(content)) is not None:
        return still
    try:
        image = Image.open(io.BytesIO(content), formats=READERS)
        return _by_libtiff(content) if _is_planar_of_16_bits(image) else image
    except Exception as error:
        if content.startswith(png.SIGNATURE):
            with suppress(Exception):
                return Image.open(io.BytesIO(_sound_png(content)), formats=READERS)
        with suppress(Exception):
            if (other := open_wide(content) or open_still(content)) is not None:
                return other
        if _lacks_header(content):
            raise PictureDamaged("is cut off: it ends before what says how to read it") from error
        raise NotAPicture(f"is not a picture in a supported format{_reason(content)}") from error


def _lacks_header(content: bytes) -> bool:
    """Return whether a JPEG ends among the segments before its scan, or a TIFF before its directory."""
    if content.startswith(b"\xff\xd8\xff"):
        marker, end = [(0, 2), *((marker, end) for marker, _, end in segments(content))][-1]
        return marker != SOS and end + 5 >= len(content)
    order: Any = {b"II*\0": "little", b"MM\0*": "big"}.get(content[:4])
    return order is not None and int.from_bytes(content[4:8], order) >= len(content)


def _is_planar_of_16_bits(image: Image.Image) -> bool:
    """Return whether it is a TIFF whose samples of 16 bits lie apart: Pillow itself takes these for samples of 8."""
    if image.format != "TIFF":
        return False
    tags: Any = image.tag_v2  # type: ignore[attr-defined]
    return tags.get(284) == 2 and 16 in tags.get(258, ())  # PlanarConfiguration, BitsPerSample


def _by_libtiff(content: bytes) -> Image.Image:
    """Open a TIFF so that libtiff decodes it; if another thread opens one meanwhile, libtiff decodes that one too."""
    with _LIBTIFF:
        TiffImagePlugin.READ_LIBTIFF = True
        try:
            return Image.open(io.BytesIO(content), formats=("TIFF",))
        finally:
            TiffImagePlugin.READ_LIBTIFF = False


def load(
    image: Image.Image, content: bytes, min_side: int | None, limits: Limits, bulk: bool
) -> tuple[Image.Image, tuple[str, ...]]:
    """Decode the pixels, at a reduced scale where the format can and `min_side` (pixels) or the cap asks for it.

    Return them and notes on what is missing. `bulk` uses the faster decoder of JPEG at an eighth. Raises
    PictureTooLarge or PictureDamaged.
    """
    source = image.size

    def reduce(picture: Image.Image) -> None:
        set_scale(picture, content, draft_size(source, min_side, limits))

    try:
        reduce(image)
        pixels = _decode_eighth(image, content) if bulk else None
        if pixels is None:
            _check_decoded(image, source, limits)
            image.load()
            _mend_transparency(image, content)
            if image.format == "JPEG2000":  # else it hides Pillow's method of that name
                image.reduce = 0  # type: ignore[method-assign, assignment]
        return pixels or image, ()
    except PictureTooLarge:
        raise
    except Exception as error:
        return _as_far_as_it_goes(image, content, reduce, error)


def _mend_transparency(image: Image.Image, content: bytes) -> None:
    """Correct what Pillow says of transparency in PNG of other than 8 bits, and in bitmaps that leave alpha unused."""
    clear = image.info.get("transparency")
    if image.format == "PNG" and image.mode == "RGB" and content[24] == 16 and clear is not None:
        image.info["transparency"] = tuple(value >> 8 for value in clear)
    elif image.format == "PNG" and image.mode == "L" and content[24] in (2, 4) and clear is not None:
        image.info["transparency"] = clear * 255 // (2 ** content[24] - 1)
    elif image.format in ("BMP", "DIB") and image.mode == "RGBA" and image.getchannel("A").getextrema() == (0, 0):
        image.putalpha(255)


def set_scale(image: Image.Image, content: bytes, wanted: tuple[int, int]) -> tuple[int, int]:
    """Let a picture be decoded at a reduced scale, at least of the size `wanted`; return the size that it will have."""
    if isinstance(image, StillWebp):
        if image.width * image.height > LARGE and wanted[0] < image.width:
            image.scale_to(wanted)
        return image.size
    if image.format != "JPEG2000":
        image.draft("RGB", wanted)
        return image.size
    count = jpeg2000.halvings(content, image.size, wanted)
    image.reduce = count  # type: ignore[method-assign, assignment]
    return -(-image.width // 2**count), -(-image.height // 2**count)


def draft_size(size: tuple[int, int], min_side: int | None, limits: Limits = DEFAULT_LIMITS) -> tuple[int, int]:
    """Return the size to ask JPEG's draft for: the shorter side is `min_side`, and draft never goes below that.

    Without `min_side` it is the largest size within the cap.
    """
    if min_side is not None:
        scale = min_side / min(size)
        return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
    divisor = next((one for one in (1, 2, 4) if _divided(size, one) <= limits.max_pixels), LEAST)
    return max(1, size[0] // divisor), max(1, size[1] // divisor)


def check_pixels(image: Image.Image, content: bytes, limits: Limits) -> None:
    """Raise PictureTooLarge if a picture has too many pixels, even decoded at the least size that its format allows.

    A JPEG of several scans also counts what libjpeg holds: all coefficients of its colours, three of which take as
    much as a decoded pixel.
    """
    size, layers = image.size, getattr(image, "layer", None)
    if size[0] * size[1] > limits.max_source_pixels:
        raise _too_large(size, limits.max_source_pixels, "MAX_SOURCE_PIXELS")
    if _divided(size, LEAST if layers or isinstance(image, StillWebp) else 1) > limits.max_pixels:
        raise _too_large(size, limits.max_pixels, "MAX_PIXELS")
    if layers and size[0] * size[1] > limits.max_pixels and _has_several_scans(content, len(layers)):
        most = max(layer[1] for layer in layers) * max(layer[2] for layer in layers)
        held = size[0] * size[1] * sum(layer[1] * layer[2] for layer in layers) / most / 3
        if held > limits.max_pixels:
            raise _too_large(size, limits.max_pixels, "MAX_PIXELS", " and is progressive, so it is held whole")


def _check_decoded(image: Image.Image, source: tuple[int, int], limits: Limits) -> None:
    """Raise PictureTooLarge if a long and narrow picture is not reduced to within the cap."""
    if image.width * image.height > limits.max_pixels:
        raise _too_large(source, limits.max_pixels, "MAX_PIXELS")


def _divided(size: tuple[int, int], divisor: int) -> int:
    return -(-size[0] // divisor) * -(-size[1] // divisor)


def _too_large(size: tuple[int, int], cap: int, setting: str, why: str = "") -> PictureTooLarge:
    return PictureTooLarge(
        f"has {size[0]}x{size[1]} pixels{why}, the cap is {cap:,}; set RETROFLEX_{setting} to allow more"
    )


def _has_several_scans(content: bytes, components: int) -> bool:
    """Return whether a JPEG file is progressive or has its components apart: libjpeg keeps all coefficients then."""
    for marker, begin, _ in segments(content):
        if marker in (0xC2, 0xC6, 0xCA, 0xCE):
            return True
        if marker == SOS:
            return content[begin] < components
    return True


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
        logger.warning("JPEG files are decoded by Pillow, more slowly: the faster decoder failed: %s", one_line(error))


EOI = b"\xff\xd9"
ROWS = 64
"""Rows that are looked at together: a copy of all would double the memory."""
PARTIAL = frozenset({"PNG", "GIF", "BMP", "DIB", "TIFF"})
"""Formats beside JPEG whose decoders leave the rows that they read before they failed."""
GREYS: dict[str, Any] = {
    "L": 128,
    "LA": (128, 255),
    "RGB": (128,) * 3,
    "RGBA": (128, 128, 128, 255),
    "CMYK": (0, 0, 0, 127),
    "I;16": 32768,
}
"""What missing rows are filled with, by mode; in other modes they stay as the decoder left them."""


def _as_far_as_it_goes(
    image: Image.Image, content: bytes, reduce: Callable[[Image.Image], None], error: Exception
) -> tuple[Image.Image, tuple[str, ...]]:
    """Return what can be decoded of a damaged file, and a note. Raises PictureDamaged if that is nothing."""
    damaged = PictureDamaged(f"is damaged: {one_line(error)}")
    try:
        partial = _rest_of_jpeg(content, reduce) if hasattr(image, "layer") else _decoded_rows(image)
        missing = _missing_rows(partial) if partial is not None else None
    except Exception:
        raise damaged from error
    if partial is None or missing is None:
        raise damaged from error
    begin, end = missing
    if begin == end:
        return partial, ("lacks its end, but all of its rows can be read",)
    if partial.mode in GREYS:
        partial.paste(GREYS[partial.mode], (0, begin, partial.width, end))
    share = (end - begin) / partial.height
    return partial, (f"is damaged or cut off: {max(share, 0.01):.0%} of its rows are missing and are shown grey",)


def _rest_of_jpeg(content: bytes, reduce: Callable[[Image.Image], None]) -> Image.Image | None:
    """Decode a JPEG file up to its last byte, or else up to its last complete scan or table; None without any pixel."""
    if any(marker == SOS and end >= len(content) for marker, _, end in segments(content)):
        return None
    for end in (len(content), content.rfind(b"\xff\xc4"), content.rfind(b"\xff\xda")):
        with suppress(Exception):  # the next attempt may go further
            image = open_picture(content[:end] + EOI)
            reduce(image)
            image.load()
            return image
    return None


def _decoded_rows(image: Image.Image) -> Image.Image | None:
    """Return the image with what its decoder has left in memory."""
    if isinstance(image, StillWebp):
        return image
    if image.format not in PARTIAL:
        return None
    unfinished = bool(getattr(image, "tile", None))
    image.tile = []  # type: ignore[attr-defined]
    image.load()
    if unfinished and image.format == "TIFF":
        with suppress(Exception):
            image.load_end()  # type: ignore[attr-defined]
    return image


def _missing_rows(image: Image.Image) -> tuple[int, int] | None:
    """Return the first missing row and the one after the last, None if nothing was decoded.

    They have the value that a decoder leaves: 0, and middle grey in JPEG. Bitmaps are stored from the bottom up.
    """
    upwards = image.format in ("BMP", "DIB")
    tops = range(0, image.height, ROWS)
    for top in tops if upwards else reversed(tops):
        rows = np.asarray(image.crop((0, top, image.width, min(top + ROWS, image.height))))
        empty = rows.dtype.type(128 if hasattr(image, "layer") and image.mode != "CMYK" else 0)
        decoded = np.flatnonzero((rows.reshape(len(rows), -1) != empty).any(axis=1))
        if len(decoded):
            return (0, top + int(decoded[0])) if upwards else (top + int(decoded[-1]) + 1, image.height)
    return None


SOUND_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"gAMA", b"cHRM", b"sRGB", b"cICP", b"eXIf")


def _sound_png(content: bytes) -> bytes:
    """Return a PNG file with only the chunks that its pixels need, those beside them only if undamaged."""
    kept = [png.SIGNATURE]
    for kind, begin, end in png.chunks(content):
        chunk = content[begin - 8 : end + 4]
        critical = kind[:1].isupper()
        sound = zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big")
        if kind in SOUND_CHUNKS and (critical or sound):
            kept.append(chunk)
    return b"".join(kept)


def _reason(content: bytes) -> str:
    """Return why the decoder of the format that the bytes begin like refuses them, empty without such a format."""
    for name in READERS:
        factory, accept = Image.OPEN[name]
        try:
            if accept is not None and accept(content[:16].ljust(16, b"\0")):
                factory(io.BytesIO(content), "")
        except Exception as error:
            text = one_line(error)
            if content.startswith(b"MM\0+"):
                text = "a BigTIFF whose numbers begin with the high byte"
            elif text == "unknown pixel mode":
                text = f"{text} ({_tiff_layout(content)})"
            if "not identified" not in text and not text.lower().startswith("not a"):
                return f": {NAMES.get(name, name)}, {text}"
    return ""


def _tiff_layout(content: bytes) -> str:
    """Return the tags of a TIFF file that say how its pixels are laid out."""
    header = content[: 16 if content[2:3] == b"+" else 8]
    tags = TiffImagePlugin.ImageFileDirectory_v2(header)
    stream = io.BytesIO(content)
    stream.seek(tags.next)
    tags.load(stream)
    bits, kind = tags.get(258, (1,)), tags.get(339, (1,))
    kinds = {1: "whole numbers", 2: "signed numbers", 3: "floating point"}
    return f"photometric {tags.get(262)}, {len(bits)} x {bits[0]} bits, {kinds.get(kind[0], 'of an unknown kind')}"
