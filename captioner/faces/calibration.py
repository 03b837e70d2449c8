"""From which cosine on two faces are of one person, for the vectors of `captioner.faces.finder.MODEL_VERSION`.

Fitted by `retroflex evaluate faces` to pairs of faces, as many of one person as of two; figures: docs/figures.md.
"""

from __future__ import annotations

import numpy as np

SAME_PERSON = 0.907
"""The cosine at which both are equally likely."""
SLOPE = 116.0
"""By how much the logarithm of the odds grows with the cosine."""
CLOSE = 0.9
"""The likelihood from which on a picture is a hit: in a library most faces are of others, not half of them."""
LINKED = 0.933
"""The mean cosine between the faces of two groups from which on they are one."""


def likelihood(cosines: np.ndarray) -> np.ndarray:
    """Return how likely two faces of such cosines are of one person, float (n,), from 0 to 1."""
    return np.asarray(1 / (1 + np.exp(-SLOPE * (cosines.astype(np.float64) - SAME_PERSON))))


def is_same_person(cosines: np.ndarray) -> np.ndarray:
    """Return whether faces of such cosines are of one person, bool (n,)."""
    return np.asarray(cosines >= SAME_PERSON)
