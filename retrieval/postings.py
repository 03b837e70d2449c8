"""BLEU of a query against every picture of a gallery, out of n-gram postings.

Only the postings of the query's own n-grams are touched. The numbers are those of `retrieval.bleu.score` on words
folded by `retrieval.folding`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from retrieval.arrays import IndexDamaged, load_array, save_arrays
from retrieval.bleu import INDEXED_ORDER, TYPED_VARIANT, BleuVariant, from_counts, with_agreement
from retrieval.folding import fold
from retrieval.ngrams import OrderPostings, orders, read_captions
from retrieval.words import WordTable

PARTS = ("keys", "starts", "rows", "counts", "said")


class BleuPostings:
    """The captions of n pictures, ready to be scored at once; pictures are numbered by row from 0."""

    def __init__(
        self,
        table: WordTable,
        ngrams: Sequence[OrderPostings],
        lengths: np.ndarray,
        length_starts: np.ndarray,
        length_set: np.ndarray,
        captions: np.ndarray,
        fold: Callable[[str], str] = fold,
    ) -> None:
        """Use `build` or `load`. `length_set` (n,): each picture's set of caption lengths, in `lengths` from
        `length_starts` (sets,) on; pictures share few such sets. `captions` (n,): how many each picture has."""
        self._table = table
        self._ngrams = ngrams
        self._lengths = lengths
        self._length_starts = length_starts
        self._length_set = length_set
        self._captions = captions
        self._fold = fold

    @classmethod
    def build(
        cls, gallery: Iterable[Sequence[str]], max_order: int = INDEXED_ORDER, fold: Callable[[str], str] = fold
    ) -> BleuPostings:
        """Index the caption texts of each picture, which may have none, for n-grams up to `max_order`.

        Words of captions and queries are compared as `fold` gives them.
        """
        captions = read_captions(gallery, fold)
        sizes = [len(lengths) for lengths in captions.length_sets]
        length_starts = np.cumsum([0, *sizes])[:-1]
        lengths = np.array([length for lengths in captions.length_sets for length in lengths], np.int64)
        ngrams = list(orders(captions, max_order))
        counts = np.bincount(captions.picture, minlength=len(captions.length_set))
        return cls(captions.table, ngrams, lengths, length_starts, captions.length_set, counts, fold)

    @property
    def max_order(self) -> int:
        """The longest n-gram that can be scored."""
        return len(self._ngrams)

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self._length_set)

    def scores(self, query: Sequence[str], variant: BleuVariant = TYPED_VARIANT) -> tuple[np.ndarray, np.ndarray]:
        """Return rows int32 (m,), rising, and their scores float64 (m,); pictures without any query word are left out.

        Raises ValueError when `variant` has higher orders than were indexed.
        """
        if variant.max_order > self.max_order:
            raise ValueError(f"the postings hold orders 1 to {self.max_order}, not {variant.max_order}")
        words = [self._fold(word) for word in query]
        matches = self._matches(words, variant.max_order)
        rows = np.flatnonzero(matches[0])
        if not len(rows):
            return rows.astype(np.int32), np.zeros(0)
        closest = self._closest_lengths(len(words))[self._length_set[rows]]
        bleu = from_counts(matches[:, rows], len(words), closest, variant)
        distinct = list(set(words)) if variant.agreement else []
        said, possible = self._said(distinct)[rows], len(distinct) * self._captions[rows]
        return rows.astype(np.int32), with_agreement(bleu, said, possible, variant)

    def dense(self, query: Sequence[str], variant: BleuVariant = TYPED_VARIANT) -> np.ndarray:
        """The same as `scores` for every picture, float64 (n,), 0 for those without any query word."""
        every = np.zeros(len(self))
        rows, found = self.scores(query, variant)
        every[rows] = found
        return every

    def top(
        self, query: Sequence[str], variant: BleuVariant, count: int, absent: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return rows int32 and scores of the `count` best pictures, best first, ties by row, without `absent` (n,).

        Pictures without any query word are left out. Raises ValueError as `scores` does.
        """
        rows, scores = self.scores(query, variant)
        if absent is not None:
            rows, scores = rows[~absent[rows]], scores[~absent[rows]]
        order = np.lexsort((rows, -scores))[:count]
        return rows[order], scores[order]

    def at(self, query: Sequence[str], variant: BleuVariant, rows: np.ndarray) -> np.ndarray:
        """Return the scores, float64 (m,), of the pictures in `rows` (m,). Raises ValueError as `scores` does."""
        return self.dense(query, variant)[rows]

    def save(self, folder: Path) -> None:
        """Write the arrays to `folder`. Raises OSError."""
        save_arrays(folder, {"letters": self._table.letters, "words": self._table.starts})
        save_arrays(folder, {"lengths": self._lengths, "length_starts": self._length_starts})
        save_arrays(folder, {"length_set": self._length_set, "captions": self._captions})
        for order, postings in enumerate(self._ngrams, 1):
            save_arrays(folder, {f"{part}_{order}": getattr(postings, part) for part in PARTS})

    @classmethod
    def load(cls, folder: Path, max_order: int) -> BleuPostings:
        """Map the arrays in `folder` into memory. Raises IndexDamaged or FileNotFoundError."""
        table = WordTable(load_array(folder, "letters"), load_array(folder, "words"))
        ngrams = [
            OrderPostings(*(load_array(folder, f"{part}_{order}") for part in PARTS))
            for order in range(1, max_order + 1)
        ]
        if any(not len(one.rows) == len(one.counts) == len(one.said) for one in ngrams) or any(
            len(one.starts) != len(one.keys) + 1 for one in ngrams
        ):
            raise IndexDamaged("the arrays of the search index do not fit together")
        lengths, starts = load_array(folder, "lengths"), load_array(folder, "length_starts")
        return cls(table, ngrams, lengths, starts, load_array(folder, "length_set"), load_array(folder, "captions"))

    def _matches(self, query: Sequence[str], max_order: int) -> np.ndarray:
        """Return the clipped matches of each order in each picture, int64 (max_order, n)."""
        matches = np.zeros((max_order, len(self)), np.int64)
        words = self._table.ids(query)
        ids = words
        for order, postings in enumerate(self._ngrams[:max_order], 1):
            if order > 1:
                before, last = ids[:-1], words[order - 1 :]
                ids = postings.find(np.where((before < 0) | (last < 0), -1, before * len(self._table) + last))
            if not (ids >= 0).any():
                break
            matches[order - 1] = self._count(postings, ids[ids >= 0])
        return matches

    def _count(self, postings: OrderPostings, ids: np.ndarray) -> np.ndarray:
        distinct, repeats = np.unique(ids, return_counts=True)
        spans = [slice(postings.starts[one], postings.starts[one + 1]) for one in distinct]
        rows = np.concatenate([postings.rows[span] for span in spans])
        if repeats.max() == 1:  # Every count is clipped to 1 then.
            return np.bincount(rows, minlength=len(self))
        clipped = [np.minimum(postings.counts[span], most) for span, most in zip(spans, repeats, strict=True)]
        return np.bincount(rows, weights=np.concatenate(clipped), minlength=len(self)).astype(np.int64)

    def _said(self, words: Sequence[str]) -> np.ndarray:
        """Return in how many captions of each picture each of the distinct `words` stands, summed over them, (n,)."""
        words_postings, ids = self._ngrams[0], self._table.ids(words)
        total = np.zeros(len(self), np.int64)
        for one in ids[ids >= 0]:
            span = slice(words_postings.starts[one], words_postings.starts[one + 1])
            total[words_postings.rows[span]] += words_postings.said[span]  # A row stands once in a span.
        return total

    def _closest_lengths(self, length: int) -> np.ndarray:
        """Return, for each set of lengths, the one closest to `length`; the shorter of two that are equally close."""
        above_all = int(self._lengths.max(initial=0)) + 1
        ranked = np.abs(self._lengths - length) * above_all + self._lengths
        return np.minimum.reduceat(ranked, self._length_starts) % above_all
