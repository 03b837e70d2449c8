"""Fields of the catalogue as arrays over a library, so that a million pictures are filtered in milliseconds.

A column is read when it is first used. After a change of the store only the pictures that changed are read again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from threading import Lock
from types import NoneType
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import Connection, Select, case, func, select

from data import reads
from data.catalogue.values import SOURCES, TEXT, CatalogueField, key_of
from data.changes import changes_since
from data.database import chunks
from data.soundness import sound, tell_damage
from data.store import Store
from data.tables import catalogue_values, facts

NONE = -1
"""The code of a picture that has no value."""
FEW = 20_000
"""Changed pictures that are read one after the other; more are read with all others."""
_RANK = case({source: rank for rank, source in enumerate(SOURCES)}, value=facts.c.source, else_=len(SOURCES))


class Dictionary(NamedTuple):
    """The v values of a field: ids, int64, rising; numbers, float64, NaN for none; texts, None for type text."""

    ids: np.ndarray
    numbers: np.ndarray
    texts: list[str] | None


class Column(NamedTuple):
    """A field of n pictures: `codes`, int32 (n,), are rows of `values`, NONE where a picture has no value.

    `confidences`, float32 (n,), are those of predicted values, NaN for all others.
    """

    codes: np.ndarray
    values: Dictionary
    confidences: np.ndarray


@dataclass(frozen=True)
class _Stored:
    """What a column was made of at one generation: the items with a value, rising, and what each has."""

    generation: int
    items: np.ndarray
    values: np.ndarray
    confidences: np.ndarray


class ColumnCache:
    """What is in memory of the columns of a store, whatever its state; several threads may use it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._stored: dict[int, _Stored] = {}
        self._values: dict[int, tuple[object, Dictionary]] = {}
        self._reading = Lock()

    def column(self, of: CatalogueField, ids: np.ndarray, generation: int) -> Column:
        """Return the field for pictures of rising `ids`, at this generation or a later one. Raises StoreError."""
        with self._reading:
            stored = self._stored[of.id] = self._current(of, generation)
            values = self._dictionary(of)
        codes, confidences = np.full(len(ids), NONE, np.int32), np.full(len(ids), np.nan, np.float32)
        if len(stored.items) and len(values.ids):
            at = np.minimum(np.searchsorted(stored.items, ids), len(stored.items) - 1)
            ranks = np.minimum(np.searchsorted(values.ids, stored.values), len(values.ids) - 1)
            ranks = np.where(values.ids[ranks] == stored.values, ranks, NONE)
            present = stored.items[at] == ids
            codes = np.where(present, ranks[at], NONE).astype(np.int32)
            confidences = np.where(present, stored.confidences[at], np.nan)
        return Column(codes, values, confidences)

    def find(self, of: CatalogueField, text: str) -> list[int]:
        """Return the ids of the values that are this text, in small or large letters. Raises StoreError."""
        query = select(catalogue_values.c.id, catalogue_values.c.text)
        same = (catalogue_values.c.field_id == of.id) & (catalogue_values.c.key == key_of(text))
        with self._store.reading() as connection:
            rows = connection.execute(query.where(same, sound(catalogue_values))).all()
        return [number for number, stored in rows if stored.casefold() == text.casefold()]

    def items_with(self, of: CatalogueField, values: Collection[int]) -> list[tuple[int, int]]:
        """Return (item, value id) of the items that have one of these values of a field now. Raises StoreError."""
        generation = self._store.generation()
        with self._reading:
            stored = self._stored[of.id] = self._current(of, generation)
        rows = np.isin(stored.values, np.array(list(values), np.int64))
        return list(zip(stored.items[rows].tolist(), stored.values[rows].tolist(), strict=True))

    def text_ranks(self, of: CatalogueField, values: Dictionary) -> np.ndarray:
        """Return the place of each value in the order of their texts, (v,). Raises StoreError."""
        if values.texts is not None:
            ordered = sorted(range(len(values.texts)), key=lambda row: values.texts[row].casefold())  # type: ignore[index]
            rows = np.array(ordered, np.int64)
        else:
            query = select(catalogue_values.c.id).where(catalogue_values.c.field_id == of.id)
            with self._store.reading() as connection:
                ids = connection.scalars(query.order_by(func.lower(catalogue_values.c.text))).all()
            rows = np.searchsorted(values.ids, np.array(ids, np.int64))
        ranks = np.zeros(len(values.ids))
        ranks[rows[rows < len(ranks)]] = np.arange(np.count_nonzero(rows < len(ranks)))
        return ranks

    def _current(self, of: CatalogueField, generation: int) -> _Stored:
        before = self._stored.get(of.id)
        if before is not None and before.generation >= generation:
            return before
        with self._store.reading() as connection:
            changes = changes_since(connection, before.generation) if before else None
            if before is None or changes is None or len(changes.changed) > FEW:
                return _Stored(reads.generation(connection), *_read(connection, [_facts_of(of)]))
            pieces = chunks(changes.changed.tolist())
            new = _read(connection, [_facts_of(of).where(facts.c.item_id.in_(one)) for one in pieces])
        kept = ~np.isin(before.items, np.concatenate([changes.changed, changes.gone]))
        items = np.concatenate([before.items[kept], new[0]])
        order = np.argsort(items, kind="stable")
        values = np.concatenate([before.values[kept], new[1]])
        confidences = np.concatenate([before.confidences[kept], new[2]])
        return _Stored(changes.generation, items[order], values[order], confidences[order])

    def _dictionary(self, of: CatalogueField) -> Dictionary:
        """Return the values of a field, read again when there are others. They are never changed, only added."""
        own = catalogue_values.c.field_id == of.id
        with self._store.reading() as connection:
            count = connection.execute(select(func.count(), func.max(catalogue_values.c.id)).where(own)).one()
            state = (of.type, *count)
            known = self._values.get(of.id)
            if known is None or known[0] != state:
                self._values[of.id] = state, _read_dictionary(connection, of)
        return self._values[of.id][1]


class Columns:
    """The columns of one state of a store: of the pictures of rising `ids`, at its generation."""

    def __init__(self, cache: ColumnCache, ids: np.ndarray, generation: int) -> None:
        self._cache, self._ids, self._generation = cache, ids, generation
        self._columns: dict[int, Column] = {}
        self._ranks: dict[int, np.ndarray] = {}

    def column(self, of: CatalogueField) -> Column:
        """Return a field of all pictures. Raises StoreError."""
        if of.id not in self._columns:
            self._columns[of.id] = self._cache.column(of, self._ids, self._generation)
        return self._columns[of.id]

    def sure(self, confidence: float) -> Columns:
        """Return these columns without predicted values of a lower confidence."""
        return _SureColumns(self, confidence)

    def find(self, of: CatalogueField, text: str) -> list[int]:
        """Return the ids of the values that are this text, see `ColumnCache.find`. Raises StoreError."""
        return self._cache.find(of, text)

    def text_ranks(self, of: CatalogueField) -> np.ndarray:
        """Return the place of each value of the field in the order of their texts, (v,). Raises StoreError."""
        if of.id not in self._ranks:
            self._ranks[of.id] = self._cache.text_ranks(of, self.column(of).values)
        return self._ranks[of.id]


class _SureColumns(Columns):
    """Columns in which predicted values below a confidence count as none."""

    def __init__(self, every: Columns, confidence: float) -> None:
        super().__init__(every._cache, every._ids, every._generation)
        self._every, self._confidence = every, confidence

    def column(self, of: CatalogueField) -> Column:
        codes, values, confidences = self._every.column(of)
        return Column(np.where(confidences < self._confidence, NONE, codes), values, confidences)

    def text_ranks(self, of: CatalogueField) -> np.ndarray:
        return self._every.text_ranks(of)


def _facts_of(of: CatalogueField) -> Select[tuple[int, int | None, int, float | None]]:
    return select(facts.c.item_id, facts.c.value_id, _RANK, facts.c.confidence).where(facts.c.field_id == of.id)


def _read(
    connection: Connection, queries: list[Select[tuple[int, int | None, int, float | None]]]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return items, value ids and confidences, of several sources the first; without values that a person took away."""
    rows = [row for query in queries for row in connection.execute(query).all()]
    if not all(map(_is_sound, rows)):
        tell_damage(facts, "of a field")
        rows = [row for query in queries for row in connection.execute(query.where(sound(facts))).all()]
    if not rows:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32)
    columns = zip(*rows, strict=True)
    items = np.array(next(columns), np.int64)
    values = np.array([NONE if one is None else one for one in next(columns)], np.int64)
    ranks = np.array(next(columns), np.int64)
    confidences = np.array(next(columns), np.float32)  # None becomes NaN
    order = np.lexsort((ranks, items))
    items, values, confidences = items[order], values[order], confidences[order]
    first = np.diff(items, prepend=items[0] - 1) != 0
    kept = first & (values != NONE)
    return items[kept], values[kept], confidences[kept]


def _is_sound(row: Sequence[Any]) -> bool:
    """Return whether the types are right; to check them here is faster than by SQL."""
    item, value, _, confidence = row
    return type(item) is int and type(value) in (int, NoneType) and type(confidence) in (float, int, NoneType)


def _read_dictionary(connection: Connection, of: CatalogueField) -> Dictionary:
    own, value = catalogue_values.c.field_id == of.id, catalogue_values.c
    if of.type == TEXT:  # of which there may be a million; their texts are read where they are needed
        ids = np.fromiter(connection.scalars(select(value.id).where(own).order_by(value.id)), np.int64)
        return Dictionary(ids, np.full(len(ids), np.nan), None)
    query = select(value.id, value.number, value.text).where(own, sound(catalogue_values)).order_by(value.id)
    rows = connection.execute(query).all()
    numbers = np.array([row.number for row in rows], np.float64)  # None becomes NaN
    return Dictionary(np.array([row.id for row in rows], np.int64), numbers, [row.text for row in rows])
