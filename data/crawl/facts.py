"""What a crawl knows of its pictures, as facts of the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from data.catalogue.attribution import FIELDS
from data.catalogue.matching import FileNames
from data.catalogue.values import CRAWLED, WORDED, CatalogueField, parse
from data.catalogue.writes import Changed, NewField, Values, declare_fields, put_facts
from data.crawl.client import CrawlError
from data.crawl.folder import KEPT, Entry
from data.paths import to_bytes
from data.store import Store

AT_ONCE = 1000
"""Pictures in a transaction."""


def crawl_fields(stored: Sequence[CatalogueField]) -> list[NewField]:
    """Return the fields of a crawl, with type and label of those that are stored. Raise CrawlError for one of these
    that holds no text."""
    known = {one.name: one for one in stored}
    fields = []
    for new in FIELDS:
        before = known.get(new.name)
        if before is not None and before.type not in WORDED:
            raise CrawlError(
                f"the catalogue's field {new.name} holds no text ({before.type}), so a crawl cannot fill it; "
                f"remove it with `retroflex catalogue --remove {new.name}`, and import it under another name"
            )
        fields.append(NewField(new.name, before.type, before.label, before.is_key) if before else new)
    return fields


def put_crawled(store: Store, folder: Path, entries: Iterable[Entry], fields: Sequence[NewField]) -> Changed:
    """Store the facts of the pictures in `folder` that were kept; only differences are written. Raises StoreError."""
    names, changed = FileNames(store, to_bytes(folder)), Changed()
    with store.writing() as connection:
        by_name = declare_fields(connection, fields)
    kept = (one for one in entries if one.outcome == KEPT)
    while group := list(islice(kept, AT_ONCE)):
        rows: dict[int, Values] = {}
        for entry in group:
            for item in names.find(entry.file):
                rows[item] = {of.id: parse(of.type, entry.facts.get(name, "")) for name, of in by_name.items()}
        with store.writing() as connection:
            changed += put_facts(connection, rows, CRAWLED)
    return changed
