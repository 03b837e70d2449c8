"""Rows that a program sends: checked one by one, matched to pictures by key, stored in one transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from data.catalogue.columns import ColumnCache
from data.catalogue.fields import field_named, read_fields
from data.catalogue.files import as_text
from data.catalogue.matching import FileNames
from data.catalogue.profile import NameProblem, field_name
from data.catalogue.values import CatalogueField, Value, ValueProblem, key_of, label_of, parse
from data.catalogue.writes import Changed, NewField, declare_fields, put_facts
from data.database import chunks
from data.soundness import sound
from data.store import Store
from data.tables import catalogue_values, files


@dataclass
class Upserted:
    """How many pictures the rows are of, what changed, and why rows were left out, by number from 0."""

    pictures: int = 0
    changed: Changed = field(default_factory=Changed)
    errors: dict[int, str] = field(default_factory=dict)


def upsert_rows(
    store: Store,
    columns: ColumnCache,
    key: str,
    rows: Sequence[Any],
    types: Mapping[str, str],
    taken: Collection[str],
) -> Upserted:
    """Store rows, objects by column, as imported values; a row with an error is left out whole.

    `columns` of the same store tell which picture has which key. Columns become fields as in an import: `types` has
    those of new ones; names that are `taken` get a prefix. Raise NoSuchField where the key is no field, or NameProblem
    for a name that cannot be one.
    """
    fields = _Fields(store, key, types, taken)
    result, cells = Upserted(), dict[int, dict[str, Value | None]]()
    keys: dict[str, int] = {}
    for number, row in enumerate(rows):
        try:
            text, cells[number] = fields.read(row)
            if keys.setdefault(text, number) != number:
                raise ValueProblem(f"has the {key} of row {keys[text]} again")
        except (ValueProblem, NameProblem) as error:
            cells.pop(number, None)
            result.errors[number] = str(error)
    wanted = {number: text for text, number in keys.items() if number in cells}
    found = _pictures(store, columns, fields.key, wanted)
    _check_pictures(found, wanted, key, result)
    with store.writing() as connection:
        by_name = declare_fields(connection, fields.used({*found}, cells))
        values = {
            item: {by_name[name].id: value for name, value in cells[number].items()}
            for number, items in found.items()
            for item in items
        }
        result.changed = put_facts(connection, values)
    result.pictures = len(values)
    return result


class _Fields:
    """The fields that the columns of rows become."""

    def __init__(self, store: Store, key: str, types: Mapping[str, str], taken: Collection[str]) -> None:
        self._taken, self._key = taken, key
        self._stored = {one.name: one for one in read_fields(store)}
        self._types = {field_name(column, {}, taken): kind for column, kind in types.items()}
        self._key_name = field_name(key, {}, taken)
        if self._key_name not in (self._stored | self._types):
            field_named(list(self._stored.values()), self._key_name)

    @property
    def key(self) -> CatalogueField | None:
        """The key's field, None for a new one."""
        return self._stored.get(self._key_name)

    def read(self, row: Any) -> tuple[str, dict[str, Value | None]]:
        """Return the key of a row, and its values by the names of fields. Raise ValueProblem or NameProblem."""
        if not isinstance(row, dict):
            raise ValueProblem("is no object; send the values by column")
        values: dict[str, Value | None] = {}
        for column, given in row.items():
            name = field_name(column, {}, self._taken)
            kind = self._kind(name)
            try:
                values[name] = parse(kind, as_text(given))
            except ValueProblem as error:
                raise ValueProblem(f"{column} {error}") from error
        key = values.get(self._key_name)
        if key is None:
            raise ValueProblem(f"has no {self._key}, which names its picture")
        return key.text, values

    def used(self, numbers: set[int], cells: Mapping[int, Mapping[str, Value | None]]) -> list[NewField]:
        """Return the fields that these rows need."""
        names = dict.fromkeys(name for number in sorted(numbers) for name in cells[number])
        return [NewField(name, self._kind(name), self._label(name), name == self._key_name) for name in names]

    def _kind(self, name: str) -> str:
        stored: CatalogueField | None = self._stored.get(name)
        if stored is None and name not in self._types:
            known = ", ".join(list(self._stored)[:10])
            raise ValueProblem(f"{name[:64]!r} is no field ({known}); send its type in `types` to make it one")
        return stored.type if stored else self._types[name]

    def _label(self, name: str) -> str:
        stored = self._stored.get(name)
        return stored.label if stored else label_of(name)


def _pictures(
    store: Store, columns: ColumnCache, key: CatalogueField | None, wanted: Mapping[int, str]
) -> dict[int, list[int]]:
    """Return the pictures with a file of each key, by number: those with this value, else those with such a file."""
    found: dict[int, list[int]] = {}
    if key is not None:
        with store.reading() as connection:
            text_of = _value_ids(connection, key.id, set(wanted.values()))
            having = columns.items_with(key, text_of)
            by_text = _by_text(connection, having, text_of)
        found = {number: by_text[text] for number, text in wanted.items() if text in by_text}
    if len(found) < len(wanted):
        names = FileNames(store, None)
        by_name = {number: names.find(text) for number, text in wanted.items() if number not in found}
        found |= {number: items for number, items in by_name.items() if items}
    return found


def _value_ids(connection: Connection, key_id: int, texts: Collection[str]) -> dict[int, str]:
    """Return the texts of a field by the ids of their values."""
    query = select(catalogue_values.c.id, catalogue_values.c.text).where(catalogue_values.c.field_id == key_id)
    query = query.where(sound(catalogue_values))
    found: dict[int, str] = {}
    for piece in chunks({key_of(text) for text in texts}):
        rows = connection.execute(query.where(catalogue_values.c.key.in_(piece)))
        found |= {number: text for number, text in rows if text in texts}
    return found


def _by_text(
    connection: Connection, having: Sequence[tuple[int, int]], text_of: Mapping[int, str]
) -> dict[str, list[int]]:
    """Return the pictures that have a file by the text of their value."""
    present: set[int] = set()
    for piece in chunks([item for item, _ in having]):
        present.update(connection.scalars(select(files.c.picture_id).where(files.c.picture_id.in_(piece))))
    items: dict[str, list[int]] = {}
    for item, value in having:
        if item in present:
            items.setdefault(text_of[value], []).append(item)
    return items


def _check_pictures(found: dict[int, list[int]], wanted: Mapping[int, str], key: str, result: Upserted) -> None:
    """Note rows without a picture, and take pictures away that an earlier row is of."""
    seen: dict[int, int] = {}
    for number, text in wanted.items():
        if number not in found:
            result.errors[number] = f"no picture has the {key} {text[:60]!r}, nor a file of that name"
            continue
        new = [item for item in found[number] if seen.setdefault(item, number) == number]
        if new:
            found[number] = new
        else:
            result.errors[number] = f"its picture is that of row {seen[found.pop(number)[0]]} too"
