"""What the store writes of the catalogue. Each function runs inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, insert, select, tuple_, update

from data import writes
from data.catalogue.reads import fields_in
from data.catalogue.values import IMPORTED, LOCATED, PREDICTED, TYPES, USER, CatalogueField, Value, ValueProblem, key_of
from data.database import chunks
from data.soundness import sound
from data.tables import catalogue_fields, catalogue_values, facts, files, pictures

Values = Mapping[int, Value | None]
"""The value of each field by its id; None takes it away."""
KNOWN_VALUES = 200_000
"""Values whose ids are kept in memory during an import."""


class NewField(NamedTuple):
    """A field as it shall be."""

    name: str
    type: str
    label: str
    is_key: bool = False


@dataclass
class Changed:
    """How many values were added, updated and removed, and of how many pictures."""

    added: int = 0
    updated: int = 0
    removed: int = 0
    pictures: int = 0
    kept: int = 0
    """Values of persons that differ from the given ones, and win."""

    @property
    def values(self) -> dict[str, int]:
        """The counts of values, by name."""
        return {"added": self.added, "updated": self.updated, "removed": self.removed, "kept": self.kept}

    def __iadd__(self, other: Changed) -> Changed:
        """Add the counts of both."""
        for name, count in vars(other).items():
            setattr(self, name, getattr(self, name) + count)
        return self


class ValueIds:
    """Finds and makes the ids of values. It may be kept from one transaction to the next while nobody prunes."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str], int] = {}

    def resolve(self, connection: Connection, wanted: Collection[tuple[int, Value]]) -> dict[tuple[int, str], int]:
        """Return the id of each (field, text), and make those that are new."""
        if len(self._known) > KNOWN_VALUES:
            self._known.clear()
        by_text = {(field_id, value.text): value for field_id, value in wanted}
        unknown = by_text.keys() - self._known.keys()
        self._known |= _stored_values(connection, unknown)
        new = [pair for pair in by_text if pair in unknown and pair not in self._known]
        if new:
            first = (connection.scalar(select(func.max(catalogue_values.c.id))) or 0) + 1
            ids = {pair: number for number, pair in enumerate(new, first)}
            rows = [
                {"id": ids[pair], "field_id": pair[0], "key": key_of(pair[1]), **by_text[pair]._asdict()}
                for pair in new
            ]
            connection.execute(insert(catalogue_values), rows)
            self._known |= ids
        return {pair: self._known[pair] for pair in by_text}


def _stored_values(connection: Connection, pairs: Collection[tuple[int, str]]) -> dict[tuple[int, str], int]:
    by_field: dict[int, set[str]] = {}
    for field_id, text in pairs:
        by_field.setdefault(field_id, set()).add(key_of(text))
    found: dict[tuple[int, str], int] = {}
    query = select(catalogue_values.c.text, catalogue_values.c.id).where(sound(catalogue_values))
    for field_id, keys in by_field.items():
        for piece in chunks(keys):
            same = (catalogue_values.c.field_id == field_id) & catalogue_values.c.key.in_(piece)
            found |= {(field_id, text): number for text, number in connection.execute(query.where(same))}
    return found


def declare_fields(connection: Connection, wanted: Sequence[NewField]) -> dict[str, CatalogueField]:
    """Make the fields that are new, and give the others these types and labels; return them by name."""
    stored = {one.name: one for one in fields_in(connection)}
    position = max((one.position for one in stored.values()), default=0)
    for new in wanted:
        known = stored.get(new.name)
        if known is None:
            position += 1
            connection.execute(insert(catalogue_fields).values(**new._asdict(), position=position))
            continue
        if known.type != new.type:
            _retype(connection, known.id, new.type)
        values = {"type": new.type, "label": new.label, "is_key": known.is_key or new.is_key}
        connection.execute(update(catalogue_fields).where(catalogue_fields.c.id == known.id).values(**values))
    names = {new.name for new in wanted}
    return {one.name: one for one in fields_in(connection) if one.name in names}


def _retype(connection: Connection, field_id: int, kind: str) -> None:
    """Read the numbers of stored values again; the texts stay, so that no person's value is lost."""
    rows = connection.execute(
        select(catalogue_values.c.id, catalogue_values.c.text).where(
            catalogue_values.c.field_id == field_id, sound(catalogue_values)
        )
    ).all()
    for number, text in rows:
        try:
            value = TYPES[kind](text).number
        except ValueProblem:
            value = None
        connection.execute(update(catalogue_values).where(catalogue_values.c.id == number).values(number=value))
    note_field(connection, field_id)


def put_facts(
    connection: Connection,
    rows: Mapping[int, Values],
    source: str = IMPORTED,
    ids: ValueIds | None = None,
    confidences: Mapping[tuple[int, int], float] | None = None,
) -> Changed:
    """Store what `source` says of the items, by item id; only differences are written, and returned.

    Values of other sources stay; those of persons win. `confidences` (0 to 1) of predicted values are by (item, field).
    """
    wanted = [(field_id, value) for own in rows.values() for field_id, value in own.items() if value is not None]
    value_ids = (ids or ValueIds()).resolve(connection, wanted)
    confidences = confidences or {}
    before = _stored_facts(connection, rows.keys(), source)
    changed, gone, new = Changed(), list[tuple[int, int]](), list[dict[str, object]]()
    touched: set[int] = set()
    for item, own in rows.items():
        for field_id, value in own.items():
            value_id = None if value is None else value_ids[field_id, value.text]
            sure = confidences.get((item, field_id))
            stored = before.get((item, field_id))
            empty = value_id is None and source != USER
            if (stored is None and empty) or stored == (value_id, sure):
                continue
            touched.add(item)
            if stored is not None:
                gone.append((field_id, item))
            if not empty:
                names = {"field_id": field_id, "item_id": item, "source": source}
                new.append({**names, "value_id": value_id, "confidence": sure})
            _count(changed, stored is not None, empty)
    _replace(connection, source, gone, new)
    changed.pictures = len(touched)
    changed.kept = _kept(connection, rows, value_ids) if source != USER else 0
    note_items(connection, touched)
    return changed


def _count(changed: Changed, was: bool, empty: bool) -> None:
    if empty:
        changed.removed += 1
    elif was:
        changed.updated += 1
    else:
        changed.added += 1


def _stored_facts(
    connection: Connection, items: Collection[int], source: str
) -> dict[tuple[int, int], tuple[int | None, float | None]]:
    query = select(facts.c.item_id, facts.c.field_id, facts.c.value_id, facts.c.confidence)
    found: dict[tuple[int, int], tuple[int | None, float | None]] = {}
    for piece in chunks(items):
        rows = connection.execute(query.where(facts.c.source == source, facts.c.item_id.in_(piece)))
        found |= {(item, field_id): (value, confidence) for item, field_id, value, confidence in rows}
    return found


def _replace(
    connection: Connection, source: str, gone: Sequence[tuple[int, int]], new: Sequence[dict[str, object]]
) -> None:
    if gone:
        same = facts.c.field_id == bindparam("field"), facts.c.item_id == bindparam("item")
        statement = delete(facts).where(*same, facts.c.source == source)
        connection.execute(statement, [{"field": field_id, "item": item} for field_id, item in gone])
    if new:
        connection.execute(insert(facts), list(new))


def _kept(connection: Connection, rows: Mapping[int, Values], value_ids: Mapping[tuple[int, str], int]) -> int:
    """Count the persons' values that differ from the given ones."""
    count = 0
    for (item, field_id), (theirs, _) in _stored_facts(connection, rows.keys(), USER).items():
        if field_id in rows[item]:
            value = rows[item][field_id]
            count += theirs != (None if value is None else value_ids[field_id, value.text])
    return count


def note_items(connection: Connection, items: Collection[int]) -> None:
    """Log these pictures as changed."""
    for piece in chunks(sorted(items)):
        writes.note_changes(connection, select(pictures.c.id).where(pictures.c.id.in_(piece)))


def note_field(connection: Connection, field_id: int) -> None:
    """Log the pictures that have a value of this field as changed."""
    with_value = select(facts.c.item_id).where(facts.c.field_id == field_id)
    writes.note_changes(connection, select(pictures.c.id).where(pictures.c.id.in_(with_value)))


def remove_imported(connection: Connection, items: Collection[int], fields: Collection[int]) -> Changed:
    """Remove what imports said of these fields of the items."""
    changed = Changed()
    imported = facts.c.source == IMPORTED, facts.c.field_id.in_(list(fields))
    for piece in chunks(sorted(items)):
        theirs = (*imported, facts.c.item_id.in_(piece))
        touched = connection.scalars(select(facts.c.item_id).where(*theirs).distinct()).all()
        changed.removed += connection.execute(delete(facts).where(*theirs)).rowcount
        changed.pictures += len(touched)
        note_items(connection, touched)
    return changed


def with_imported(connection: Connection, field_id: int) -> set[int]:
    """Return the pictures with a file that have an imported value of this field."""
    has_file = select(files.c.path).where(files.c.picture_id == facts.c.item_id).exists()
    query = select(facts.c.item_id).where(facts.c.field_id == field_id, facts.c.source == IMPORTED, has_file)
    return set(connection.scalars(query))


def prune_values(connection: Connection, fields: Collection[int]) -> None:
    """Drop values that no fact has any more. The highest id stays, so that none is ever used for another value."""
    highest = select(func.max(catalogue_values.c.id)).scalar_subquery()
    for field_id in fields:
        used = select(facts.c.value_id).where(facts.c.field_id == field_id, facts.c.value_id.is_not(None))
        unused = catalogue_values.c.field_id == field_id, catalogue_values.c.id.not_in(used)
        connection.execute(delete(catalogue_values).where(*unused, catalogue_values.c.id < highest))


def continue_facts(connection: Connection, old: int, new: int) -> None:
    """Let picture `old` have the facts of `new`, which it continues: what was found out of its file, and its gaps."""
    connection.execute(delete(facts).where(facts.c.item_id == old, facts.c.source.in_((LOCATED, PREDICTED))))
    present = select(facts.c.field_id, facts.c.source).where(facts.c.item_id == old)
    connection.execute(
        delete(facts).where(facts.c.item_id == new, tuple_(facts.c.field_id, facts.c.source).in_(present))
    )
    connection.execute(update(facts).where(facts.c.item_id == new).values(item_id=old))


def copy_users_facts(connection: Connection, old: int, new: int) -> None:
    """Give picture `new` a copy of what a person says of `old` where nobody says otherwise."""
    present = select(facts.c.field_id).where(facts.c.item_id == new, facts.c.source == USER)
    query = select(facts).where(facts.c.item_id == old, facts.c.source == USER, facts.c.field_id.not_in(present))
    rows = [row._asdict() | {"item_id": new} for row in connection.execute(query)]
    if rows:
        connection.execute(insert(facts), rows)
        note_items(connection, [new])
