"""Which segments are to be made one: sizes grow geometrically, so a picture is moved a logarithmic number of times.

The logarithmic method of Bentley and Saxe (1980), "Decomposable searching problems I". Once all that is due is merged,
every segment is larger than all smaller ones together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from retrieval.index.index import Index, Part

LARGEST = 2**19
"""Pictures in one segment at most, so that the memory that building one takes has a bound."""
FULL = LARGEST // 2
"""A segment of that many pictures is left as it is."""
AT_ONCE = 1000
"""Pictures that an update builds anew beside those that changed; a search waits about a tenth of a second for it."""


def taken_along(parts: Sequence[Part], new: int) -> list[Part]:
    """Return the small parts that an update of `new` pictures makes one with them."""
    taken, total = [], new
    for part in sorted(parts, key=len):
        if len(part) > total or total - new + len(part) > AT_ONCE:
            break
        taken.append(part)
        total += len(part)
    return taken


def due(index: Index) -> list[Part]:
    """Return the parts that are to be made one, or one that is to be made anew as most of it is absent; or none."""
    rising = sorted((part for part in index.parts if len(part) < FULL), key=len)
    smaller = np.cumsum([0, *(len(part) for part in rising)])
    last = max((place for place, part in enumerate(rising) if place and len(part) <= smaller[place]), default=0)
    hollow = [part for part in index.parts if 2 * len(part) < len(part.segment)]
    return rising[: last + 1] if last else hollow[:1]
