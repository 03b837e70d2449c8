"""BLEU of a query against every picture of a gallery, computed from n-gram postings.

Only the postings of the query's own n-grams are read. The scores equal those of `retrieval.bleu.score.score` on words
stemmed by `data.text.fold`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np

from data.text import fold
from retrieval.arrays import IndexDamaged, load_array, save_arrays
from retrieval.bleu import topk
from retrieval.bleu.builder import Kinds, WordTable, build_postings, read_captions
from retrieval.bleu.ngrams import ABSENT, NgramPostings, Term, clipped, unpack
from retrieval.bleu.score import INDEXED_ORDER, TYPED_VARIANT, BleuVariant, from_counts, with_agreement
from retrieval.bleu.topk import make_plan

KIND_PARTS = tuple(field.name for field in fields(Kinds))
NGRAM_PARTS = tuple(field.name for field in fields(NgramPostings))
COMPILED_FROM = 50_000
"""The number of pictures from which the compiled search is worth loading; below, NumPy takes a few milliseconds."""


class BleuPostings:
    """The indexed captions of n pictures; pictures are numbered by row from 0."""

    def __init__(
        self, table: WordTable, ngrams: NgramPostings, kinds: Kinds, fold: Callable[[str], str] = fold
    ) -> None:
        """Use `build` or `load`."""
        self._table = table
        self._ngrams = ngrams
        self._kinds = kinds
        self._fold = fold
        self._search: topk.TopSearch = topk.NumpySearch(ngrams, kinds)
        self._last: tuple[tuple[int | str, ...], tuple[list[str], list[Term]]] = (0,), ([], [])

    @classmethod
    def build(
        cls, gallery: Iterable[Sequence[str]], max_order: int = INDEXED_ORDER, fold: Callable[[str], str] = fold
    ) -> BleuPostings:
        """Index the caption texts of each picture, which may have none, for n-grams up to `max_order`.

        Words of captions and queries are compared as `fold` gives them.
        """
        captions = read_captions(gallery, fold)
        return cls(captions.table, build_postings(captions, max_order), captions.kinds, fold)

    def warm_up(self) -> None:
        """Load the compiled search if the gallery is large enough for it; `top` uses it from then on.

        For processes that answer many queries: loading takes about a second, and several the first time ever.
        """
        if len(self) >= COMPILED_FROM and isinstance(self._search, topk.NumpySearch):
            self.compile()

    def compile(self) -> None:
        """Load the compiled search for a gallery of any size, and run it once so that all of it is compiled."""
        from retrieval.bleu.compiled import CompiledSearch

        self._search = CompiledSearch(self._ngrams, self._kinds)
        if len(self._table):
            plan = make_plan(["any"], [Term(1, 0, 1)], BleuVariant(1, (1.0,), 0), self._kinds)
            assert plan is not None  # One word needs small tables only.
            self._search.top(plan, 1, None)

    @property
    def max_order(self) -> int:
        """The longest n-gram that can be scored."""
        return self._ngrams.max_order

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self._kinds.of_picture)

    def captioned(self, rows: np.ndarray) -> int:
        """Return how many of the pictures `rows` (m,) have a caption."""
        return int(np.count_nonzero(self._kinds.captions[self._kinds.of_picture[rows]]))

    def top(
        self, query: Sequence[str], variant: BleuVariant, count: int, absent: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the best `count` of what `scores` returns: rows int32 (m,) and scores float64 (m,).

        The best score comes first; of equal scores the lower row. Rows marked in `absent`, bool (n,), are left out.
        Raise ValueError as `scores` does.
        """
        words, terms = self._read(query, variant)
        if not terms:
            return np.zeros(0, np.int32), np.zeros(0)
        plan = make_plan(words, terms, variant, self._kinds)
        if plan is not None:
            return self._search.top(plan, count, absent)
        rows, scores = self.scores(query, variant)
        if absent is not None:
            rows, scores = rows[~absent[rows]], scores[~absent[rows]]
        return topk.first(rows, scores, count)

    def at(self, query: Sequence[str], variant: BleuVariant, rows: np.ndarray) -> np.ndarray:
        """Return the scores of the pictures `rows` (m,), which may be in any order, float64 (m,).

        The time grows with the rows times the words of the query. Raise ValueError as `scores` does.
        """
        words, terms = self._read(query, variant)
        rows = np.asarray(rows, np.int32)
        matches, containing = np.zeros((variant.max_order, len(rows)), np.int64), np.zeros(len(rows), np.int64)
        for term in terms:
            counts, captions = unpack(self._ngrams.marks_at(term.ngram, rows))
            matches[term.order - 1] += clipped(counts, term.repeats)
            containing += captions if term.order == 1 else 0
        return self._finish(words, variant, rows, matches, containing)

    def scores(self, query: Sequence[str], variant: BleuVariant = TYPED_VARIANT) -> tuple[np.ndarray, np.ndarray]:
        """Return rows int32 (m,), rising, and their scores float64 (m,), of the pictures with any query word.

        Raise ValueError when `variant` has higher orders than were indexed.
        """
        words, terms = self._read(query, variant)
        matches, containing = np.zeros((variant.max_order, len(self)), np.int64), np.zeros(len(self), np.int64)
        for term in terms:
            rows, marks = self._ngrams.postings(term.ngram)
            counts, captions = unpack(marks)
            matches[term.order - 1][rows] += clipped(counts, term.repeats)  # Each row occurs once.
            if term.order == 1:
                containing[rows] += captions
        rows = np.flatnonzero(matches[0]).astype(np.int32)
        return rows, self._finish(words, variant, rows, matches[:, rows], containing[rows])

    def dense(self, query: Sequence[str], variant: BleuVariant = TYPED_VARIANT) -> np.ndarray:
        """Return the score of every picture, float64 (n,), 0 for those without any query word."""
        every = np.zeros(len(self))
        rows, scores = self.scores(query, variant)
        every[rows] = scores
        return every

    def spread(self, words: Sequence[str], absent: np.ndarray | None = None) -> np.ndarray:
        """Return how many pictures have each of `words` (w,), int64 (w,), without the rows `absent`, bool (n,)."""
        dead = None if absent is None else np.flatnonzero(absent).astype(np.int32)
        places = self._ngrams.find_words(self._table.ids([self._fold(word) for word in words]))
        return np.array([0 if one == ABSENT else self._ngrams.pictures(one, dead) for one in places.tolist()], np.int64)

    def saying_pair(self, pair: Sequence[str]) -> int:
        """Return how many pictures have two words one after the other in a caption, those that are absent included."""
        if self.max_order < len(pair):
            return 0
        terms = self._ngrams.terms(self._table.ids([self._fold(word) for word in pair]), len(pair))
        return sum(self._ngrams.pictures(one.ngram, None) for one in terms if one.order == len(pair))

    def rows_with(self, words: Sequence[str]) -> np.ndarray:
        """Return the rows whose captions say `words` one after the other, int64, rising.

        More words than the longest n-gram are found by each n-gram of them, which may stand in different captions.
        """
        ids = self._table.ids([self._fold(word) for word in words])
        size = min(len(ids), self.max_order)
        rows = np.arange(len(self))
        for start in range(len(ids) - size + 1):
            longest = [one.ngram for one in self._ngrams.terms(ids[start : start + size], size) if one.order == size]
            if not longest:
                return rows[:0]
            rows = np.intersect1d(rows, self._ngrams.postings(longest[0])[0], assume_unique=True)
        return rows

    def save(self, folder: Path) -> None:
        """Write the arrays to `folder`. Raise OSError."""
        save_arrays(folder, {"letters": self._table.letters, "words": self._table.starts})
        save_arrays(folder, {f"kind_{name}": getattr(self._kinds, name) for name in KIND_PARTS})
        save_arrays(folder, {f"ngram_{name}": getattr(self._ngrams, name) for name in NGRAM_PARTS})

    @classmethod
    def load(cls, folder: Path, max_order: int) -> BleuPostings:
        """Map the arrays in `folder` into memory. Raise IndexDamaged or FileNotFoundError."""
        table = WordTable(load_array(folder, "letters"), load_array(folder, "words"))
        kinds = Kinds(**{name: load_array(folder, f"kind_{name}") for name in KIND_PARTS})
        ngrams = NgramPostings(
            **{name: load_array(folder, f"ngram_{name}", 2 if name == "dense" else 1) for name in NGRAM_PARTS}
        )
        if ngrams.max_order != max_order or ngrams.dense.shape[1] != len(kinds.of_picture):
            raise IndexDamaged("the arrays of the search index do not fit together")
        return cls(table, ngrams, kinds)

    def _read(self, query: Sequence[str], variant: BleuVariant) -> tuple[list[str], list[Term]]:
        if variant.max_order > self.max_order:
            raise ValueError(f"the postings hold orders 1 to {self.max_order}, not {variant.max_order}")
        sought: tuple[int | str, ...] = (variant.max_order, *query)
        last = self._last  # Retrievers and scorers ask the same of one query; other threads may ask in between.
        if last[0] != sought:
            words = [self._fold(word) for word in query]
            self._last = last = sought, (words, self._ngrams.terms(self._table.ids(words), variant.max_order))
        return last[1]

    def _finish(
        self, words: Sequence[str], variant: BleuVariant, rows: np.ndarray, matches: np.ndarray, containing: np.ndarray
    ) -> np.ndarray:
        """Return scores, float64 (m,), from matches (orders, m) and the numbers of captions with query words (m,)."""
        if not words:
            return np.zeros(len(rows))
        kinds = self._kinds.of_picture[rows]
        bleu = from_counts(matches, len(words), self._kinds.closest(len(words))[kinds], variant)
        possible = len(set(words)) * np.maximum(self._kinds.captions[kinds], 1)
        return with_agreement(bleu, containing, possible, variant)
