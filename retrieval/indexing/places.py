"""Name the places where pictures were taken, as values of the catalogue; no picture is decoded or read again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlalchemy import case, func, select, update

from data.catalogue.reads import fields_in
from data.catalogue.values import CATEGORY, LOCATED, CatalogueField, Value
from data.catalogue.writes import NewField, ValueIds, declare_fields, put_facts
from data.database import chunks
from data.metadata.gazetteer import CITY, COUNTRY, REGION, Gazetteer, Place, gazetteer_version, load_gazetteer
from data.metadata.writes import OUTDATED
from data.records import Position
from data.soundness import sound
from data.store import Store
from data.tables import pictures

AT_ONCE = 1000
"""Pictures of one transaction."""
FIELDS = (
    NewField(COUNTRY, CATEGORY, "Country"),
    NewField(REGION, CATEGORY, "Region"),
    NewField(CITY, CATEGORY, "Town"),
)
"""A library has these fields from its first picture with a position on."""


class Named(NamedTuple):
    """How many pictures got a place, and how many wait for a gazetteer to be installed."""

    named: int = 0
    waiting: int = 0


def name_places(store: Store, progress: Callable[[int, int], None] = lambda done, total: None) -> Named:
    """Name the places of pictures that have a position, or had one; each once by the gazetteer that is installed.

    `progress` gets the pictures that are done and all. A stopped run goes on where it was. Raises StoreError.
    """
    version = gazetteer_version()
    pending = _pending(store, version)
    if not pending:
        return Named()
    if version is None:
        return Named(waiting=sum(position is not None for _, position in pending))
    gazetteer, known, named = load_gazetteer(), ValueIds(), 0
    for start in range(0, len(pending), AT_ONCE):
        piece = pending[start : start + AT_ONCE]
        named += _write(store, piece, gazetteer, version, known)
        progress(start + len(piece), len(pending))
    return Named(named)


def _pending(store: Store, version: str | None) -> list[tuple[int, Position | None]]:
    """Return the pictures whose place this gazetteer has not named, and those whose place is outdated, by rising id."""
    columns = pictures.c.latitude, pictures.c.longitude
    named_by = func.coalesce(pictures.c.gazetteer, OUTDATED)
    due = named_by == OUTDATED if version is None else named_by != version
    told = pictures.c.latitude.is_not(None) | pictures.c.gazetteer.is_not(None)
    query = select(pictures.c.id, *columns).where(due, told, sound(pictures)).order_by(pictures.c.id)
    with store.reading() as connection:
        rows = connection.execute(query).all()
    return [(number, None if north is None else Position(north, east)) for number, north, east in rows]


def _write(
    store: Store, piece: Sequence[tuple[int, Position | None]], gazetteer: Gazetteer, version: str, known: ValueIds
) -> int:
    places = {number: position and gazetteer.place(position) for number, position in piece}
    with store.writing() as connection:
        stored = {one.name: one for one in fields_in(connection)}
        wanted = [_as_stored(one, stored.get(one.name)) for one in FIELDS]
        ids = {name: one.id for name, one in declare_fields(connection, wanted).items()}
        put_facts(connection, {number: _values(place, ids) for number, place in places.items()}, LOCATED, known)
        named_by = case((pictures.c.latitude.is_not(None), version))
        for some in chunks(list(places)):
            connection.execute(update(pictures).where(pictures.c.id.in_(some)).values(gazetteer=named_by))
    return sum(place is not None for place in places.values())


def _as_stored(field: NewField, stored: CatalogueField | None) -> NewField:
    """Return the field with the type and label that a person gave to it."""
    return field if stored is None else NewField(field.name, stored.type, stored.label, stored.is_key)


def _values(place: Place | None, ids: dict[str, int]) -> dict[int, Value | None]:
    texts = dict.fromkeys(ids, "") if place is None else dict(zip((CITY, REGION, COUNTRY), place, strict=True))
    return {number: Value(texts[name]) if texts[name] else None for name, number in ids.items()}
