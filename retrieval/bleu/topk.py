"""Top-k search: plan a query, then rank all pictures with NumPy.

A score depends on a few small whole numbers, so a plan holds the scores in small tables. The matches of a picture add
up in one number, its key: the matches of all orders as digits of a mixed radix (order 1 leading), and above them, from
bit `shift` on, the number of captions that contain each query word, summed over the words. The tables hold exactly the
numbers that `retrieval.bleu.score` computes, so equal pictures have equal scores.

`retrieval.bleu.compiled` ranks faster once it is loaded, but loading takes longer than a single search does here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from retrieval.bleu.builder import Kinds
from retrieval.bleu.ngrams import NgramPostings, Term, clipped, unpack
from retrieval.bleu.score import BleuVariant, agreement_share, bleu_share, from_counts

KEY_BITS = 32
LARGEST_TABLE = 2**22
"""Entries of the largest table worth building; a query of three orders needs as many from 160 words on."""
NEVER = -np.inf


class Worth(NamedTuple):
    """What the marks of one n-gram add to a key: min(count, most) * step + containing * per_caption."""

    ngram: int
    most: int
    step: int
    per_caption: int


@dataclass(frozen=True)
class Plan:
    """The score of a key and kind is bleu[bleu_class[kind], matches] + agreed[agreed_class[kind], containing].

    `matches` are the key's lower `shift` bits, `containing` the rest. bleu float64 (classes, 2**shift), NEVER where no
    word matches; agreed float64 (classes, containing + 1). The bounds are the best of any class with as many or fewer.
    """

    worths: list[Worth]
    shift: int
    bleu: np.ndarray
    bleu_class: np.ndarray
    agreed: np.ndarray
    agreed_class: np.ndarray
    bleu_bound: np.ndarray
    agreed_bound: np.ndarray
    most_captions: int

    def reach(self, worths: Sequence[Worth]) -> int:
        """Return the key of a picture with everything that these n-grams could add."""
        return sum(one.most * one.step + self.most_captions * one.per_caption for one in worths)

    def scores(self, keys: np.ndarray, kinds: np.ndarray) -> np.ndarray:
        """Return the scores of pictures by their keys (n,) and kinds (n,), float64 (n,)."""
        matches, containing = keys & ((1 << self.shift) - 1), keys >> self.shift
        scores = self.bleu[self.bleu_class[kinds], matches] + self.agreed[self.agreed_class[kinds], containing]
        return np.asarray(scores)


def make_plan(query: Sequence[str], terms: Sequence[Term], variant: BleuVariant, kinds: Kinds) -> Plan | None:
    """Plan the search for a query of folded words and its terms. Return None when its tables would be too large."""
    most = [sum(term.repeats for term in terms if term.order == order) for order in range(1, variant.max_order + 1)]
    cells = math.prod(one + 1 for one in most)
    steps = [math.prod(one + 1 for one in most[order:]) for order in range(1, len(most) + 1)]
    shift = (cells - 1).bit_length()
    known = sum(term.order == 1 for term in terms)
    containing = known * int(kinds.captions.max(initial=0)) if variant.agreement else 0
    closest, bleu_class = _closest_lengths(len(query), variant, kinds)
    if max(len(closest) << shift, containing) > LARGEST_TABLE or containing.bit_length() + shift > KEY_BITS:
        return None
    agreed, agreed_class = _agreed(containing, len(set(query)), variant, kinds)
    bleu = _bleu(most, shift, len(query), closest, variant)
    return Plan(
        worths=[
            Worth(one.ngram, one.repeats, steps[one.order - 1], 1 << shift if containing and one.order == 1 else 0)
            for one in terms
        ],
        shift=shift,
        bleu=bleu,
        bleu_class=bleu_class,
        agreed=agreed,
        agreed_class=agreed_class,
        bleu_bound=_bound(bleu[:, :cells].max(axis=0).reshape([one + 1 for one in most]), 1 << shift),
        agreed_bound=_bound(agreed.max(axis=0), containing + 1),
        most_captions=int(kinds.captions.max(initial=0)),
    )


def _closest_lengths(length: int, variant: BleuVariant, kinds: Kinds) -> tuple[np.ndarray, np.ndarray]:
    """Return the lengths that change the brevity penalty, and each kind's index among them."""
    if not variant.brevity:
        return np.array([length]), np.zeros(len(kinds.captions), np.int64)
    values, place = np.unique(np.maximum(kinds.closest(length), length), return_inverse=True)
    return values, place


def _bleu(most: Sequence[int], shift: int, length: int, closest: np.ndarray, variant: BleuVariant) -> np.ndarray:
    matches = np.indices([one + 1 for one in most]).reshape(len(most), -1)
    cells = matches.shape[1]
    table = np.full((len(closest), 1 << shift), NEVER)
    bleu = from_counts(np.tile(matches, len(closest)), length, np.repeat(closest, cells), variant)
    table[:, :cells] = bleu_share(bleu, variant).reshape(len(closest), cells)
    table[:, 0] = NEVER
    return table


def _agreed(most: int, words: int, variant: BleuVariant, kinds: Kinds) -> tuple[np.ndarray, np.ndarray]:
    if not most:
        return np.zeros((1, 1)), np.zeros(len(kinds.captions), np.int64)
    captions, place = kinds.caption_counts
    possible = words * np.maximum(captions, 1)  # A kind without captions has no matches either.
    return agreement_share(np.arange(most + 1), possible[:, None], variant), place


def _bound(best: np.ndarray, size: int) -> np.ndarray:
    """Return the largest entry up to each cell along all axes, flat, padded to `size` with the overall largest."""
    for axis in range(best.ndim):
        best = np.maximum.accumulate(best, axis=axis)
    table = np.full(size, best.max())
    table[: best.size] = best.ravel()
    return table


Best = tuple[np.ndarray, np.ndarray]
"""Rows int32 (m,) and scores float64 (m,), by score falling, then by row rising."""


class TopSearch(Protocol):
    """Returns the best pictures of a gallery."""

    def top(self, plan: Plan, count: int, absent: np.ndarray | None) -> Best:
        """Return the best `count` pictures with a match that are not `absent` (bool (n,))."""


class NumpySearch:
    """Computes every key; needs nothing but NumPy."""

    def __init__(self, ngrams: NgramPostings, kinds: Kinds) -> None:
        self._ngrams, self._kinds = ngrams, kinds

    def top(self, plan: Plan, count: int, absent: np.ndarray | None) -> Best:
        """See `TopSearch`."""
        keys = np.zeros(len(self._kinds.of_picture), np.uint32)
        for worth in plan.worths:
            where, marks = self._ngrams.postings(worth.ngram)
            counts, containing = unpack(marks)
            added = clipped(counts, worth.most).astype(np.uint32) * np.uint32(worth.step)
            keys[where] += added + containing * np.uint32(worth.per_caption)  # Each row occurs once.
        if absent is not None:
            keys[absent] = 0
        rows = np.flatnonzero(keys)
        return first(rows, plan.scores(keys[rows], self._kinds.of_picture[rows]), count)


def first(rows: np.ndarray, scores: np.ndarray, count: int) -> Best:
    """Return the best `count` of scored `rows`, which rise."""
    if count < len(rows):
        border = np.partition(scores, len(scores) - count)[len(scores) - count] if count else np.inf
        kept = scores >= border
        rows, scores = rows[kept], scores[kept]
    order = np.argsort(-scores, kind="stable")[:count]
    return rows[order].astype(np.int32), scores[order]
