"""What a classifier is trained on: pictures of the library whose field has a value, with their stored vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from captioner.arithmetic import unit
from captioner.classifier import side_by_side
from data.catalogue.columns import NONE
from data.catalogue.values import CatalogueField
from data.errors import RetroflexError, nearest_of
from data.progress import progress_bar
from retrieval.library import Library

MOST_CLASSES = 1000
STRICT = 0.8
"""How far from the bundle's border of near copies to identity pictures count as the same content.

Photographs of different things on white are nearer than the border, and chains of them would be one content.
"""
ROWS = 500
"""Pictures compared with all others at a time."""


class Examples(NamedTuple):
    """n labelled pictures: `ids` (n,), unit `vectors` float32 (n, d) of several kinds side by side, and `numbers`,
    int64 (n,), their rows in `classes`. Those of equal content are one of `groups` (n,).

    `sources` has the model version of each kind; `left_out` counts pictures of classes with too few.
    """

    ids: np.ndarray
    vectors: np.ndarray
    numbers: np.ndarray
    groups: np.ndarray
    classes: list[str]
    sources: dict[str, str]
    left_out: int


def read_examples(
    library: Library, of: CatalogueField, kinds: Sequence[str], least: int, only: Sequence[str] = ()
) -> Examples:
    """Read the pictures whose value of a field a person, an import or a crawl gave, of classes with `least` or more.

    With `only` the classes are these. Raise RetroflexError where there is nothing to learn from, or StoreError.
    """
    index = library.searcher().index
    for kind in kinds:
        if kind not in index.models:
            raise RetroflexError(f"the library has no vectors of the kind {kind[:40]!r}; {_advice(kind, index.models)}")
    ids, texts, values = _labels(library, of)
    vectors = {kind: index.vectors.get(kind, ids) for kind in kinds}
    there = np.all([one.any(axis=1) for one in vectors.values()], axis=0)
    kept = there & np.isin(values, _wanted(values[there], texts, least, only))
    numbers, classes = _renumbered(values[kept], texts)
    if len(classes) < 2:
        raise RetroflexError(
            f"{of.name} has {len(classes)} values with {least} or more labelled pictures of the library, and two are "
            "needed; label more, or give a smaller --least"
        )
    calibration = library.model.calibration
    groups = same_content(index.vectors.get(library.model.encoder, ids[kept]), calibration.near_copy)
    joined = side_by_side([one[kept] for one in vectors.values()])
    sources = {kind: index.models[kind] for kind in kinds}
    left_out = int(np.count_nonzero(there & ~kept))
    return Examples(ids[kept], joined, numbers, groups, classes, sources, left_out)


def _advice(kind: str, models: Mapping[str, str]) -> str:
    if models:
        return f"{nearest_of(kind, sorted(models))}; `retroflex index --features` adds others"
    return "run: retroflex index"


def _labels(library: Library, of: CatalogueField) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Return the ids of pictures whose value nobody predicted, all values' texts, and the row of each among these."""
    facts, _ = library.collection.state()
    column = facts.catalogue.column(of)
    texts = column.values.texts
    if texts is None:
        raise RetroflexError(f"{of.name} is a field of free text; name one of categories, numbers, days or yes/no")
    labelled = (column.codes != NONE) & np.isnan(column.confidences)
    return facts.ids[labelled], texts, column.codes[labelled].astype(np.int64)


def _wanted(values: np.ndarray, texts: list[str], least: int, only: Sequence[str]) -> np.ndarray:
    """Return the rows of the values to learn."""
    counts = np.bincount(values, minlength=len(texts))
    many = np.flatnonzero(counts >= least)
    if only:
        by_text = {texts[row].casefold(): row for row in many.tolist()}
        for name in only:
            if name.casefold() not in by_text:
                raise RetroflexError(f"no class with {least} or more labelled pictures is called {name[:60]!r}")
        many = np.array([by_text[name.casefold()] for name in only], np.int64)
    if len(many) > MOST_CLASSES:
        raise RetroflexError(f"{len(many):,} classes are too many; at most {MOST_CLASSES:,} can be learnt")
    return many


def _renumbered(values: np.ndarray, texts: list[str]) -> tuple[np.ndarray, list[str]]:
    """Return the numbers of the classes of values, the most frequent class first, and their names."""
    present, counts = np.unique(values, return_counts=True)
    ordered = present[np.argsort(-counts, kind="stable")]
    number_of = np.zeros(len(texts), np.int64)
    number_of[ordered] = np.arange(len(ordered))
    return number_of[values], [texts[row] for row in ordered.tolist()]


def same_content(vectors: np.ndarray, near_copy: float) -> np.ndarray:
    """Return a number for each picture, int64 (n,), that is the same for near copies, by vectors (n, d).

    Copies of copies are copies, too. `near_copy` is the bundle's border, see STRICT.
    """
    border = near_copy + STRICT * (1 - near_copy)
    units = np.asarray(unit(vectors), np.float32)
    parents = list(range(len(units)))
    for start in progress_bar(range(0, len(units), ROWS), desc="near copies", unit="block", delay=1):
        near = units[start : start + ROWS] @ units[start:].T >= border
        for one, other in zip(*(rows + start for rows in np.nonzero(near)), strict=True):
            if one < other:
                parents[_root(parents, int(other))] = _root(parents, int(one))
    return np.array([_root(parents, row) for row in range(len(parents))], np.int64)


def _root(parents: list[int], row: int) -> int:
    while parents[row] != row:
        parents[row] = parents[parents[row]]
        row = parents[row]
    return row
