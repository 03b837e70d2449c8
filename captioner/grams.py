"""Words as the pieces they are spelt with, so that a word never met is read by its likeness to known ones.

After Bojanowski and others 2017, "Enriching Word Vectors with Subword Information": a word's pieces of three to five
letters, its ends marked, are hashed into buckets that each have a vector.
"""

from __future__ import annotations

import zlib
from functools import lru_cache

SIZES = (3, 4, 5)
MOST = 24
"""Further pieces of a long word are not read."""


@lru_cache(2**16)
def buckets_of(word: str, buckets: int) -> tuple[int, ...]:
    """The buckets, from 1 to `buckets` - 1, of a word's pieces; 0 is left for no piece."""
    marked = f"<{word}>"
    pieces = [marked[start : start + size] for size in SIZES for start in range(len(marked) - size + 1)]
    return tuple(1 + zlib.crc32(piece.encode()) % (buckets - 1) for piece in pieces[:MOST])
