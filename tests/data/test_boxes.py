"""The properties of AVIF and HEIF files: the clean aperture, and boxes that are damaged."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.boxes import clean_aperture, nclx, properties
from data.pictures import decode

Encode = Callable[..., bytes]


def box(kind: bytes, content: bytes, full: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(full) + len(content), kind) + full + content


def with_aperture(numbers: tuple[int, ...], wide: bool = False) -> bytes:
    """The boxes of a picture, item 7, whose second property is a clean aperture."""
    kinds = box(b"ispe", bytes(12)) + box(b"clap", struct.pack(">IIIIiIiI", *numbers))
    entry = struct.pack(">IIBHH", 1, 7, 2, 1, 0x8002) if wide else struct.pack(">IHBBB", 1, 7, 2, 1, 0x82)
    associations = box(b"ipma", entry, b"\1\0\0\1" if wide else bytes(4))
    primary = box(b"pitm", struct.pack(">H", 7), bytes(4))
    return box(b"ftyp", b"avif") + box(b"meta", primary + box(b"iprp", box(b"ipco", kinds) + associations), bytes(4))


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ((20, 1, 10, 1, 0, 1, 0, 1), (20, 15, 40, 25)),
        ((20, 1, 10, 1, -10, 1, 5, 1), (10, 20, 30, 30)),
        ((59, 1, 39, 1, 1, 2, -1, 2), (1, 0, 60, 39)),
        ((20, 0, 10, 1, 0, 1, 0, 1), None),
        ((80, 1, 10, 1, 0, 1, 0, 1), None),
        ((0, 1, 10, 1, 0, 1, 0, 1), None),
    ],
)
def test_the_clean_aperture(numbers: tuple[int, ...], expected: tuple[int, ...] | None, wide: bool) -> None:
    assert clean_aperture(with_aperture(numbers, wide), (60, 40)) == expected


def test_an_avif_is_cropped_to_it(encode: Encode) -> None:
    """A picture of 60 x 40 gets a clean aperture of 20 x 10 in the middle of its upper left quarter."""
    content = encode("AVIF", exif=b"")
    aperture = box(b"clap", struct.pack(">IIIIiIiI", 20, 1, 10, 1, -15, 1, -10, 1))
    container, table = content.index(b"ipco") - 4, content.index(b"ipma") - 4
    (count,) = struct.unpack_from(">I", content[container:], 0)
    number = len([kind for kind, _ in properties(content)]) + 1
    listed = bytearray(content[table:])
    listed[4 + 4 + 4 + 4 + 2] += 1  # one more property of the first item
    end = 4 + 4 + 4 + 4 + 2 + listed[18]
    associations = bytes(listed[:end]) + bytes((0x80 | number,)) + bytes(listed[end:])
    changed = bytearray(content[: container + count] + aperture + associations)
    for kind, more in ((b"meta", 41), (b"iprp", 41), (b"ipco", 40), (b"ipma", 1)):
        place = changed.index(kind) - 4
        struct.pack_into(">I", changed, place, struct.unpack_from(">I", changed, place)[0] + more)
    location = changed.index(b"iloc") + 8  # the offsets of the coded pixels have moved
    struct.pack_into(">I", changed, location + 10, struct.unpack_from(">I", changed, location + 10)[0] + 41)
    picture = decode(bytes(changed))
    assert (picture.width, picture.height) == picture.image.size == (20, 10)
    assert np.abs(np.asarray(picture.image, int) - (255, 0, 0)).max() < 16


def test_what_pillow_writes_is_understood(encode: Encode) -> None:
    assert nclx(encode("AVIF")) == (1, 13)
    assert nclx(encode("HEIF")) is not None
    assert nclx(encode("PNG")) is None


@given(st.integers(0, 200), st.binary(max_size=20))
def test_damaged_boxes_are_no_error(place: int, garbage: bytes) -> None:
    content = with_aperture((20, 1, 10, 1, 0, 1, 0, 1))
    clean_aperture(content[:place] + garbage + content[place + len(garbage) :], (60, 40))
    assert nclx(content[:place]) is None
