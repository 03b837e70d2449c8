"""The rows of a comparison: for each kind of vectors and each search, how good, how fast and how large it is."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, cast

import numpy as np
from tqdm import tqdm

from captioner.arithmetic import unit
from captioner.types import SearchDescriber, StagedDescriber
from data.errors import RetroflexError, one_line
from data.progress import progress_bar
from retrieval.indexing.derived import derive
from training.comparison.cache import DescriptionCache, descriptions_of, vectors_of
from training.comparison.gallery import Copies, Gallery
from training.comparison.kinds import PRODUCT, Kind, ms_to_describe
from training.comparison.measures import first_found, measure
from training.comparison.neighbours import SEARCHES
from training.comparison.product import ProductSearch

MOST_QUERIES = 1_000
"""Of more pictures, this many are drawn as queries."""


@dataclass(frozen=True)
class Row:
    """One kind of vectors, searched in one way; the figures that could be measured, None for the others.

    `p10`, `map`, `recall` and `copies` are percent, see `training.comparison.measures`; `ms_describe` and `ms_query`
    milliseconds for a picture, `build_s` the seconds to build the index, `bytes` what that keeps for a picture.
    `problem` says why nothing was measured.
    """

    features: str
    search: str
    p10: float | None = None
    map: float | None = None
    copies: float | None = None
    recall: float | None = None
    ms_describe: float | None = None
    ms_query: float | None = None
    build_s: float | None = None
    bytes: float | None = None
    dimensions: int | None = None
    pictures: int | None = None
    model_version: str | None = None
    problem: str | None = None


@dataclass(frozen=True)
class Comparison:
    """Compares kinds of vectors on a `gallery`; what is made of pictures is kept in `cache`."""

    gallery: Gallery
    copies: Copies
    cache: DescriptionCache
    seed: int

    def rows(self, kinds: Sequence[Kind], searches: Sequence[str]) -> Iterator[Row]:
        """Yield the rows of each kind; a kind or a search that cannot run here is a row that says why."""
        for kind in kinds:
            ways = [PRODUCT] if kind.name == PRODUCT else searches
            try:
                yield from self._rows_of(kind, ways)
            except (RetroflexError, ImportError) as error:
                yield from (Row(kind.name, way, problem=_reason(error)) for way in ways)

    def _rows_of(self, kind: Kind, searches: Sequence[str]) -> Iterator[Row]:
        describer = kind.load()
        self._describe(kind, describer)
        milliseconds = ms_to_describe(kind, describer, self.gallery.files)
        if kind.name == PRODUCT:
            rows: Iterator[Row] = iter([self._product(cast(SearchDescriber, describer))])
        else:
            rows = self._by_vectors(kind.name, describer.model_version, searches)
        for row in rows:
            described = None if milliseconds is None else round(milliseconds, 2)
            yield replace(row, ms_describe=described, model_version=describer.model_version)

    def _describe(self, kind: Kind, describer: StagedDescriber) -> None:
        """Describe what is not described yet; vectors by a metric are made of those of its own kind."""
        by = kind.source() if kind.source else describer
        if self.gallery.store is None:
            self.cache.describe(by, self.gallery.files, f"{kind.name}, pictures")
        self.cache.describe(by, self.copies.files, f"{kind.name}, copies")
        if kind.metric and (self.copies.files or self.gallery.store is None):
            derive(self.cache.store, kind.metric)

    def _by_vectors(self, name: str, model_version: str, searches: Sequence[str]) -> Iterator[Row]:
        store, items = self.gallery.store or self.cache.store, self._items()
        there, vectors = vectors_of(store, name, model_version, items)
        if len(vectors) < 2:
            raise RetroflexError(self._no_vectors(name, model_version))
        matrix = unit(vectors).astype(np.float32)
        known, copies = vectors_of(self.cache.store, name, model_version, self.cache.items(self.copies.files))
        targets = self.copies.rows[known]
        copies, targets = copies[there[targets]], (np.cumsum(there) - 1)[targets[there[targets]]]
        labels = None if self.gallery.labels is None else self.gallery.labels[there]
        searched = _Searched(matrix, labels, items[there], unit(copies).astype(np.float32), targets)
        for way in searches:
            try:
                yield self._search(Row(name, way), searched)
            except ImportError as error:
                yield Row(name, way, problem=_reason(error, SEARCHES[way].extra))

    def _items(self) -> np.ndarray:
        return self.cache.items(self.gallery.files) if self.gallery.items is None else self.gallery.items

    def _no_vectors(self, name: str, model_version: str) -> str:
        if self.gallery.store is None:
            return "fewer than two pictures can be read"
        stored = self.gallery.store.main_models().get(name)
        by = f"made by {stored}, and this is {model_version}" if stored else "not in the library"
        return f"its vectors are {by}; run retroflex index --features {name}"

    def _search(self, row: Row, searched: _Searched) -> Row:
        matrix, labels, items, copies, targets = searched
        SEARCHES[row.search].build(matrix[:2]).close()  # loads its library, which is no part of the time
        started = time.perf_counter()
        index = SEARCHES[row.search].build(matrix)
        seconds = time.perf_counter() - started
        try:
            figures = measure(
                lambda query, count: index.search(matrix[query], count),
                len(matrix),
                self._queries(len(matrix), f"{row.features}, {row.search}"),
                labels,
                matrix,
            ).to_json()
            found = first_found(lambda number: index.search(copies[number], 1), targets.tolist(), items)
            size = round(index.bytes / len(matrix))
        finally:
            index.close()
        row = replace(row, dimensions=matrix.shape[1], pictures=len(matrix), bytes=size)
        return replace(row, **figures, copies=found, build_s=round(seconds, 4))

    def _queries(self, count: int, title: str) -> tqdm:
        """Return the rows of the queries, rising, with a bar where they take long."""
        drawn = np.sort(np.random.default_rng(self.seed).permutation(count)[:MOST_QUERIES])
        return progress_bar(drawn.tolist(), desc=title, unit="query", leave=False, delay=1)

    def _product(self, captioner: SearchDescriber) -> Row:
        store, items = self.gallery.store or self.cache.store, self._items()
        described = descriptions_of(store, captioner, items)
        rows = [row for row, one in enumerate(described) if one is not None]
        if len(rows) < 2:
            raise RetroflexError(self._no_vectors(captioner.search_model.encoder, captioner.model_version))
        position = {row: number for number, row in enumerate(rows)}
        made = descriptions_of(self.cache.store, captioner, self.cache.items(self.copies.files))
        copies = [
            (copy, position[row])
            for copy, row in zip(made, self.copies.rows.tolist(), strict=True)
            if copy is not None and row in position
        ]
        labels = None if self.gallery.labels is None else self.gallery.labels[rows]
        kept = [one for one in described if one is not None]
        started = time.perf_counter()
        with ProductSearch(captioner, kept) as search:
            seconds = time.perf_counter() - started
            queries = self._queries(len(rows), PRODUCT)
            figures = measure(
                lambda query, count: search.ranked(kept[query], count), len(rows), queries, labels, None
            ).to_json()
            targets = [row for _, row in copies]
            found = first_found(lambda number: search.ranked(copies[number][0], 1), targets, items[rows])
            size = round(search.bytes / len(rows))
        return Row(PRODUCT, PRODUCT, **figures, copies=found, build_s=round(seconds, 4), bytes=size, pictures=len(rows))


class _Searched(NamedTuple):
    """Unit vectors `matrix` (n, d) with classes and item ids (n,), and `copies` (m, d) of the rows `targets` (m,)."""

    matrix: np.ndarray
    labels: np.ndarray | None
    items: np.ndarray
    copies: np.ndarray
    targets: np.ndarray


def _reason(error: Exception, extra: str = "") -> str:
    """Return in one line why something cannot run here."""
    if isinstance(error, ModuleNotFoundError):
        needed = f"pip install 'retroflex[{extra}]'" if extra else f"pip install {error.name}"
        return f"not available: needs the package {error.name}; install it with {needed}"
    return f"not available: {one_line(error)}"
