"""The best pictures of a planned query in NumPy: every key is made, nothing is skipped.

`retrieval.bleu.compiled` does the same faster once it is loaded, which takes longer than a single search does here.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from retrieval.bleu.kinds import Kinds
from retrieval.bleu.ngrams import NgramPostings, clipped, unpack
from retrieval.bleu.plan import Plan

Best = tuple[np.ndarray, np.ndarray]
"""Rows int32 (m,) and scores float64 (m,), by score falling, then by row rising."""


class TopSearch(Protocol):
    """Finds the best pictures of a gallery."""

    def top(self, plan: Plan, count: int, absent: np.ndarray | None) -> Best:
        """Return the best `count` pictures with a match that are not `absent` (bool (n,))."""


class PlainSearch:
    """The search as it is without anything to load."""

    def __init__(self, ngrams: NgramPostings, kinds: Kinds) -> None:
        self._ngrams, self._kinds = ngrams, kinds

    def top(self, plan: Plan, count: int, absent: np.ndarray | None) -> Best:
        """See `TopSearch`."""
        keys = np.zeros(len(self._kinds.of_picture), np.uint32)
        for worth in plan.worths:
            where, marks = self._ngrams.postings(worth.ngram)
            counts, said = unpack(marks)
            added = clipped(counts, worth.most).astype(np.uint32) * np.uint32(worth.step)
            keys[where] += added + said * np.uint32(worth.say)  # A row stands once among them.
        if absent is not None:
            keys[absent] = 0
        rows = np.flatnonzero(keys)
        return first(rows, plan.scores(keys[rows], self._kinds.of_picture[rows]), count)


def first(rows: np.ndarray, scores: np.ndarray, count: int) -> Best:
    """Return the best `count` of scored rows, which are rising."""
    if count < len(rows):
        border = np.partition(scores, len(scores) - count)[len(scores) - count] if count else np.inf
        kept = scores >= border
        rows, scores = rows[kept], scores[kept]
    order = np.argsort(-scores, kind="stable")[:count]
    return rows[order].astype(np.int32), scores[order]
