"""Which pictures may be hits, and in which order hits come."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from retrieval.vectors import VectorIndex


@dataclass(frozen=True)
class Selection:
    """The pictures `ids`, int64 (n,), rising, of which `dates` (n,) says the date; `order` as in `filters.ORDERS`."""

    ids: np.ndarray
    dates: np.ndarray
    order: str = "relevance"

    def rows(self, ids: np.ndarray) -> np.ndarray:
        """Return the rows of the selected pictures in an index whose rows are the pictures `ids`."""
        return np.flatnonzero(np.isin(ids, self.ids, assume_unique=True))

    def sorted(self, ids: np.ndarray) -> np.ndarray:
        """Return the places of `ids`, all of them selected and best first, in the order of this selection."""
        if self.order == "relevance":
            return np.arange(len(ids))
        dates = self.dates[np.searchsorted(self.ids, ids)].astype(np.int64)
        return np.argsort(-dates if self.order == "newest" else dates, kind="stable")


def nearest(vectors: VectorIndex, query: np.ndarray, count: int, rows: np.ndarray | None) -> np.ndarray:
    """Return, rising or not, the rows of the `count` vectors nearest to `query` among `rows`, or among all."""
    if rows is None:
        return vectors.top(query, count)[0]
    if len(rows) <= count:
        return rows
    cosines = vectors.cosine(query, rows)
    return rows[np.lexsort((rows, -cosines))[:count]]


def among(gallery: np.ndarray | None, rows: np.ndarray) -> np.ndarray:
    """Return those of `rows` that are in the gallery, rising; None is a gallery of all."""
    return rows if gallery is None else np.intersect1d(gallery, rows, assume_unique=True)
