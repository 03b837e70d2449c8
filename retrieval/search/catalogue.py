"""The fields of the catalogue as fields of the search: made of what is stored, as others are declared in FIELDS."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from data.catalogue.columns import NONE, Column
from data.catalogue.fields import field_named
from data.catalogue.values import (
    BOOLEAN,
    DATE,
    DECIMAL,
    INTEGER,
    RANGED,
    TEXT,
    CatalogueField,
    ValueProblem,
    parse,
)
from data.facts import Facts
from data.records import StoredPicture
from retrieval.arrays import where
from retrieval.search import fields
from retrieval.search.declarations import Column as ExportColumn
from retrieval.search.declarations import Count, Option, Order
from retrieval.search.fields import Field, Masks
from retrieval.search.folders import FolderTree
from retrieval.search.query import QueryError

PREFIX = "field."
"""Begins the names of parameters, orders and facets of the catalogue."""
MOST_COUNTED = 200
"""Different numbers up to which each is counted; of more, a facet would say little."""
_ALWAYS = ("id", "path", "paths", "caption", "captions", "score", "scores", "matched", "fields", "links")
_CONDITION = re.compile(r"\s*(>=|<=|>|<|=)\s*")
_EXPORTED = {INTEGER: int, DECIMAL: float, BOOLEAN: bool}


def built_in_names() -> frozenset[str]:
    """Return the names that no field of the catalogue can have: those of what every picture has."""
    columns = {column.name for one in fields.FIELDS for column in one.columns}
    return frozenset({*_ALWAYS, *(one.name for one in fields.FIELDS), *columns})


@dataclass(frozen=True, kw_only=True)
class StoredField(Field):
    """A field of the catalogue. Its first option takes a tuple of values, of which a picture has to have one."""

    of: CatalogueField

    def read(self, name: str, raw: str) -> Any:
        """Return the value that `raw` says for an option, as `masks` takes it. Raise QueryError."""
        try:
            value = parse(self.of.type, raw)
        except ValueProblem as error:
            raise QueryError(f"{name}: {raw[:40]!a} {error}") from error
        if value is None:
            raise QueryError(f"{name} needs a value")
        return value.text

    def masks(self, values: Mapping[str, Any], facts: Facts, tree: FolderTree) -> Masks:
        """See Field."""
        name = self.options[0].name
        if name not in values:
            return {}
        column = facts.catalogue.column(self.of)
        found = [number for one in values[name] for number in facts.catalogue.find(self.of, str(one))]
        return {name: having(column, np.isin(column.values.ids, np.array(found, np.int64)))}

    def counts(self, facts: Facts, tree: FolderTree, kept: np.ndarray) -> list[Count]:
        """See Field; the most frequent first."""
        column = facts.catalogue.column(self.of)
        texts = column.values.texts or []
        counts = np.bincount(where(kept, column.codes) + 1, minlength=len(texts) + 1)[1:]
        order = np.argsort(-counts, kind="stable")
        return [Count(texts[row], int(counts[row])) for row in order.tolist() if counts[row]]

    def sort_keys(self, facts: Facts, values: Mapping[str, Any]) -> np.ndarray:
        """See Field; NaN, which comes last, where there is no value."""
        column = facts.catalogue.column(self.of)
        keys = column.values.numbers if self.of.type in (*RANGED, BOOLEAN) else facts.catalogue.text_ranks(self.of)
        return np.where(column.codes == NONE, np.nan, np.append(keys, np.nan)[column.codes])


@dataclass(frozen=True, kw_only=True)
class StoredRange(StoredField):
    """Whole numbers, decimals or dates; two further options take the lowest and the highest value."""

    def check(self, values: Mapping[str, Any]) -> None:
        """See Field."""
        low, high = (values.get(option.name) for option in self.options[1:])
        if low is not None and high is not None and low > high:
            raise QueryError(f"nothing has {self.of.name} from {low} to {high}; give the smaller one first")

    def read(self, name: str, raw: str) -> Any:
        """See StoredField; a number or a day."""
        value = super().read(name, raw)
        if self.of.type == DATE:
            return date.fromisoformat(value)
        return int(value) if self.of.type == INTEGER else float(value)

    def masks(self, values: Mapping[str, Any], facts: Facts, tree: FolderTree) -> Masks:
        """See Field."""
        exact, low, high = (option.name for option in self.options)
        given = [name for name in (exact, low, high) if name in values]
        if not given:
            return {}
        column = facts.catalogue.column(self.of)
        numbers = column.values.numbers
        tests: dict[str, Callable[[Any], np.ndarray]] = {
            exact: lambda given: np.isin(numbers, [number_of(one) for one in given]),
            low: lambda given: numbers >= number_of(given),
            high: lambda given: numbers <= number_of(given),
        }
        # One mask for all: to look up the values of a million pictures takes longest.
        return {given[0]: having(column, np.all([tests[name](values[name]) for name in given], axis=0))}

    def counts(self, facts: Facts, tree: FolderTree, kept: np.ndarray) -> list[Count]:
        """See Field; dates by year, all by rising value, and none where there are too many values."""
        column = facts.catalogue.column(self.of)
        numbers = column.values.numbers
        known = np.isfinite(numbers)
        shown = numbers[known]
        if self.of.type == DATE:
            shown = shown.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
        names, ranks = np.unique(shown, return_inverse=True)
        if len(names) > MOST_COUNTED:
            return []
        rows = np.zeros(len(numbers) + 1, np.int64)  # 0 for no value
        rows[1:][known] = ranks + 1
        counts = np.bincount(rows[where(kept, column.codes) + 1], minlength=len(names) + 1)[1:].tolist()
        return [Count(f"{name:.15g}", count) for name, count in zip(names.tolist(), counts, strict=True) if count]


def having(column: Column, wanted: np.ndarray) -> np.ndarray:
    """Return which pictures have a `wanted` value, bool (v,) over the values of the column; bool (n,)."""
    return np.append(wanted, False)[column.codes]  # the last for NONE, which is -1


def number_of(value: Any) -> float:
    """Return the number by which a value is compared."""
    return float((value - date(1970, 1, 1)).days) if isinstance(value, date) else float(value)


def fields_of(stored: Sequence[CatalogueField]) -> tuple[StoredField, ...]:
    """Return the fields of the search that the fields of a catalogue become."""
    return tuple(_field(one) for one in stored)


def _field(of: CatalogueField) -> StoredField:
    name, label = PREFIX + of.name, of.label
    is_value = Option(name, label, f"{label} is this; may be given several times.", f"{label}: {{}}")
    orders = (Order(name, f"{label}, rising"), Order(f"{name}.desc", f"{label}, falling", descending=True))
    exported = _EXPORTED.get(of.type, str)
    shared: dict[str, Any] = {
        "name": name,
        "of": of,
        "orders": orders,
        "columns": (ExportColumn(of.name, exported | None, lambda picture: fact_of(picture, of)),),
        "facet": "" if of.type == TEXT else name,
    }
    if of.type not in RANGED:
        return StoredField(options=(is_value,), **shared)
    low = Option(f"{name}.from", f"{label} from", f"{label} is this or more.", f"{label} from {{}}")
    high = Option(f"{name}.to", f"{label} to", f"{label} is this or less.", f"{label} to {{}}")
    return StoredRange(options=(is_value, low, high), **shared)


def fact_of(picture: StoredPicture, of: CatalogueField) -> Any:
    """Return the value of a field for one picture as JSON has it, None for none."""
    return next((fact.plain for fact in picture.facts if fact.field.id == of.id), None)


def read_conditions(conditions: Collection[str], own: Sequence[StoredField]) -> dict[str, Any]:
    """Return the values of filter options that conditions such as "baseColour=Navy Blue" and "year>=2012" say.

    Several values of one field with = are alternatives. Raise QueryError, or NoSuchField.
    """
    values: dict[str, Any] = {}
    by_name = {one.of.name: one for one in own}
    for condition in conditions:
        found = _CONDITION.search(condition)
        if found is None:
            raise QueryError(f"{condition[:60]!a} is no condition; write one like 'year>=2012' or 'colour=Navy Blue'")
        name, sign, raw = condition[: found.start()].strip(), found[1], condition[found.end() :]
        field = by_name[field_named([one.of for one in own], name).name]
        if sign == "=":
            option = field.options[0].name
            values[option] = (*values.get(option, ()), field.read(name, raw))
        elif not isinstance(field, StoredRange):
            raise QueryError(f"{name} is no number or date, so it cannot be compared by {sign}; write {name}=VALUE")
        else:
            values |= _border(field, name, sign, raw)
    return values


def _border(field: StoredRange, name: str, sign: str, raw: str) -> dict[str, Any]:
    value = field.read(name, raw)
    if len(sign) == 1:
        value = _next(value, 1 if sign == ">" else -1)
    return {field.options[1 if sign[0] == ">" else 2].name: value}


def _next(value: Any, step: int) -> Any:
    """Return the next value that there can be, for > and <."""
    if isinstance(value, float):
        return float(np.nextafter(value, step * np.inf))
    if isinstance(value, date):
        return date.fromordinal(min(max(value.toordinal() + step, 1), date.max.toordinal()))
    return value + step
