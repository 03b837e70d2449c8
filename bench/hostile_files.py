"""Seeded hostile picture files: mutated ones of every format, giant dimensions, repeated scans and bombs."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image

from data import png

SAVED: dict[str, dict[str, object]] = {
    "jpg": {"format": "JPEG"},
    "progressive.jpg": {"format": "JPEG", "progressive": True},
    "png": {"format": "PNG"},
    "webp": {"format": "WEBP"},
    "lossless.webp": {"format": "WEBP", "lossless": True},
    "gif": {"format": "GIF"},
    "bmp": {"format": "BMP"},
    "tif": {"format": "TIFF", "compression": "tiff_lzw"},
    "jpeg.tif": {"format": "TIFF", "compression": "jpeg"},
    "avif": {"format": "AVIF", "speed": 10},
}
HEADER = 200
"""Bytes at the beginning, where sizes, tables and offsets are."""
ODD_VALUES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)
EXTREME = 0.1
"""The share of files that are giant, bombs or of many scans, which cost most."""
MOST_PIXELS = 79_000_000
"""Just within the cap."""


def write_hostile(photos: list[Path], folder: Path, count: int, seed: int) -> None:
    """Write `count` hostile files, made of the pictures `photos`, with one of any kind of name for what they are."""
    random = np.random.default_rng(seed)
    seeds = [(suffix, content) for photo in photos for suffix, content in _saved(Image.open(photo).convert("RGB"))]
    folder.mkdir(parents=True)
    extremes = _extremes(random)
    for number in range(count):
        if random.random() < EXTREME:
            suffix, content = next(extremes)
        else:
            suffix, content = seeds[random.integers(len(seeds))]
            content = _mutated(content, seeds[random.integers(len(seeds))][1], random)
        (folder / f"{number:05}.{suffix}").write_bytes(content)


def _saved(image: Image.Image) -> Iterator[tuple[str, bytes]]:
    for suffix, options in SAVED.items():
        buffer = io.BytesIO()
        image.save(buffer, **options)  # type: ignore[arg-type]
        yield suffix, buffer.getvalue()
    yield "heic", _heic(image)


def _heic(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    pillow_heif.from_pillow(image).save(buffer, quality=40)
    return buffer.getvalue()


def _mutated(content: bytes, other: bytes, random: np.random.Generator) -> bytes:
    changed = bytearray(content)
    ways: list[Callable[[], bytes | bytearray]] = [
        lambda: _flipped(changed, random, len(changed)),
        lambda: _flipped(changed, random, HEADER),
        lambda: _odd_numbers(changed, random),
        lambda: changed[: random.integers(len(changed))],
        lambda: _repeated(changed, random),
        lambda: changed[: random.integers(len(changed))] + other[random.integers(len(other)) :],
        lambda: bytes(changed) + random.bytes(random.integers(1, 1000)),
    ]
    return bytes(ways[random.integers(len(ways))]())


def _flipped(content: bytearray, random: np.random.Generator, within: int) -> bytearray:
    for _ in range(random.integers(1, 20)):
        content[random.integers(min(within, len(content)))] ^= 1 << random.integers(8)
    return content


def _odd_numbers(content: bytearray, random: np.random.Generator) -> bytearray:
    """Put numbers on which decoders trip where the header has others."""
    for _ in range(random.integers(1, 4)):
        size, order = int(random.choice([2, 4])), ("little", "big")[random.integers(2)]
        value = ODD_VALUES[random.integers(len(ODD_VALUES))] & (256**size - 1)
        start = int(random.integers(min(HEADER, len(content) - size)))
        content[start : start + size] = value.to_bytes(size, order)  # type: ignore[arg-type]
    return content


def _repeated(content: bytearray, random: np.random.Generator) -> bytearray:
    start = int(random.integers(len(content)))
    piece = content[start : start + int(random.integers(1, 2000))]
    return content[:start] + piece * int(random.integers(2, 200)) + content[start:]


def _extremes(random: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    """Yield files without end that cost much, each with another tail, so that no two are the same picture."""
    kinds = list(_extreme_files())
    while True:
        suffix, content = kinds[random.integers(len(kinds))]
        yield suffix, content + random.bytes(8)


def _extreme_files() -> Iterator[tuple[str, bytes]]:
    for width, height in ((8900, 8870), (70_000, 1_100), (5_000, 5_000)):
        for channels in (1, 3, 4):
            yield "png", _flat_png(width, height, channels)
    yield "png", _flat_png(2_000, 2_000, 3, _png_chunk(b"zTXt", b"Title\0\0" + zlib.compress(bytes(200 * 2**20), 9)))
    yield "png", _flat_png(2_000, 2_000, 3, _png_chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(60 * 2**20), 9)))
    grey = Image.linear_gradient("L")
    for side in (1_000, 4_000, 8_800):
        plain = grey.resize((side, side))
        for options in ({"progressive": True}, {}):
            yield "jpg", _bytes(plain, "JPEG", **options)
            yield "jpg", _bytes(plain.convert("RGB"), "JPEG", subsampling=0, **options)
        yield "jpg", _many_scans(plain, 40)
        yield "tif", _bytes(plain.convert("RGBA"), "TIFF", compression="tiff_adobe_deflate")
        yield "tif", _bytes(plain.convert("CMYK"), "TIFF", compression="tiff_lzw")
        yield "gif", _bytes(plain, "GIF")
    for side in (3_000, 6_000, 8_800):
        yield "webp", _bytes(Image.new("RGBA", (side, side), (200, 40, 30, 90)), "WEBP", lossless=True, method=0)
        yield "heic", _heic(Image.new("RGB", (side, side), (200, 40, 30)))
    yield "avif", _bytes(Image.new("RGBA", (6_000, 4_000), (200, 40, 30, 90)), "AVIF", speed=10)
    for canvas in ((65_535, 65_535), (8_900, 8_870)):
        head = bytearray(_bytes(Image.new("P", (1, 1)), "GIF"))
        head[6:10] = struct.pack("<HH", *canvas)
        yield "gif", bytes(head)
    yield "bmp", b"BM" + struct.pack("<IIIIiiHHIIIIII", 54, 0, 54, 40, 8_900, 8_870, 1, 32, 0, 0, 0, 0, 0, 0)


def _bytes(image: Image.Image, name: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, name, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def _flat_png(width: int, height: int, channels: int, before: bytes = b"") -> bytes:
    """Return a PNG file of one colour, with a chunk before its pixels: some hundred kilobytes for any size."""
    packer, row = zlib.compressobj(9), b"\0" + bytes((200, 40, 30, 128)[:channels]) * width
    pixels = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2, 4: 6}[channels], 0, 0, 0)
    chunks = _png_chunk(b"IHDR", header) + before + _png_chunk(b"IDAT", pixels) + _png_chunk(b"IEND", b"")
    return png.SIGNATURE + chunks


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _many_scans(image: Image.Image, scans: int) -> bytes:
    """Return a progressive JPEG whose last scan, over the whole picture, is repeated."""
    content = _bytes(image, "JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    return content[:last] + content[last:-2] * scans + content[-2:]
