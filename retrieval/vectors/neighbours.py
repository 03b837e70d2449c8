"""Cosines that pictures vouch for: what is near a picture's neighbours is likely of its kind.

Averaging each vector with its nearest evens out what one photograph happens to show. It is done among the candidates
of one query, so that nothing is stored and a library may change at any time: database-side augmentation and query
expansion (Arandjelović and Zisserman 2012, Radenović et al. 2018).
"""

from __future__ import annotations

import numpy as np

from captioner.arithmetic import unit

NEIGHBOURS = 8
"""How many neighbours a vector is averaged with; see docs/ranking.md."""


def smoothed_cosine(query: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Return cosines of `query` (d,) to `vectors` (n, d), after each was averaged with its nearest.

    What has the query's own vector must not be among `vectors`: it would count for itself, twice.
    Every vector and the query become the mean of themselves and their NEIGHBOURS nearest, weighed by squared cosine,
    and then the query once more that of itself and its nearest. Float64 (n,), the same for equal vectors.
    """
    together = unit(np.concatenate([query[None], vectors]).astype(np.float32))
    averaged = unit(_nearest(together @ together.T) @ together)
    expanded = unit(_nearest(averaged[:1] @ averaged.T) @ averaged)[0]
    first: dict[bytes, int] = {}
    rows = [first.setdefault(vector.tobytes(), row) for row, vector in enumerate(vectors)]
    return np.round((averaged[1:] @ expanded).astype(np.float64), 6)[rows]


def _nearest(cosines: np.ndarray) -> np.ndarray:
    """The squares of each row's largest cosines, its own and those of its NEIGHBOURS nearest, 0 for all others."""
    count = min(NEIGHBOURS + 1, cosines.shape[1])
    least = np.partition(cosines, -count, axis=1)[:, -count, None]
    return np.asarray(np.where(cosines >= np.maximum(least, 0), cosines, 0) ** 2)
