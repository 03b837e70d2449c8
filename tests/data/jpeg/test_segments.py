"""One walk over a JPEG's segments: with bytes that only fill, as libjpeg, and to the first thing that is no segment."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from data.decoding.ordinary import is_ordinary
from data.jpeg.segments import SOS, segments
from data.pictures import decode

Encode = Callable[..., bytes]


def test_bytes_that_fill_change_nothing(encode: Encode) -> None:
    content = encode("JPEG")
    frame = content.index(b"\xff\xc0")
    filled = content[:frame] + b"\xff\xff\xff" + content[frame:]
    assert [marker for marker, _, _ in segments(filled)] == [marker for marker, _, _ in segments(content)]
    assert next(filled[begin:end] for _, begin, end in segments(filled)) == content[6:20]
    assert is_ordinary(content, None)
    assert is_ordinary(filled, None)
    np.testing.assert_array_equal(np.asarray(decode(filled).image), np.asarray(decode(content).image))


def test_the_walk_ends_where_no_segment_is(encode: Encode) -> None:
    content = encode("JPEG")
    found = list(segments(content))
    assert found[-1][0] == SOS
    table = content.index(b"\xff\xdb")
    for broken in (content[:table], content[:table] + b"\0" + content[table:], content[: table + 2] + b"\0\1" * 9):
        assert list(segments(broken)) == found[:1]
        assert not is_ordinary(broken, None)
    assert list(segments(b"")) == []
