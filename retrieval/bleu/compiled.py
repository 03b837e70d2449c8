"""Top-k search, compiled with numba; importing this takes longer than one search in NumPy.

The search goes block by block and skips what cannot win. Rows rise, so a picture must beat the last of the best so
far. From this threshold follow the smallest numbers of matches and of contained words that can still win, and whether
a picture outside all lists can win: only then are the marks of common n-grams added for all pictures of a block;
otherwise they are looked up for the few pictures that the lists leave. Skipping by upper bounds: Turtle and Flood
(1995), "Query Evaluation: Strategies and Optimizations" (MaxScore).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from data.compiled import njit
from retrieval.bleu.builder import Kinds
from retrieval.bleu.ngrams import NgramPostings
from retrieval.bleu.topk import NEVER, Best, Plan

# Numba names a cache file by a function and its first line, and the file names the tuples below. So when a tuple is
# renamed or changed, add or remove a line above the functions; otherwise an old cache file fails to load.
BLOCK = 2**14
"""Pictures whose keys are computed together; they stay in the processor's nearest caches."""
LISTED = np.dtype([("begin", "i8"), ("end", "i8"), ("most", "u4"), ("step", "u4"), ("per_caption", "u4")])
"""A listed n-gram: its span in the postings, and what its marks add to a key (`retrieval.bleu.topk.Worth`)."""
COMMON = np.dtype([("plane", "i8"), ("most", "u4"), ("step", "u4"), ("per_caption", "u4"), ("reach", "u4")])
"""The same for an n-gram that has a mark for every picture, and the most that it adds."""
CHUNK = 2**7
"""Pictures that are skipped together when the largest of their keys is too small."""


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


class _Heap(NamedTuple):
    """A heap of the best pictures so far with the worst on top, and `least` int64 (3,).

    No key below least[0] beats the worst. least[0] is made of the two others: the least number of matches, and of
    captions with the words, that can beat it.
    """

    scores: np.ndarray
    rows: np.ndarray
    least: np.ndarray


@njit(nogil=True, cache=True)
def search(listed, common, reach_common, reach, marks, tables, absent, block, heap):  # type: ignore[no-untyped-def]
    """Fill `heap` with the best pictures; the last of them is the threshold that a later row has to exceed."""
    pictures = len(tables.kind)
    places = listed["begin"].copy()
    for start in range(0, pictures, len(block)):
        if not _can_win(reach, tables, heap):
            break
        keys, begins = block[: min(len(block), pictures - start)], places.copy()
        _add_lists(keys, start, places, listed, marks)
        if _can_win(reach_common, tables, heap):
            _add_planes(keys, start, common, marks)
            _take_all(keys, start, tables, absent, heap)
            keys[:] = 0
        else:
            for number in range(len(places)):
                rows = marks.rows[begins[number] : places[number]]
                _take_listed(rows, keys, start, common, reach_common, marks, tables, absent, heap)


@njit(nogil=True, cache=True)
def _worth(mark, term, half):  # type: ignore[no-untyped-def]
    """Return what the mark of an n-gram adds to a key."""
    count = mark & ((np.uint32(1) << half) - np.uint32(1))
    return np.uint32(min(count, term.most) * term.step + (mark >> half) * term.per_caption)


@njit(nogil=True, cache=True)
def _add_lists(keys, start, places, listed, marks):  # type: ignore[no-untyped-def]
    """Add up the listed postings of the block and advance `places` past them."""
    limit = start + len(keys)
    for number, term in enumerate(listed):
        place = places[number]
        while place < term.end and marks.rows[place] < limit:
            keys[marks.rows[place] - start] += _worth(np.uint32(marks.marks[place]), term, marks.half)
            place += 1
        places[number] = place


@njit(nogil=True, cache=True)
def _add_planes(keys, start, common, marks):  # type: ignore[no-untyped-def]
    """Add up the common n-grams for the whole block."""
    for term in common:
        plane = marks.planes[term.plane, start : start + len(keys)]
        for place in range(len(keys)):
            keys[place] += _worth(np.uint32(plane[place]), term, marks.half)


@njit(nogil=True, cache=True)
def _take_all(keys, start, tables, absent, heap):  # type: ignore[no-untyped-def]
    """Keep the pictures of a block that beat the threshold; their keys are complete."""
    for begin in range(0, len(keys), CHUNK):
        chunk = keys[begin : begin + CHUNK]
        if _largest(chunk) >= heap.least[0]:
            for place in range(len(chunk)):
                if chunk[place] >= heap.least[0] and _can_win(chunk[place], tables, heap):
                    _take(chunk[place], start + begin + place, tables, absent, heap)


@njit(nogil=True, cache=True)
def _take_listed(rows, keys, start, common, reach, marks, tables, absent, heap):  # type: ignore[no-untyped-def]
    """Keep those of `rows` that beat the threshold; their keys lack the common n-grams, which could add `reach`.

    Every key that was read becomes 0, so that no picture is kept twice and the next block begins with zeros.
    """
    for row in rows:
        key = keys[row - start]
        keys[row - start] = 0
        if key and _wins(_bound(np.uint32(key + reach), tables), row, heap):
            key = _look_up(key, row, common, reach, marks, tables, heap)
            if key:
                _take(key, row, tables, absent, heap)


@njit(nogil=True, cache=True)
def _largest(keys):  # type: ignore[no-untyped-def]
    """Return the largest key, in a loop that the compiler vectorises."""
    largest = np.uint32(0)
    for key in keys:
        largest = max(largest, key)
    return largest


@njit(nogil=True, cache=True)
def _look_up(key, row, common, reach, marks, tables, heap):  # type: ignore[no-untyped-def]
    """Return a picture's key with the common n-grams added, or 0 as soon as the rest of them cannot make it win."""
    for term in common:
        key += _worth(np.uint32(marks.planes[term.plane, row]), term, marks.half)
        reach -= term.reach
        if not _wins(_bound(np.uint32(key + reach), tables), row, heap):
            return np.uint32(0)
    return key


@njit(nogil=True, cache=True)
def _take(key, row, tables, absent, heap):  # type: ignore[no-untyped-def]
    """Score a picture and keep it if it beats the threshold."""
    matches, containing = key & ((np.uint32(1) << tables.shift) - np.uint32(1)), key >> tables.shift
    kind = tables.kind[row]
    score = tables.bleu[tables.bleu_class[kind], matches] + tables.agreed[tables.agreed_class[kind], containing]
    if _wins(score, row, heap) and not (len(absent) and absent[row]):
        _replace_worst(heap.scores, heap.rows, score, row)
        _raise_least(tables, heap)


@njit(nogil=True, cache=True)
def _can_win(key, tables, heap):  # type: ignore[no-untyped-def]
    """Return whether a later picture with these numbers, or smaller ones, could be among the best."""
    return _bound(key, tables) > heap.scores[0]


@njit(nogil=True, cache=True)
def _bound(key, tables):  # type: ignore[no-untyped-def]
    """Return the best score of any picture with these numbers or smaller ones."""
    matches, containing = key & ((np.uint32(1) << tables.shift) - np.uint32(1)), key >> tables.shift
    return tables.bleu_bound[matches] + tables.agreed_bound[containing]


@njit(nogil=True, cache=True)
def _raise_least(tables, heap):  # type: ignore[no-untyped-def]
    """Raise each least number to the first that wins together with the best of the other."""
    least, threshold, bleu, agreed = heap.least, heap.scores[0], tables.bleu_bound, tables.agreed_bound
    while least[1] + 1 < len(bleu) and bleu[least[1]] + agreed[-1] <= threshold:
        least[1] += 1
    while least[2] + 1 < len(agreed) and bleu[-1] + agreed[least[2]] <= threshold:
        least[2] += 1
    least[0] = (least[2] << tables.shift) + least[1]


@njit(nogil=True, cache=True)
def _replace_worst(scores, rows, score, row):  # type: ignore[no-untyped-def]
    """Replace the worst picture in the heap; of equal scores the later row is worse."""
    place, size = 0, len(scores)
    while 2 * place + 1 < size:
        child = 2 * place + 1
        if child + 1 < size and _worse(scores, rows, child + 1, scores[child], rows[child]):
            child += 1
        if not _worse(scores, rows, child, score, row):
            break
        scores[place], rows[place] = scores[child], rows[child]
        place = child
    scores[place], rows[place] = score, row


@njit(nogil=True, cache=True)
def _wins(score, row, heap):  # type: ignore[no-untyped-def]
    """Return whether this score beats the worst of the best so far."""
    return _worse(heap.scores, heap.rows, 0, score, row)


@njit(nogil=True, cache=True)
def _worse(scores, rows, place, score, row):  # type: ignore[no-untyped-def]
    return scores[place] < score or (scores[place] == score and rows[place] > row)


class CompiledSearch:
    """Ranks as `retrieval.bleu.topk.NumpySearch` does; releases the GIL while it searches."""

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
        heap = _Heap(np.full(size, NEVER), np.full(size, len(self._kind), np.int32), np.zeros(3, np.int64))
        if size:
            listed, common, reach_common = self._split(plan)
            absent = self._none_absent if absent is None else _frozen(absent)
            reach = np.uint32(reach_common), np.uint32(plan.reach(plan.worths))
            keys = np.zeros(self.block, np.uint32)
            search(listed, common, *reach, self._marks, self._tables(plan), absent, keys, heap)
        order = np.lexsort((heap.rows, -heap.scores))
        order = order[heap.scores[order] > NEVER]
        return heap.rows[order], heap.scores[order]

    def _split(self, plan: Plan) -> tuple[np.ndarray, np.ndarray, int]:
        """Return the listed and the common n-grams, and the most that the common ones add to a key."""
        planes, span = self._ngrams.planes, self._ngrams.span
        listed = [
            (span(one.ngram).start, span(one.ngram).stop, *one[1:]) for one in plan.worths if one.ngram not in planes
        ]
        common = [(planes[one.ngram], *one[1:], plan.reach([one])) for one in plan.worths if one.ngram in planes]
        common.sort(reverse=True)  # The rarest first: it rules out most pictures.
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
    """Return a read-only view, like a memory-mapped array, so that one compiled kernel serves both."""
    view = array.view()
    view.flags.writeable = False
    return view
