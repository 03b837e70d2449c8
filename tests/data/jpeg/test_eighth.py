"""Reading at an eighth against its oracle, libjpeg: the same pixels, or None where a full decoder is needed."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from data.jpeg.eighth import decode_eighth

SAMPLINGS = {"4:4:4": 0, "4:2:2": 1, "4:2:0": 2}


def photograph(width: int, height: int, noise: float, seed: int = 0) -> Image.Image:
    """Waves of colour with noise of a standard deviation of `noise`: many long codes, blocks without an end mark."""
    y, x = np.mgrid[:height, :width]
    waves = np.stack([np.sin(x / 17) * 90, np.cos(y / 23) * 100, np.sin((x + y) / 31) * 80], -1)
    pixels = waves + 125 + np.random.default_rng(seed).normal(0, noise, (height, width, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def jpeg(image: Image.Image, **options: Any) -> bytes:
    content = io.BytesIO()
    image.save(content, "JPEG", **options)
    return content.getvalue()


def by_libjpeg(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.draft("RGB", (max(1, image.width // 8), max(1, image.height // 8)))
    assert image.decoderconfig == (8, 0)
    image.load()
    return image


def assert_the_same(content: bytes) -> None:
    found, expected = decode_eighth(content), by_libjpeg(content)
    assert found is not None
    assert (found.mode, found.size) == (expected.mode, expected.size)
    np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("quality", [5, 50, 90, 100])
@pytest.mark.parametrize("noise", [0, 25, 200])
def test_pixels_are_those_of_libjpeg(sampling: str, quality: int, noise: float) -> None:
    assert_the_same(jpeg(photograph(203, 145, noise), quality=quality, subsampling=SAMPLINGS[sampling]))


@pytest.mark.parametrize("size", [(8, 8), (9, 8), (8, 9), (16, 16), (17, 31), (33, 8), (250, 9)])
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_every_edge_is_decoded(size: tuple[int, int], sampling: str) -> None:
    assert_the_same(jpeg(photograph(*size, noise=10), subsampling=SAMPLINGS[sampling]))


@pytest.mark.parametrize("noise", [0, 30])
def test_grey(noise: float) -> None:
    assert_the_same(jpeg(photograph(123, 77, noise).convert("L"), quality=85))


@pytest.mark.parametrize(
    "restarts", [{"restart_marker_blocks": 1}, {"restart_marker_blocks": 7}, {"restart_marker_rows": 1}], ids=str
)
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_restarts(restarts: dict[str, int], sampling: str) -> None:
    assert_the_same(jpeg(photograph(300, 200, 20), subsampling=SAMPLINGS[sampling], **restarts))


def test_huffman_tables_of_its_own() -> None:
    assert_the_same(jpeg(photograph(300, 200, 20), quality=92, optimize=True))


def test_chroma_halved_downwards_only() -> None:
    content = jpeg(photograph(128, 128, 10), subsampling=SAMPLINGS["4:2:2"])
    assert_the_same(content.replace(b"\x01\x21\x00", b"\x01\x12\x00", 1))


def test_what_follows_the_picture_does_not_matter() -> None:
    content = jpeg(photograph(90, 70, 10), exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0", comment=b"\xff\xda")
    assert_the_same(content + jpeg(photograph(20, 20, 0)))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xd8",
        b"GIF89a",
        jpeg(photograph(90, 70, 10), progressive=True),
        jpeg(photograph(90, 70, 10), keep_rgb=True),
        jpeg(photograph(90, 70, 10).convert("CMYK")),
    ],
    ids=["nothing", "only its start", "another format", "progressive", "RGB", "CMYK"],
)
def test_other_kinds_need_a_full_decoder(content: bytes) -> None:
    assert decode_eighth(content) is None


def test_an_impossible_huffman_table_is_left_to_a_full_decoder() -> None:
    content = jpeg(photograph(90, 70, 10))
    start = content.index(b"\xff\xc4") + 5
    assert decode_eighth(content[:start] + b"\x03" + content[start + 1 :]) is None


@pytest.mark.parametrize("options", [{}, {"restart_marker_blocks": 3}], ids=["one piece", "restarts"])
def test_a_file_cut_short_is_left_to_a_full_decoder(options: dict[str, int]) -> None:
    content = jpeg(photograph(60, 40, 30), **options)
    assert [length for length in range(len(content)) if decode_eighth(content[:length]) is not None] == []


def test_damage_never_raises() -> None:
    """After a change of a byte or two there is a picture of the header's size, or none."""
    random = np.random.default_rng(0)
    content = jpeg(photograph(120, 90, 25), subsampling=SAMPLINGS["4:2:0"], restart_marker_blocks=5)
    start = content.index(b"\xff\xda")
    outcomes = set()
    for _ in range(600):
        damaged = bytearray(content)
        for place in random.integers(start, len(content), random.integers(1, 3)):
            damaged[place] = random.integers(256)
        found = decode_eighth(bytes(damaged))
        outcomes.add(found.size if found else None)
    assert outcomes == {(15, 12), None}


def test_damage_to_the_header_never_raises() -> None:
    content = jpeg(photograph(60, 40, 25))
    for place in range(2, content.index(b"\xff\xda") + 14):
        for value in (0, 1, 17, 255, content[place] ^ 8):
            damaged = content[:place] + bytes([value]) + content[place + 1 :]
            found = decode_eighth(damaged)
            assert found is None or found.mode in ("L", "RGB")


@pytest.mark.slow
def test_damage_never_leads_out_of_an_array(tmp_path: Path) -> None:
    """The tests of damage again, in a process where compiled code checks each index that it reads or writes."""
    checked = os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "pytest", __file__, "-k", "never_raises", "-p", "no:cacheprovider"]
    done = subprocess.run(command, env=checked, cwd=Path(__file__).parents[3], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
