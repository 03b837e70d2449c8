"""What the store writes. Each function runs inside the caller's transaction."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    DateTime,
    Integer,
    LargeBinary,
    Select,
    String,
    bindparam,
    case,
    cast,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    tuple_,
    update,
)

from data.albums.continuing import is_member
from data.catalogue.values import USER
from data.database import at_or_below, check_picture, chunks
from data.metadata.dates import date_in_name, now
from data.metadata.writes import put_metadata
from data.migrations import GENERATION_KEY
from data.paths import clean_text
from data.records import Batch, DescriptionRow, FileRow, MetadataRow, PictureRow, Seen, SkipRow
from data.soundness import sound
from data.store_errors import UnknownPicture
from data.tables import (
    absent_files,
    caption_history,
    captions,
    changes,
    choices,
    faces,
    facts,
    features,
    files,
    generations,
    items,
    meta,
    motions,
    pictures,
    skipped,
    successions,
)

PICTURE = "picture"
"""The kind of an item that is a whole picture; the others are parts of one."""


def bump_generation(connection: Connection) -> None:
    """Raise the generation and log it, first thing in a writing transaction: its row is the lock between writers.

    It follows the clock (microseconds), so a store that was made again or restored from a backup never reaches the
    number of an older index. Where the stored number is damaged, the clock alone counts.
    """
    stored = str(connection.scalar(select(meta.c.value).where(meta.c.key == GENERATION_KEY).with_for_update()))
    raised = max(int(stored) + 1 if stored.isdecimal() else 0, time.time_ns() // 1000)
    connection.execute(update(meta).where(meta.c.key == GENERATION_KEY).values(value=str(raised)))
    connection.execute(insert(generations).values(generation=raised))


def write_batch(connection: Connection, batch: Batch) -> None:
    """Write the batch. Raises UnknownPicture when it names a digest that is neither stored nor in it."""
    _forget(connection, batch.gone)
    new = _add_pictures(connection, batch.pictures)
    read: list[PictureRow | MetadataRow] = [*batch.pictures, *batch.metadata]
    digests = {row.digest for row in batch.files} | {row.digest for row in batch.descriptions}
    ids = _picture_ids(connection, digests | {row.digest for row in read})
    put_metadata(connection, read, ids)
    _note_successions(connection, batch.files, {ids[digest] for digest in new}, ids)
    _put_skipped(connection, batch.skipped)
    _put_files(connection, batch.files, ids)
    _put_seen(connection, {row.digest: Seen(row.pixels, row.colours) for row in batch.pictures} | batch.seen)
    put_descriptions(connection, [(ids[row.digest], row) for row in batch.descriptions])
    for chunk in chunks(ids.values()):
        note_changes(connection, select(pictures.c.id).where(pictures.c.id.in_(chunk)))


def note_changes(connection: Connection, picture_ids: Select[tuple[int]]) -> None:
    """Log the pictures as changed in the current generation, before or after the change itself.

    Call this after writing captions, features or files; searches see only what is logged.
    """
    connection.execute(delete(changes).where(changes.c.picture_id.in_(picture_ids)))
    present = select(cast(meta.c.value, BigInteger)).where(meta.c.key == GENERATION_KEY).scalar_subquery()
    connection.execute(insert(changes).from_select(["picture_id", "generation"], picture_ids.add_columns(present)))


def forget_below(connection: Connection, paths: Sequence[bytes], except_below: Sequence[bytes] = ()) -> int:
    """Forget the files at or below `paths`, skipped ones included, but not `except_below`; return how many."""
    gone = 0
    for path in paths:
        note_changes(connection, select(files.c.picture_id).where(at_or_below(files, path)).distinct())
        for table in (absent_files, successions, files, skipped, motions):
            conditions = [~at_or_below(table, other) for other in except_below]
            forgotten = connection.execute(delete(table).where(at_or_below(table, path), *conditions)).rowcount
            gone += forgotten if table in (files, skipped) else 0
    return gone


def made_by_person(picture_id: ColumnElement[int]) -> ColumnElement[bool]:
    """Return the condition that a person made something of the picture: a caption, also a former one, a decision, a
    value in the catalogue, the name of a face, a favourite or a place in an album."""
    written = exists().where(captions.c.item_id == picture_id, captions.c.source == "user")
    former = exists().where(caption_history.c.picture_id == picture_id)
    valued = exists().where(facts.c.item_id == picture_id, facts.c.source == USER)
    chosen = exists().where(choices.c.picture_id == picture_id)
    known = exists().where(items.c.parent_id == picture_id, faces.c.item_id == items.c.id, faces.c.decided)
    return or_(written, former, valued, chosen, known, is_member(picture_id))


def prune(connection: Connection, ids: Sequence[int] | None = None) -> int:
    """Drop the pictures (among `ids`, few enough for one statement) that nothing refers to; return how many.

    These have no file, not even an absent one, are not about to be continued by another picture, and no person made
    anything of them. Searches ignore pictures without a file, so no change is logged.
    """
    references = (files.c.picture_id, absent_files.c.picture_id, successions.c.picture_id, successions.c.successor_id)
    kept = [exists().where(column == pictures.c.id) for column in references]
    query = select(pictures.c.id).where(~or_(*kept, made_by_person(pictures.c.id)))
    gone = connection.scalars(query if ids is None else query.where(pictures.c.id.in_(ids))).all()
    for piece in chunks(gone):
        connection.execute(delete(pictures).where(pictures.c.id.in_(piece)))
        connection.execute(delete(items).where(items.c.id.in_(piece)))
    return len(gone)


def set_user_caption(connection: Connection, picture_id: int, text: str | None) -> None:
    """Make `text` the user's caption of the picture, None for no caption. The change can be undone.

    Raises UnknownPicture.
    """
    check_picture(connection, picture_id)
    before = user_caption(connection, picture_id)
    if before != text:
        connection.execute(insert(caption_history).values(picture_id=picture_id, text=before))
        _put_user_caption(connection, picture_id, text)


def user_caption(connection: Connection, picture_id: int) -> str | None:
    """Return the user's caption of the picture, None where there is none; a damaged one with U+FFFD for lost bytes."""
    text = connection.scalar(select(captions.c.text).where(_by_user(picture_id), sound(captions)))
    if text is None and connection.dialect.name == "sqlite":
        content = connection.scalar(select(cast(captions.c.text, LargeBinary)).where(_by_user(picture_id)))
        text = readable(content)
    return text


def readable(content: bytes | None) -> str | None:
    """Return what can be read of a damaged text, None where that is nothing."""
    return " ".join((content or b"").decode(errors="replace").replace("\0", "\ufffd").split()) or None


def undo_user_caption(connection: Connection, picture_id: int) -> bool:
    """Undo the last change of the user's caption; return whether there was one."""
    query = select(caption_history.c.id, caption_history.c.text).where(caption_history.c.picture_id == picture_id)
    query = query.where(sound(caption_history))
    last = connection.execute(query.order_by(caption_history.c.id.desc()).limit(1)).first()
    if last is None:
        return False
    connection.execute(delete(caption_history).where(caption_history.c.id == last.id))
    _put_user_caption(connection, picture_id, last.text)
    return True


def _put_user_caption(connection: Connection, picture_id: int, text: str | None) -> None:
    connection.execute(delete(captions).where(_by_user(picture_id)))
    if text is not None:
        connection.execute(insert(captions).values(item_id=picture_id, source="user", rank=0, text=text))
    note_changes(connection, select(pictures.c.id).where(pictures.c.id == picture_id))


def _by_user(picture_id: int) -> ColumnElement[bool]:
    return (captions.c.item_id == picture_id) & (captions.c.source == "user")


def _forget(connection: Connection, paths: Collection[bytes]) -> None:
    """Forget the files at these paths, and note the pictures as absent from there."""
    for piece in chunks(paths):
        note_changes(connection, select(files.c.picture_id).where(files.c.path.in_(piece)).distinct())
        here = select(files.c.path, files.c.picture_id).where(files.c.path.in_(piece))
        connection.execute(delete(absent_files).where(tuple_(absent_files.c.path, absent_files.c.picture_id).in_(here)))
        noted = here.add_columns(literal(now(), DateTime))
        connection.execute(insert(absent_files).from_select(["path", "picture_id", "since"], noted))
        for table in (files, skipped, motions):
            connection.execute(delete(table).where(table.c.path.in_(piece)))


def _add_pictures(connection: Connection, rows: Sequence[PictureRow]) -> set[str]:
    """Add the pictures that are not stored yet; return their content hashes."""
    stored = _stored_ids(connection, {row.digest for row in rows})
    kept = ("digest", "width", "height", "format", "bytes", "pixels", "colours")
    new = {
        row.digest: {name: getattr(row, name) for name in kept} | {"added_at": now()}
        for row in rows
        if row.digest not in stored
    }
    if new:
        ids = new_items(connection, [{"kind": PICTURE} for _ in new])
        values = zip(ids, new.values(), strict=True)
        connection.execute(insert(pictures), [{"id": item_id, **row} for item_id, row in values])
    return set(new)


def _note_successions(
    connection: Connection, rows: Sequence[FileRow], new: Collection[int], ids: Mapping[str, int]
) -> None:
    """Note for the files of `new` pictures which pictures were at their paths or have the same pixels."""
    successors = {row.path: ids[row.digest] for row in rows if ids[row.digest] in new}
    pairs: dict[tuple[bytes, int], bool] = {}
    for piece in chunks(successors):
        bad = set(connection.scalars(select(skipped.c.path).where(skipped.c.path.in_(piece))))
        for table in (absent_files, files):
            query = select(table.c.path, table.c.picture_id).where(table.c.path.in_(piece))
            for path, picture_id in connection.execute(query):
                pairs[path, picture_id] = table is files or path in bad
        unsettled = successions.c.path.in_(piece)
        for one in connection.execute(select(successions).where(unsettled)).all():
            pairs[one.path, one.picture_id] = one.sure
        connection.execute(delete(successions).where(unsettled))
        for path, picture_id in _same_pixels(connection, {path: successors[path] for path in piece}):
            pairs.setdefault((path, picture_id), False)
    values = [
        {"path": path, "picture_id": picture_id, "successor_id": successors[path], "sure": sure}
        for (path, picture_id), sure in pairs.items()
        if picture_id != successors[path]
    ]
    if values:
        connection.execute(insert(successions), values)


SAME_PIXELS = 50
"""The most pictures of the same pixels that a new one is compared with; a library may have many blank pages."""


def _same_pixels(connection: Connection, successors: Mapping[bytes, int]) -> Iterator[tuple[bytes, int]]:
    other = pictures.alias()
    same = exists().where(pictures.c.pixels == other.c.pixels, pictures.c.id != other.c.id)
    shared = select(pictures.c.id, pictures.c.pixels).where(pictures.c.id.in_(set(successors.values())), same)
    pixels = dict(map(tuple, connection.execute(shared)))
    for path, successor in successors.items():
        if successor in pixels:
            query = select(other.c.id).where(other.c.pixels == pixels[successor], other.c.id != successor)
            query = query.order_by(made_by_person(other.c.id).desc(), other.c.id).limit(SAME_PIXELS)
            yield from ((path, picture_id) for picture_id in connection.scalars(query))


def _put_seen(connection: Connection, seen: Mapping[str, Seen]) -> None:
    """Store hashes of pixels and colours by content hash where there are none yet."""
    rows = [{"of": digest, "hash": one.pixels, "new": one.colours} for digest, one in seen.items() if any(one)]
    lacking = (pictures.c.digest == bindparam("of")) & (pictures.c.pixels.is_(None) | (pictures.c.colours == 0))
    if rows:
        hashed = func.coalesce(pictures.c.pixels, bindparam("hash", type_=String))
        colours = case((pictures.c.colours == 0, bindparam("new", type_=Integer)), else_=pictures.c.colours)
        connection.execute(update(pictures).where(lacking).values(pixels=hashed, colours=colours), rows)


def new_items(connection: Connection, rows: Sequence[Mapping[str, object]]) -> list[int]:
    """Insert items, columns of `data.tables.items` by name, and return their ids in order."""
    made = insert(items).returning(items.c.id, sort_by_parameter_order=True)
    return [int(item_id) for item_id in connection.scalars(made, list(rows))]


def _picture_ids(connection: Connection, digests: Collection[str]) -> dict[str, int]:
    ids = _stored_ids(connection, digests)
    if unknown := sorted(set(digests) - set(ids)):
        raise UnknownPicture(f"a batch names picture {unknown[0]}, which is neither stored nor in the batch")
    return ids


def _stored_ids(connection: Connection, digests: Collection[str]) -> dict[str, int]:
    known = select(pictures.c.digest, pictures.c.id)
    pieces = (known.where(pictures.c.digest.in_(piece)) for piece in chunks(digests))
    return {digest: picture_id for query in pieces for digest, picture_id in connection.execute(query)}


def _put_files(connection: Connection, rows: Sequence[FileRow], ids: dict[str, int]) -> None:
    today = now()
    values = {
        row.path: {
            "path": row.path,
            "picture_id": ids[row.digest],
            "size": row.size,
            "mtime_ns": row.mtime_ns,
            "sidecars": row.sidecars,
            "named_at": date_in_name(clean_text(row.path), today),
        }
        for row in rows
    }
    _forget(connection, values)
    if values:
        connection.execute(insert(files), list(values.values()))
    for piece in chunks(values):
        there = exists().where(files.c.path == absent_files.c.path, files.c.picture_id == absent_files.c.picture_id)
        connection.execute(delete(absent_files).where(absent_files.c.path.in_(piece), there))


def _put_skipped(connection: Connection, rows: Sequence[SkipRow]) -> None:
    values = {row.path: vars(row) for row in rows}
    _forget(connection, values)
    if values:
        connection.execute(insert(skipped), list(values.values()))


def put_descriptions(connection: Connection, rows: Iterable[tuple[int, DescriptionRow]]) -> None:
    """Store descriptions by item id, in place of those of the same models; changes are for the caller to note."""
    latest = {(item_id, row.model_version): row for item_id, row in rows}
    captioned = [item_id for (item_id, _), row in latest.items() if row.captions is not None]
    for piece in chunks(captioned):
        _drop_description(connection, piece)
    for kind in {kind for row in latest.values() for kind in (*row.vectors, *row.blobs)}:
        renewed = [item_id for (item_id, _), row in latest.items() if kind in row.vectors or kind in row.blobs]
        for piece in chunks(renewed):
            connection.execute(delete(features).where(features.c.kind == kind, features.c.item_id.in_(piece)))
    new_features = [values for (item_id, _), row in latest.items() for values in _feature_values(item_id, row)]
    new_captions = [values for (item_id, _), row in latest.items() for values in _caption_values(item_id, row)]
    if new_features:
        connection.execute(insert(features), new_features)
    if new_captions:
        connection.execute(insert(captions), new_captions)


def _drop_description(connection: Connection, item_ids: Sequence[int]) -> None:
    """Drop the model captions of the items, and all features that the models behind them made."""
    by_model = captions.c.item_id.in_(item_ids) & (captions.c.source == "model")
    made_by = select(captions.c.model_version).where(captions.c.item_id == features.c.item_id, by_model)
    stale = features.c.item_id.in_(item_ids) & features.c.model_version.in_(made_by)
    connection.execute(delete(features).where(stale))
    connection.execute(delete(captions).where(by_model))


def _caption_values(item_id: int, row: DescriptionRow) -> list[dict[str, object]]:
    shared = {"item_id": item_id, "source": "model", "model_version": row.model_version}
    return [{**shared, "rank": rank, **vars(caption)} for rank, caption in enumerate(row.captions or ())]


def _feature_values(item_id: int, row: DescriptionRow) -> Iterator[dict[str, object]]:
    shared = {"item_id": item_id, "model_version": row.model_version}
    for kind, vector in row.vectors.items():
        yield {**shared, "kind": kind, "dimensions": len(vector), "value": _blob(vector)}
    for kind, value in row.blobs.items():
        yield {**shared, "kind": kind, "dimensions": None, "value": value}


def _blob(vector: np.ndarray) -> bytes:
    return np.ascontiguousarray(vector, dtype="<f2").tobytes()
