"""Hits in groups: those with one value of a field together, the group of the best hit first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from data.catalogue.columns import NONE
from data.catalogue.values import Value, plain
from data.facts import Facts
from retrieval.search.catalogue import StoredField
from retrieval.search.query import QueryError


class Group(NamedTuple):
    """The hits with one value of a field as JSON has it, None for those without: `pictures` from place `first` on."""

    value: Any
    pictures: int
    first: int


@dataclass(frozen=True)
class Grouping:
    """The value of a field of n pictures: `ids` (n,) rising, `codes` (n,), NONE or rows of `values`."""

    name: str
    ids: np.ndarray
    codes: np.ndarray
    values: list[Any]

    def order(self, ids: np.ndarray) -> tuple[np.ndarray, list[Group]]:
        """Return the places of `ids` (m,), best first, such that each group is together, and the groups in order."""
        codes = self._codes_of(ids)
        present, first, counts = np.unique(codes, return_index=True, return_counts=True)
        order = np.argsort(first)
        rank = np.zeros(len(present), np.int64)
        rank[order] = np.arange(len(present))
        places = np.argsort(rank[np.searchsorted(present, codes)], kind="stable")
        starts = np.cumsum(counts[order]) - counts[order]
        rows = zip(present[order].tolist(), counts[order].tolist(), starts.tolist(), strict=True)
        return places, [Group(None if code == NONE else self.values[code], count, start) for code, count, start in rows]

    def _codes_of(self, ids: np.ndarray) -> np.ndarray:
        if not len(self.ids):
            return np.full(len(ids), NONE)
        places = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        return np.where(self.ids[places] == ids, self.codes[places], NONE)


def grouping_of(field: StoredField, facts: Facts) -> Grouping:
    """Return the grouping by a field of the catalogue. Raise QueryError for free texts, or StoreError."""
    column = facts.catalogue.column(field.of)
    if column.values.texts is None:
        raise QueryError(f"{field.of.name} is a free text; group by a category, number, day or yes/no")
    numbers = [None if np.isnan(number) else number for number in column.values.numbers.tolist()]
    values = [plain(field.of.type, Value(*pair)) for pair in zip(column.values.texts, numbers, strict=True)]
    return Grouping(field.of.name, facts.ids, column.codes, values)
