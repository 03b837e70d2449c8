"""The catalogue of a store: its fields, and what a person says of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

import numpy as np
from sqlalchemy import delete, func, select, update

from data.catalogue import writes
from data.catalogue.reads import fields_in, users_facts
from data.catalogue.values import PREDICTED, USER, CatalogueField, Value
from data.database import check_picture
from data.errors import RetroflexError
from data.settings import Settings
from data.store import Store, open_store
from data.tables import catalogue_fields, catalogue_values, facts, files, pictures
from data.writes import note_changes


class NoSuchField(RetroflexError):
    """The catalogue has no field of this name."""


def read_fields(store: Store) -> tuple[CatalogueField, ...]:
    """Return the fields of the catalogue in order. Raises StoreError."""
    with store.reading() as connection:
        return fields_in(connection)


def fields_at(settings: Settings) -> tuple[CatalogueField, ...]:
    """Return the fields of the library that the settings name, none where there is no library. Raises StoreError."""
    if not settings.exists:
        return ()
    store = open_store(settings)
    try:
        return read_fields(store)
    finally:
        store.close()


def field_named(fields: Sequence[CatalogueField], name: str) -> CatalogueField:
    """Return the field of this name. Raise NoSuchField, which names the nearest."""
    for field in fields:
        if field.name == name:
            return field
    names = [field.name for field in fields]
    near = get_close_matches(name, names, 1, cutoff=0.3) or names[:1]
    advice = f"the nearest is {near[0]}" if near else "`retroflex import` makes fields"
    raise NoSuchField(f"the catalogue has no field {name[:64]!r}; {advice}")


def counts_by_field(store: Store) -> dict[int, int]:
    """Return by field how many pictures that have a file have a value by any source. Raises StoreError."""
    has_file = select(files.c.path).where(files.c.picture_id == facts.c.item_id).exists()
    counted = select(facts.c.field_id, func.count(facts.c.item_id.distinct()))
    query = counted.where(facts.c.value_id.is_not(None), has_file).group_by(facts.c.field_id)
    with store.reading() as connection:
        return dict(map(tuple, connection.execute(query)))


def items_with_facts(store: Store, of: CatalogueField) -> np.ndarray:
    """Return the items of which anyone said something of a field, also that there is no value, int64 and rising.

    Raises StoreError.
    """
    query = select(facts.c.item_id).where(facts.c.field_id == of.id).distinct()
    with store.reading() as connection:
        return np.sort(np.array(connection.scalars(query).all(), np.int64))


def forget_predictions(store: Store, of: CatalogueField) -> int:
    """Remove the predicted values of a field, in one transaction; return how many. Raises StoreError."""
    predicted = (facts.c.field_id == of.id) & (facts.c.source == PREDICTED)
    with store.writing() as connection:
        touched = select(facts.c.item_id).where(predicted)
        note_changes(connection, select(pictures.c.id).where(pictures.c.id.in_(touched)))
        removed = connection.execute(delete(facts).where(predicted)).rowcount
        writes.prune_values(connection, [of.id])
        return removed


def set_user_fact(store: Store, item: int, of: CatalogueField, value: Value | None) -> None:
    """Store what a person says of one field of a picture, see `set_user_facts`."""
    set_user_facts(store, item, {of.id: value})


def set_user_facts(store: Store, item: int, values: writes.Values) -> None:
    """Store what a person says of a picture, by the fields' ids, in one transaction.

    None says that there is no value. No other source replaces them. Raises StoreError.
    """
    with store.writing() as connection:
        check_picture(connection, item)
        writes.put_facts(connection, {item: values}, USER)


def has_user_facts(store: Store, item: int) -> bool:
    """Return whether a person said anything of a picture in the catalogue, also that a value is none."""
    with store.reading() as connection:
        return bool(users_facts(connection, [item]))


def remove_user_facts(store: Store, item: int) -> None:
    """Take all that a person said of a picture in the catalogue away. Raises StoreError."""
    with store.writing() as connection:
        check_picture(connection, item)
        connection.execute(delete(facts).where(facts.c.item_id == item, facts.c.source == USER))
        writes.note_items(connection, [item])


def remove_user_fact(store: Store, item: int, of: CatalogueField) -> None:
    """Take a person's value away, so that those of other sources count again. Raises StoreError."""
    with store.writing() as connection:
        check_picture(connection, item)
        by_user = (facts.c.field_id == of.id) & (facts.c.item_id == item) & (facts.c.source == USER)
        connection.execute(delete(facts).where(by_user))
        writes.note_items(connection, [item])


def relabel(store: Store, of: CatalogueField, label: str) -> None:
    """Give a field another label. Raises StoreError."""
    with store.writing() as connection:
        connection.execute(update(catalogue_fields).where(catalogue_fields.c.id == of.id).values(label=label))


def remove_field(store: Store, of: CatalogueField) -> None:
    """Remove a field with all its values, also those of persons. Raises StoreError."""
    with store.writing() as connection:
        writes.note_field(connection, of.id)
        for table in (facts, catalogue_values):
            connection.execute(delete(table).where(table.c.field_id == of.id))
        connection.execute(delete(catalogue_fields).where(catalogue_fields.c.id == of.id))
