"""Find and mend damage in a store. What a person wrote is never dropped: what of it can be read is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from sqlalchemy import (
    Connection,
    Integer,
    LargeBinary,
    String,
    Table,
    delete,
    func,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError

from data import writes
from data.albums import mending as albums_mending
from data.catalogue import mending
from data.database import chunks
from data.decoding.orders import Order
from data.decoding.pool import decode_bounded
from data.errors import PictureError, one_line
from data.films.records import FRAME
from data.limits import Limits
from data.metadata.dates import now
from data.migrations import GENERATION_KEY
from data.paths import clean_text, from_bytes, to_bytes
from data.pictures import read_bytes
from data.records import content_hash
from data.remote import is_remote
from data.soundness import Damage, at_row, bytes_at, damaged_rows, sound
from data.store import Store
from data.store_errors import StoreDamaged, StoreError
from data.tables import (
    album_pictures,
    albums,
    caption_history,
    captions,
    catalogue_fields,
    catalogue_values,
    choices,
    facts,
    favourites,
    features,
    files,
    items,
    meta,
    metadata,
    picture_texts,
    pictures,
    roots,
)

_PERSONAL = (captions, caption_history, choices, roots, favourites, albums, album_pictures)
_MENDED = "mended"
REDESCRIBED = "its description is made again by the next `retroflex index`"
FOUND_AGAIN = "dropped; the next `retroflex index` finds the file again"


@dataclass(frozen=True)
class Finding:
    """A line about something wrong, and what was done about it: None where it cannot be mended."""

    problem: str
    mended: str | None

    def __str__(self) -> str:
        return f"{self.problem}: {self.mended or 'cannot be mended'}"


def check_file(store: Store) -> Iterator[Finding]:
    """Check the structure of the database file; indexes in it are made anew where that helps. Raises StoreError."""
    lines = _integrity(store)
    left = _integrity(store) if lines and _reindexed(store) else lines
    for line in lines:
        if line in left:
            yield Finding(f"the database file is damaged ({line}); restore a backup", None)
        else:
            yield Finding(f"the database file is damaged ({line})", _MENDED)


def _integrity(store: Store) -> list[str]:
    try:
        with store.reading() as connection:
            if connection.dialect.name != "sqlite":
                return _read_whole(connection)
            lines = connection.scalars(text("PRAGMA integrity_check(100)")).all()
    except StoreDamaged:  # so much that it cannot be said where
        return ["pages of it cannot be read"]
    # Rows that no type allows are found, and mended, by `check_rows`.
    return [line for line in lines if line != "ok" and not line.startswith(("NULL value in", "CHECK constraint"))]


def _read_whole(connection: Connection) -> list[str]:
    """Read every value of every table on a server, which refuses to read damaged pages; return the tables with such."""
    damaged = []
    for table in metadata.sorted_tables:
        long = [column for column in table.c if isinstance(column.type, LargeBinary | String)]
        try:
            with connection.begin_nested():
                read = select(func.count(), *(func.count(func.md5(column)) for column in long))
                connection.execute(read.select_from(table))
        except DBAPIError as error:
            damaged.append(f"{table.name}: {one_line(error.orig)}")
    return damaged


def _reindexed(store: Store) -> bool:
    if store.read_only:
        return False
    try:
        with store.writing() as connection:
            if connection.dialect.name != "sqlite":
                return False
            connection.execute(text("REINDEX"))
    except StoreError:
        return False
    return True


def check_number_of_changes(store: Store) -> Iterator[Finding]:
    """Check the generation; any write sets it by the clock where it is damaged. Raises StoreError."""
    with store.reading() as connection:
        value = connection.scalar(select(meta.c.value).where(meta.c.key == GENERATION_KEY))
    if not (isinstance(value, str) and value.isdecimal()):
        yield _finding(store, "the library's number of changes is damaged", lambda connection: _MENDED)


def check_rows(store: Store, limits: Limits, progress: Callable[[str], None] = lambda name: None) -> Iterator[Finding]:
    """Check all rows against the types of their tables. `progress` gets the names of the tables. Raises StoreError."""
    for table in metadata.sorted_tables:
        progress(table.name)
        with store.reading() as connection:
            damages = damaged_rows(connection, table)
        for damage in damages:
            yield _mended(store, damage, limits)
    progress("references")
    yield from _references(store)


def _mended(store: Store, damage: Damage, limits: Limits) -> Finding:
    table, row, columns = damage
    with store.reading() as connection:
        owner = _owner(connection, table, row)
        of_file = _facts_of_file(connection, owner, limits) if table is pictures and owner is not None else {}
    where = f" of picture {owner}" if owner is not None else ""
    what = ", ".join(columns) or "the length of a vector"
    problem = f"a row of {table.name}{where} is damaged ({what})"
    mends: dict[Table, Callable[..., str | None]] = {
        captions: _mend_caption,
        caption_history: _mend_history,
        features: _mend_features,
        pictures: partial(_mend_picture, facts=of_file, columns=columns),
        files: partial(_drop, table=files, told=FOUND_AGAIN),
        items: partial(_mend_item, columns=columns),
        roots: partial(_mend_root, columns=columns),
        facts: partial(mending.mend_fact, columns=columns),
        catalogue_values: partial(mending.mend_value, columns=columns),
        catalogue_fields: partial(mending.mend_field, columns=columns),
        choices: lambda connection, row: None,
        favourites: partial(albums_mending.mend_favourite, columns=columns),
        albums: partial(albums_mending.mend_album, columns=columns),
        album_pictures: partial(albums_mending.mend_member, columns=columns),
        meta: lambda connection, row: None,
    }
    mend = mends.get(table, partial(_drop, table=table, told=_MENDED))
    return _finding(store, problem, partial(mend, row=row))


def _finding(store: Store, problem: str, mend: Callable[[Connection], str | None]) -> Finding:
    if store.read_only:
        return Finding(problem, None)
    with store.writing() as connection:
        return Finding(problem, mend(connection))


def _owner(connection: Connection, table: Table, row: int) -> int | None:
    name = next((name for name in ("item_id", "picture_id") if name in table.c), "id")
    if name not in table.c or table is metadata.tables["skipped"]:
        return None
    column = literal_column(f"CASE WHEN typeof({name}) = 'integer' THEN {name} END", Integer)
    return connection.scalar(select(column).select_from(table).where(at_row(row)))


def _drop(connection: Connection, row: int, table: Table, told: str) -> str:
    if "picture_id" in table.c:
        ids = select(table.c.picture_id).where(at_row(row), sound(table, "picture_id"))
        writes.note_changes(connection, select(pictures.c.id).where(pictures.c.id.in_(ids)))
        if table is picture_texts:  # read again by the next run of indexing
            connection.execute(update(pictures).where(pictures.c.id.in_(ids)).values(metadata_version=None))
    connection.execute(delete(table).where(at_row(row)))
    return told


def _mend_caption(connection: Connection, row: int) -> str:
    item = _owner(connection, captions, row)
    by_model = connection.scalar(
        select(func.count()).select_from(captions).where(at_row(row), captions.c.model_version.is_not(None))
    )
    kept = None if by_model else writes.readable(bytes_at(connection, captions, "text", row))
    if kept is not None and item is not None:
        values = {"text": kept, "source": "user", "rank": 0, "logprob": None, "model_version": None}
        connection.execute(update(captions).where(at_row(row)).values(**values))
        writes.note_changes(connection, select(pictures.c.id).where(pictures.c.id == item))
        return f"a person's caption, of which this can be read: {kept}"
    connection.execute(delete(captions).where(at_row(row)))
    return _forget_description(connection, item)


def _mend_history(connection: Connection, row: int) -> str:
    kept = writes.readable(bytes_at(connection, caption_history, "text", row))
    connection.execute(update(caption_history).where(at_row(row)).values(text=kept))
    return _MENDED


def _mend_features(connection: Connection, row: int) -> str:
    item = _owner(connection, features, row)
    connection.execute(delete(features).where(at_row(row)))
    return _forget_description(connection, item)


def _forget_description(connection: Connection, item: int | None) -> str:
    """Drop what models made of an item, or of all frames of a film, so that it counts as not described."""
    if item is not None:
        film = connection.scalar(select(items.c.parent_id).where(items.c.id == item, items.c.kind == FRAME))
        frames = select(items.c.id).where(items.c.parent_id == film, items.c.kind == FRAME)
        told = [item] if film is None else [item, *connection.scalars(frames)]
        writes.note_changes(connection, select(pictures.c.id).where(pictures.c.id.in_([item, film or item])))
        connection.execute(delete(features).where(features.c.item_id.in_(told)))
        connection.execute(delete(captions).where(captions.c.item_id.in_(told), captions.c.source == "model"))
    return REDESCRIBED


def _facts_of_file(connection: Connection, picture_id: int, limits: Limits) -> dict[str, Any]:
    """Return what the file of a picture says of the columns of its row; empty where no file has its content."""
    digest = connection.scalar(select(pictures.c.digest).where(pictures.c.id == picture_id, sound(pictures, "digest")))
    query = select(files.c.path).where(files.c.picture_id == picture_id, sound(files))
    for path in connection.scalars(query).all():
        try:
            content = read_bytes(from_bytes(path), limits)
            picture = decode_bounded(content, Order(), limits).facts
        except PictureError:
            continue
        if picture and digest in (None, content_hash(content)):
            size = {"width": picture.width, "height": picture.height, "bytes": len(content)}
            known = {"digest": content_hash(content), "format": picture.format, "taken_at": picture.metadata.taken_at}
            return {**size, **known, "pixels": None, "colours": 0}
    return {}


def _mend_picture(connection: Connection, row: int, facts: dict[str, Any], columns: Sequence[str]) -> str | None:
    values = {"added_at": now(), **{c.name: None for c in pictures.c if c.nullable}, **facts}
    if not set(columns) <= set(values):
        return None
    connection.execute(update(pictures).where(at_row(row)).values({name: values[name] for name in columns}))
    writes.note_changes(connection, select(pictures.c.id).where(at_row(row)))
    return "read again from its file" if facts else "without what is lost, as its file is not there"


def _mend_item(connection: Connection, row: int, columns: Sequence[str]) -> str | None:
    values = {name: writes.PICTURE if name == "kind" else None for name in columns if name != "id"}
    connection.execute(update(items).where(at_row(row)).values(**values))
    return _MENDED


def _mend_root(connection: Connection, row: int, columns: Sequence[str]) -> str | None:
    if set(columns) == {"indexed_at"}:
        connection.execute(update(roots).where(at_row(row)).values(indexed_at=None))
        return _MENDED
    return None


def _references(store: Store) -> Iterator[Finding]:
    """Check that what rows refer to is there; rows of persons stay."""
    with store.reading() as connection:
        if connection.dialect.name != "sqlite":
            return
        rows = connection.execute(text("PRAGMA foreign_key_check")).all()
    for name, row, parent, _ in rows:
        table = metadata.tables.get(name)
        problem = f"a row of {name} refers to a row of {parent} that is lost"
        if table is None or row is None or table in _PERSONAL:
            yield Finding(problem, None)
        else:
            yield _finding(store, problem, partial(_drop, row=row, table=table, told=_MENDED))


def check_vectors(store: Store, progress: Callable[[int, int], None]) -> Iterator[Finding]:
    """Check that vectors are finite, and by one model of one length and norm. `progress` gets (done, of).

    Raises StoreError.
    """
    ids = store.searched_items()[1].tolist()
    columns = select(features.c.item_id, features.c.kind, features.c.model_version, features.c.value)
    query = columns.where(features.c.dimensions.is_not(None), sound(features))
    shapes: dict[tuple[str, str], dict[int, tuple[int, float]]] = {}
    done = 0
    for piece in chunks(ids):
        with store.reading() as connection:
            for item, kind, version, value in connection.execute(query.where(features.c.item_id.in_(piece))):
                values = np.frombuffer(value, "<f2").astype(np.float32)
                shapes.setdefault((kind, version), {})[item] = (len(values), float(np.linalg.norm(values)))
        done += len(piece)
        progress(done, len(ids))
    for (kind, _), found in sorted(shapes.items()):
        yield from forget_descriptions(store, f"the vector of {kind}", _odd(found))


def blobs_of(store: Store, ids: Sequence[int], kind: str) -> dict[int, bytes]:
    """Return by item id the values of a kind that is no vector. Raises StoreError."""
    query = select(features.c.item_id, features.c.value).where(features.c.kind == kind, features.c.dimensions.is_(None))
    with store.reading() as connection:
        return dict(map(tuple, connection.execute(query.where(features.c.item_id.in_(ids), sound(features)))))


def forget_descriptions(store: Store, what: str, ids: Sequence[int]) -> Iterator[Finding]:
    """Drop what models made of the items, whose `what` is damaged; they are described again. Raises StoreError."""
    for item in ids:
        yield _finding(store, f"{what} of picture {item} is damaged", partial(_forget_description, item=item))


UNIT = 0.02
"""Vectors of length 1 differ from it by less, in float16."""


def _odd(found: dict[int, tuple[int, float]]) -> list[int]:
    lengths = np.array([length for length, _ in found.values()])
    norms = np.array([norm for _, norm in found.values()])
    values, counts = np.unique(lengths, return_counts=True)
    odd = (lengths != values[np.argmax(counts)]) | ~np.isfinite(norms)
    if abs(np.median(norms) - 1) < UNIT:
        odd |= np.abs(norms - 1) > UNIT
    return [item for item, is_odd in zip(found, odd.tolist(), strict=True) if is_odd]


def missing_files(store: Store, limit: int = 3) -> tuple[int, list[str]]:
    """Return how many files on disks are not there now, and the first few. Raises StoreError."""
    stored = (from_bytes(path) for path, file in store.stored_files().items() if file.digest)
    gone = [to_bytes(path) for path in stored if not is_remote(path) and not path.exists()]
    return len(gone), [clean_text(path) for path in sorted(gone)[:limit]]
