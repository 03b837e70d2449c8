"""TIFF layouts that Pillow does not know, written by a few lines here: colours and alpha of many bits."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from data.colour.profiles import PRIMARIES, Space, icc_profile
from data.decoding.orders import Order
from data.decoding.pool import decode_bounded
from data.errors import NotAPicture, PictureDamaged
from data.pictures import decode
from tests.data.colour.test_srgb import COLOURS, bars, in_srgb

NONE, DIFFERENCES, FLOAT_DIFFERENCES = 1, 2, 3


def tiff(
    values: np.ndarray, photometric: int, order: str = "<", predictor: int = NONE, packed: bool = True, **more: int
) -> bytes:
    """A TIFF of values (height, width, samples), in strips of 16 rows; further tags as t338=2."""
    height, width, samples = values.shape
    rows = [_predicted(values[top : top + 16], order, predictor) for top in range(0, height, 16)]
    strips = [zlib.compress(strip) for strip in rows] if packed else rows
    bits, form = 8 * values.dtype.itemsize, {"u": 1, "f": 3}[values.dtype.kind]
    tags: dict[int, tuple[int, ...]] = {
        256: (width,),
        257: (height,),
        258: (bits,) * samples,
        259: (8 if packed else 1,),
    }
    tags |= {262: (photometric,), 277: (samples,), 278: (16,), 317: (predictor,), 339: (form,) * samples}
    tags |= {279: tuple(map(len, strips)), 273: tuple(8 + sum(map(len, strips[:n])) for n in range(len(strips)))}
    tags |= {int(name[1:]): (value,) for name, value in more.items()}
    body = b"".join(strips)
    begin = 8 + len(body)
    entries, further = b"", b""
    for number, numbers in sorted(tags.items()):
        content = struct.pack(f"{order}{len(numbers)}I", *numbers)
        if len(numbers) > 1:
            content, further = struct.pack(order + "I", begin + 6 + 12 * len(tags) + len(further)), further + content
        entries += struct.pack(order + "HHI", number, 4, len(numbers)) + content
    head = {"<": b"II", ">": b"MM"}[order] + struct.pack(order + "HI", 42, begin)
    return head + body + struct.pack(order + "H", len(tags)) + entries + bytes(4) + further


def _predicted(rows: np.ndarray, order: str, predictor: int) -> bytes:
    stored = rows.astype(rows.dtype.newbyteorder(order))
    if predictor == DIFFERENCES:
        plain = rows.view(f"u{rows.dtype.itemsize}")
        changes = np.diff(plain, axis=1, prepend=np.zeros_like(plain[:, :1]))
        return changes.astype(changes.dtype.newbyteorder(order)).tobytes()
    if predictor == FLOAT_DIFFERENCES:
        ranked = rows.astype(rows.dtype.newbyteorder(">")).view(np.uint8).reshape(len(rows), -1, rows.dtype.itemsize)
        plain = ranked.swapaxes(1, 2).reshape(len(rows), -1, rows.shape[2])
        return np.diff(plain, axis=1, prepend=np.zeros_like(plain[:, :1])).tobytes()
    return stored.tobytes()


def shown(content: bytes) -> np.ndarray:
    return np.asarray(decode(content).image).astype(int)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["f2", "f4", "f8"])
@pytest.mark.parametrize("predictor", [NONE, FLOAT_DIFFERENCES])
def test_colours_of_floating_point(order: str, kind: str, predictor: int) -> None:
    expected = np.asarray(bars()).astype(int)
    picture = decode(tiff((expected / 255).astype(kind), 2, order, predictor))
    assert (picture.format, picture.width, picture.height, picture.notes) == ("TIFF", 128, 64, ())
    np.testing.assert_array_equal(np.asarray(picture.image), expected)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("predictor", [NONE, DIFFERENCES])
@pytest.mark.parametrize("packed", [False, True])
def test_grey_of_16_bits_with_alpha_is_laid_on_white(order: str, predictor: int, packed: bool) -> None:
    random = np.random.default_rng(3)
    values = random.integers(0, 65536, (40, 30, 2)).astype(np.uint16)
    values[..., 1] = random.choice([0, 65535], (40, 30))
    grey = np.where(values[..., 1] == 65535, (values[..., 0] / 257).round(), 255).astype(int)
    np.testing.assert_array_equal(
        shown(tiff(values, 1, order, predictor, packed, t338=2)), grey[..., None].repeat(3, -1)
    )


def test_white_is_the_usual_value_at_or_above_the_brightest() -> None:
    values = np.zeros((4, 4, 3), np.float32)
    for brightest, value, expected in ((1.0, 0.5, 128), (200.0, 100.0, 100), (300.0, 150.0, 1), (1e6, 5e5, 128)):
        values[0, 0], values[1, 1] = brightest, value
        assert shown(tiff(values, 2))[1, 1].tolist() == [expected] * 3
    values[:] = np.nan
    values[0, 0] = np.inf
    assert shown(tiff(values, 2)).max() == 0


def test_whole_numbers_of_32_bits_alpha_and_inverted_grey() -> None:
    expected = np.asarray(bars()).astype(np.int64)
    whole = (expected * (2**32 - 1) // 255).astype(np.uint32)
    np.testing.assert_array_equal(shown(tiff(whole, 2)), expected)
    clear = np.concatenate([expected / 255, np.zeros((64, 128, 1))], axis=2).astype(np.float32)
    assert shown(tiff(clear, 2, t338=2)).min() == 255
    inverted = np.full((4, 4, 2), 65535, np.uint16)
    assert shown(tiff(inverted, 0, t338=2)).max() == 0


def test_the_profile_and_orientation_count() -> None:
    profile = icc_profile(Space(PRIMARIES[12]))
    plain = tiff((np.asarray(bars()) / 255).astype(np.float32), 2, t274=6)
    turned = decode(plain)
    assert (turned.width, turned.height, turned.image.size) == (64, 128, (64, 128))
    content = tiff((np.asarray(bars()) / 255).astype(np.float32), 2, t34675=0)
    entry = content.rindex(struct.pack("<HHI", 34675, 4, 1))
    content = (
        content[:entry] + struct.pack("<HHII", 34675, 7, len(profile), len(content)) + content[entry + 12 :] + profile
    )
    colours = shown(content)[32, 16::32]
    assert np.abs(colours - in_srgb(Space(PRIMARIES[12]), COLOURS)).max() <= 2


def test_what_is_damaged_or_not_known_is_refused_with_a_reason() -> None:
    values = np.random.default_rng(0).random((64, 64, 3)).astype(np.float32)
    content = tiff(values, 2)
    broken = content[:8] + b"\xff" * 20 + content[28:]
    with pytest.raises(PictureDamaged, match="is damaged"):
        decode_bounded(broken, Order(square=32))
    with pytest.raises(NotAPicture, match="unknown pixel mode"):
        decode(tiff(values, 2, t284=2))
    assert decode_bounded(content, Order(square=32)).square is not None
