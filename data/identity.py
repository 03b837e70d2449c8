"""A picture stays the same when its file is edited, moved or away for a while, and keeps what a person made of it.

Content identifies a picture. Where a file has new content, the picture continues if its pixels stayed the same, or if
the new content is at its path. Which old picture a new one continues is known only once all files were read, as the
old content may turn up elsewhere. So candidates are noted in `successions` with the files, and settled at the end of
a run: a kill in between loses nothing.

A file that is gone is noted in `absent_files` with the date. After thirty days (`DAYS_KEPT`) its picture is dropped,
unless a person made something of it: then its row stays, to be found again by content or pixels.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import NamedTuple

import numpy as np
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    delete,
    exists,
    func,
    or_,
    select,
    update,
)

from data import writes
from data.albums.continuing import continue_membership, copy_membership
from data.catalogue.writes import continue_facts, copy_users_facts
from data.database import at_or_below, chunks
from data.faces.records import FACE
from data.faces.writes import continue_faces
from data.metadata.dates import now
from data.reads import HAS_FILE
from data.soundness import sound
from data.store import Store
from data.tables import (
    absent_files,
    album_pictures,
    albums,
    caption_history,
    captions,
    choices,
    face_scans,
    faces,
    facts,
    favourites,
    features,
    files,
    items,
    metadata,
    pictures,
    successions,
)
from data.writes import made_by_person

DAYS_KEPT = 30

_WITH_OWN_RULES = {
    captions,
    caption_history,
    choices,
    absent_files,
    successions,
    facts,
    faces,
    face_scans,
    favourites,
    albums,
    album_pictures,
}
_DERIVED: list[Column[int]] = [
    key.parent
    for table in metadata.sorted_tables
    if table not in _WITH_OWN_RULES
    for key in table.foreign_keys
    if key.column.table in (pictures, items)
]
"""The columns that name the picture of a row which is made of its file."""


class Succession(NamedTuple):
    """The picture `successor` may continue `picture`: their pixels are the `same`, or it is at the same path.

    `sure` says that the path always had a file in between.
    """

    path: bytes
    picture: int
    successor: int
    sure: bool
    same: bool


def settle(store: Store, roots: Sequence[bytes], new_paths: Collection[bytes], near_copy: float) -> None:
    """Decide which new pictures at or below `roots` continue older ones, once all files there were read.

    A picture without a file is continued: it keeps its id and what a person made of it, and gets the file, facts and
    description of its successor. One that still has a file stays, and the successor gets a copy of the person's
    caption and values, and is a favourite and in albums like it. `new_paths` were found new or changed in this run:
    where the old content only turned up there, a file of other content may have taken its place, so the two have to
    look alike (cosine of at least `near_copy`).
    Raises StoreError.
    """
    with store.reading() as connection:
        candidates = _successions(connection, roots)
    continued: set[int] = set()
    for piece in chunks(candidates):
        with store.writing() as connection:
            for one in piece:
                open_still = not continued & {one.picture, one.successor}
                if open_still and _settle_one(connection, one, new_paths, near_copy):
                    continued |= {one.picture, one.successor}
                _forget_succession(connection, one)


def _successions(connection: Connection, roots: Sequence[bytes]) -> list[Succession]:
    """Return what is to be settled below `roots`: first where pixels are the same, then where a person made more."""
    successor = pictures.alias()
    by_person = made_by_person(pictures.c.id)
    query = (
        select(
            successions.c.path,
            successions.c.picture_id,
            successions.c.successor_id,
            successions.c.sure,
            func.coalesce(pictures.c.pixels == successor.c.pixels, False),
        )
        .join(pictures, pictures.c.id == successions.c.picture_id)
        .join(successor, successor.c.id == successions.c.successor_id)
        .order_by(by_person.desc(), successions.c.sure.desc(), successions.c.picture_id)
    )
    # A set, since a root may lie in another. For many roots the order by person holds within each piece.
    rows = {
        Succession(*row): None
        for piece in chunks(roots)
        for row in connection.execute(query.where(or_(*(at_or_below(successions, root) for root in piece))))
    }
    return sorted(rows, key=lambda one: not one.same)


def _settle_one(connection: Connection, one: Succession, new_paths: Collection[bytes], near_copy: float) -> bool:
    """Continue a picture, or copy its caption; return whether it was continued."""
    paths = set(connection.scalars(select(files.c.path).where(files.c.picture_id == one.picture)))
    if not _has_file(connection, one.successor):
        return False
    believed = one.same or (one.sure and (not paths or bool(paths - set(new_paths))))
    if not (believed or _look_alike(connection, one.picture, one.successor, near_copy)):
        return False
    if not paths:
        _continue(connection, one.picture, one.successor)
        return True
    copy_users_facts(connection, one.picture, one.successor)
    copy_membership(connection, one.picture, one.successor)
    text = writes.user_caption(connection, one.picture)
    if text is not None and writes.user_caption(connection, one.successor) is None:
        writes.set_user_caption(connection, one.successor, text)
    return False


def _has_file(connection: Connection, picture_id: int) -> bool:
    return bool(connection.scalar(select(exists().where(files.c.picture_id == picture_id))))


def _look_alike(connection: Connection, first: int, second: int, near_copy: float) -> bool:
    """Return whether two pictures have vectors of the same kind and model that are near copies."""
    query = select(features.c.kind, features.c.model_version, features.c.value)
    query = query.where(features.c.dimensions.is_not(None), sound(features))
    vectors = [
        {
            (kind, version): np.frombuffer(value, "<f2").astype(np.float32)
            for kind, version, value in connection.execute(query.where(features.c.item_id == picture_id))
        }
        for picture_id in (first, second)
    ]
    pairs = [(vectors[0][kind], vectors[1][kind]) for kind in vectors[0].keys() & vectors[1].keys()]
    return any(len(one) == len(other) and float(one @ other) >= near_copy for one, other in pairs)


def _continue(connection: Connection, old: int, new: int) -> None:
    """Let picture `old` continue with all that was made of the file of `new`, whose row goes."""
    writes.note_changes(connection, select(pictures.c.id).where(pictures.c.id.in_([old, new])))
    text = writes.user_caption(connection, new)
    connection.execute(delete(captions).where(captions.c.item_id == old, captions.c.source == "model"))
    by_model = (captions.c.item_id == new) & (captions.c.source == "model")
    connection.execute(update(captions).where(by_model).values(item_id=old))
    connection.execute(update(caption_history).where(caption_history.c.picture_id == new).values(picture_id=old))
    decided = select(choices.c.path).where(choices.c.picture_id == old)
    undecided = (choices.c.picture_id == new) & choices.c.path.not_in(decided)
    connection.execute(update(choices).where(undecided).values(picture_id=old))
    continue_facts(connection, old, new)
    continue_faces(connection, new)
    continue_membership(connection, old, new)
    for column in _DERIVED:
        outdated = column == old if column is not items.c.parent_id else (column == old) & (items.c.kind != FACE)
        connection.execute(delete(column.table).where(outdated))
        connection.execute(update(column.table).where(column == new).values({column.name: old}))
    row = connection.execute(select(pictures).where(pictures.c.id == new)).one()._asdict()
    kind = select(items.c.kind).where(items.c.id == new).scalar_subquery()
    connection.execute(update(items).where(items.c.id == old).values(kind=kind))
    connection.execute(delete(pictures).where(pictures.c.id == new))
    connection.execute(delete(items).where(items.c.id == new))
    values = {name: value for name, value in row.items() if name not in ("id", "added_at")}
    connection.execute(update(pictures).where(pictures.c.id == old).values(**values))
    if text is not None:
        writes.set_user_caption(connection, old, text)


def _forget_succession(connection: Connection, one: Succession) -> None:
    pair = (successions.c.path == one.path) & (successions.c.picture_id == one.picture)
    connection.execute(delete(successions).where(pair))


def drop_absent(store: Store, roots: Sequence[bytes], at_once: bool = False) -> int:
    """Drop the pictures whose files were absent for thirty days, or `at_once` all absent ones at or below `roots`.

    What a person made of them stays, see `prune`. Raises StoreError. Returns how many pictures were dropped.
    """
    due = [absent_files.c.since < now() - timedelta(days=DAYS_KEPT)]
    if at_once:
        due += [or_(*(at_or_below(absent_files, root) for root in piece)) for piece in chunks(roots)]
    return sum(_drop_due(store, condition) for condition in due)


def _drop_due(store: Store, due: ColumnElement[bool]) -> int:
    there = exists().where(files.c.picture_id == absent_files.c.picture_id)
    with store.reading() as connection:
        if not connection.scalar(select(exists().where(or_(due, there)))):
            return 0
    with store.writing() as connection:
        connection.execute(delete(absent_files).where(there))
        ids = connection.scalars(select(absent_files.c.picture_id).where(due).distinct()).all()
        connection.execute(delete(absent_files).where(due))
        return sum(writes.prune(connection, piece) for piece in chunks(ids))


def unseen_pictures(store: Store) -> list[tuple[str, list[bytes]]]:
    """Return content hash and paths of pictures whose hash of pixels or colours are unknown.

    Those that a person captioned or decided on come first. Raises StoreError.
    """
    lacking = pictures.c.pixels.is_(None) | (pictures.c.colours == 0)
    unknown = select(pictures.c.id, pictures.c.digest).where(lacking, HAS_FILE, sound(pictures))
    with store.reading() as connection:
        rows = connection.execute(unknown.order_by(~made_by_person(pictures.c.id), pictures.c.id)).all()
        paths: dict[int, list[bytes]] = {}
        for piece in chunks([row.id for row in rows]):
            query = select(files.c.picture_id, files.c.path).where(files.c.picture_id.in_(piece))
            for picture_id, path in connection.execute(query):
                paths.setdefault(picture_id, []).append(path)
    return [(row.digest, paths.get(row.id, [])) for row in rows]
