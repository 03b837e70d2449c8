"""Mend damaged rows of the catalogue: what can be read stays. Each function runs inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from sqlalchemy import (
    Connection,
    Table,
    delete,
    select,
    update,
)

from data.catalogue.values import LONGEST_NAME, TEXT, TYPES, ValueProblem, key_of
from data.catalogue.writes import note_items
from data.soundness import at_row, bytes_at, sound
from data.tables import catalogue_fields, catalogue_values, facts
from data.writes import readable

MENDED = "mended"
IMPORT_AGAIN = "dropped; the next `retroflex import` writes what was imported"


def _readable(connection: Connection, table: Table, column: str, row: int) -> str | None:
    return readable(bytes_at(connection, table, column, row))


def mend_fact(connection: Connection, row: int, columns: Sequence[str]) -> str:
    """Forget a confidence that cannot be read; a row that does not say which value an item has is dropped."""
    items = connection.scalars(select(facts.c.item_id).where(at_row(row), sound(facts, "item_id"))).all()
    note_items(connection, items)
    if set(columns) == {"confidence"}:
        connection.execute(update(facts).where(at_row(row)).values(confidence=None))
        return MENDED
    connection.execute(delete(facts).where(at_row(row)))
    return IMPORT_AGAIN


def mend_value(connection: Connection, row: int, columns: Sequence[str]) -> str:
    """Keep what can be read of a text, and make its key and its number again; a value without text is dropped."""
    numbers = connection.scalars(select(catalogue_values.c.id).where(at_row(row), sound(catalogue_values, "id"))).all()
    having = facts.c.value_id.in_(numbers)
    note_items(connection, connection.scalars(select(facts.c.item_id).where(having, sound(facts))).all())
    text = _readable(connection, catalogue_values, "text", row)
    if text is None or set(columns) & {"id", "field_id"}:
        connection.execute(delete(facts).where(having))
        connection.execute(delete(catalogue_values).where(at_row(row)))
        return IMPORT_AGAIN
    of = select(catalogue_values.c.field_id).where(at_row(row)).scalar_subquery()
    kind = connection.scalar(select(catalogue_fields.c.type).where(catalogue_fields.c.id == of)) or TEXT
    number = None
    with suppress(ValueProblem):
        number = TYPES.get(kind, TYPES[TEXT])(text).number
    values = {"text": text, "key": key_of(text), "number": number}
    connection.execute(update(catalogue_values).where(at_row(row)).values(**values))
    return f"of the value this can be read: {text[:60]}" if "text" in columns else MENDED


def mend_field(connection: Connection, row: int, columns: Sequence[str]) -> str | None:
    """Give a field a name, label, type and place that can be read; only its id cannot be mended."""
    if "id" in columns:
        return None
    number = connection.scalar(select(catalogue_fields.c.id).where(at_row(row)))
    name = (_readable(connection, catalogue_fields, "name", row) or "")[: LONGEST_NAME - 20] + f" {number}"
    label = _readable(connection, catalogue_fields, "label", row) or name
    values = {"name": name.strip(), "label": label, "type": TEXT, "position": number, "is_key": False}
    connection.execute(update(catalogue_fields).where(at_row(row)).values({one: values[one] for one in columns}))
    items = select(facts.c.item_id).where(facts.c.field_id == number).distinct()
    note_items(connection, connection.scalars(items).all())
    return MENDED
