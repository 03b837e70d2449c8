"""The compiled search as the rest calls it. Importing it loads numba, which takes longer than one search without."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from retrieval.bleu.kernels import search
from retrieval.bleu.kinds import Kinds
from retrieval.bleu.ngrams import NgramPostings
from retrieval.bleu.plan import NEVER, Plan
from retrieval.bleu.topk import Best

# The compiled code that numba keeps on disk names the tuples below: where one is renamed or changed, change a line of
# `retrieval.bleu.kernels` above its functions too, so that what is kept is not taken for theirs.
BLOCK = 2**14
"""Pictures whose keys are made at once: they stay in the processor's nearest caches."""
LISTED = np.dtype([("begin", "i8"), ("end", "i8"), ("most", "u4"), ("step", "u4"), ("say", "u4")])
"""A listed n-gram: its span in the postings, and what its marks add to a key (`retrieval.bleu.plan.Worth`)."""
COMMON = np.dtype([("plane", "i8"), ("most", "u4"), ("step", "u4"), ("say", "u4"), ("reach", "u4")])
"""The same of an n-gram that has a mark for every picture, and the most that it adds."""


class _Marks(NamedTuple):
    """The arrays of `NgramPostings` that are read, and the number of bits in half a mark."""

    rows: np.ndarray
    marks: np.ndarray
    planes: np.ndarray
    half: np.uint32


class _Tables(NamedTuple):
    """The tables of `Plan`, and the kind of each picture."""

    shift: np.uint32
    bleu: np.ndarray
    bleu_class: np.ndarray
    bleu_bound: np.ndarray
    agreed: np.ndarray
    agreed_class: np.ndarray
    agreed_bound: np.ndarray
    kind: np.ndarray


class _Found(NamedTuple):
    """A heap of the best so far with the worst on top, and `least` int64 (3,): no key below the first beats it.

    That is made of the two others, the least matches and the least said words that do.
    """

    scores: np.ndarray
    rows: np.ndarray
    least: np.ndarray


class CompiledSearch:
    """The same as `retrieval.bleu.topk.PlainSearch`; releases the interpreter's lock while it searches."""

    def __init__(self, ngrams: NgramPostings, kinds: Kinds) -> None:
        self._ngrams = ngrams
        rows, marks, planes = (_frozen(one) for one in (ngrams.rows, ngrams.marks, ngrams.dense))
        self._marks = _Marks(rows, marks, planes, np.uint32(ngrams.half))
        self._kind = _frozen(kinds.of_picture)
        self._none_absent = _frozen(np.zeros(0, bool))
        self.block = BLOCK

    def top(self, plan: Plan, count: int, absent: np.ndarray | None) -> Best:
        """See `retrieval.bleu.topk.TopSearch`."""
        size = min(count, len(self._kind))
        found = _Found(np.full(size, NEVER), np.full(size, len(self._kind), np.int32), np.zeros(3, np.int64))
        if size:
            listed, common, reach_common = self._split(plan)
            absent = self._none_absent if absent is None else _frozen(absent)
            reach = np.uint32(reach_common), np.uint32(plan.reach(plan.worths))
            keys = np.zeros(self.block, np.uint32)
            search(listed, common, *reach, self._marks, self._tables(plan), absent, keys, found)
        order = np.lexsort((found.rows, -found.scores))
        order = order[found.scores[order] > NEVER]
        return found.rows[order], found.scores[order]

    def _split(self, plan: Plan) -> tuple[np.ndarray, np.ndarray, int]:
        """Return the listed and the common n-grams, and the most that the common ones add to a key."""
        planes, span = self._ngrams.planes, self._ngrams.span
        listed = [
            (span(one.ngram).start, span(one.ngram).stop, *one[1:]) for one in plan.worths if one.ngram not in planes
        ]
        common = [(planes[one.ngram], *one[1:], plan.reach([one])) for one in plan.worths if one.ngram in planes]
        common.sort(reverse=True)  # The rarest first: what it lacks rules most pictures out.
        return np.array(listed, LISTED), np.array(common, COMMON), sum(one[-1] for one in common)

    def _tables(self, plan: Plan) -> _Tables:
        return _Tables(
            np.uint32(plan.shift),
            plan.bleu,
            plan.bleu_class,
            plan.bleu_bound,
            plan.agreed,
            plan.agreed_class,
            plan.agreed_bound,
            self._kind,
        )


def _frozen(array: np.ndarray) -> np.ndarray:
    """A read-only view, as memory-mapped arrays are: one compiled kernel serves both."""
    view = array.view()
    view.flags.writeable = False
    return view
