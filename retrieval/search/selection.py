"""Which pictures may be hits, and in which order hits come."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Selection:
    """The pictures `ids`, int64 (n,), rising, of which `dates` (n,) says the date; `order` as in `filters.ORDERS`."""

    ids: np.ndarray
    dates: np.ndarray
    order: str = "relevance"

    def sorted(self, ids: np.ndarray) -> np.ndarray:
        """Return the places of `ids`, all of them selected and best first, in the order of this selection."""
        if self.order == "relevance":
            return np.arange(len(ids))
        dates = self.dates[np.searchsorted(self.ids, ids)].astype(np.int64)
        return np.argsort(-dates if self.order == "newest" else dates, kind="stable")
