"""What the store reads of the catalogue. Each function runs inside the caller's transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from sqlalchemy import BindParameter, Connection, bindparam, or_, select

from data.catalogue.values import SOURCES, TEXT, TYPES, CatalogueField, Fact
from data.database import chunks
from data.soundness import sound
from data.tables import catalogue_fields, catalogue_values, facts

_RANK = {source: rank for rank, source in enumerate(SOURCES)}
_IDS: BindParameter[int] = bindparam("ids", expanding=True)
_FACTS = (
    select(
        facts.c.item_id,
        facts.c.field_id,
        facts.c.source,
        facts.c.confidence,
        facts.c.value_id,
        catalogue_values.c.text,
        catalogue_values.c.number,
    )
    .join_from(facts, catalogue_values, catalogue_values.c.id == facts.c.value_id, isouter=True)
    .where(facts.c.item_id.in_(_IDS), sound(facts), or_(facts.c.value_id.is_(None), sound(catalogue_values)))
)


def fields_in(connection: Connection) -> tuple[CatalogueField, ...]:
    """Return the fields in order; one whose row is damaged is left out."""
    query = select(catalogue_fields).where(sound(catalogue_fields))
    rows = connection.execute(query.order_by(catalogue_fields.c.position, catalogue_fields.c.id))
    return tuple(
        CatalogueField(row.id, row.name, row.type if row.type in TYPES else TEXT, row.label, row.position, row.is_key)
        for row in rows
    )


def facts_of(connection: Connection, ids: Sequence[int]) -> defaultdict[int, list[Fact]]:
    """Return by picture the value of each field that it has, in the fields' order; of several sources the first
    of SOURCES. `ids` must be few enough for one statement."""
    rows = connection.execute(_FACTS, {"ids": list(ids)}).all()
    found: defaultdict[int, list[Fact]] = defaultdict(list)
    if not rows:
        return found
    fields = {field.id: field for field in fields_in(connection)}
    best: dict[tuple[int, int], tuple[int, Fact | None]] = {}
    for item, field_id, source, confidence, value, text, number in rows:
        field, rank = fields.get(field_id), _RANK.get(source)
        if field is None or rank is None or rank >= best.get((item, field_id), (len(_RANK), None))[0]:
            continue
        known = Fact(field, text, number, source, confidence) if value is not None else None
        best[item, field_id] = rank, known
    for (item, _), (_, fact) in best.items():
        if fact is not None:
            found[item].append(fact)
    for own in found.values():
        own.sort(key=lambda fact: (fact.field.position, fact.field.id))
    return found


def users_facts(connection: Connection, ids: Collection[int]) -> set[tuple[int, int]]:
    """Return (item, field) of the values that a person gave or took away."""
    query = select(facts.c.item_id, facts.c.field_id).where(facts.c.source == SOURCES[0])
    pairs: set[tuple[int, int]] = set()
    for piece in chunks(ids):
        pairs.update(map(tuple, connection.execute(query.where(facts.c.item_id.in_(piece)))))
    return pairs
