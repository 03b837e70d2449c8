"""What the store reads; each function works inside the caller's transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Select,
    Table,
    bindparam,
    distinct,
    func,
    or_,
    select,
    true,
)

from data.migrations import GENERATION_KEY
from data.records import KnownFile, Status, StoredCaption, StoredPicture
from data.sql import at_or_below, chunks
from data.tables import caption_history, captions, features, files, meta, pictures, skipped

HAS_FILE = select(files.c.path).where(files.c.picture_id == pictures.c.id).exists()

_IN_ORDER = (captions.c.picture_id, captions.c.source.desc(), captions.c.rank)
"""The user's caption first ("user" sorts after "model"), then the model's, best first."""
# Statements of every search, built once: to build one takes longer than to run it.
_IDS: BindParameter[int] = bindparam("ids", expanding=True)
_GENERATION = select(meta.c.value).where(meta.c.key == GENERATION_KEY)
_PICTURES = select(pictures).where(pictures.c.id.in_(_IDS))
_PATHS = select(files.c.picture_id, files.c.path).where(files.c.picture_id.in_(_IDS)).order_by(files.c.path)
_CAPTIONS = (
    select(captions.c.picture_id, captions.c.text, captions.c.logprob, captions.c.source, captions.c.model_version)
    .where(captions.c.picture_id.in_(_IDS))
    .order_by(*_IN_ORDER)
)
_VIEWS = select(features.c.picture_id, features.c.views).where(
    features.c.model_version == bindparam("model"), features.c.views.is_not(None), features.c.picture_id.in_(_IDS)
)


def generation(connection: Connection) -> int:
    """Return the number of the store's present state."""
    return int(connection.scalar(_GENERATION) or 0)


def known_files(connection: Connection, roots: Sequence[bytes] | None) -> dict[bytes, KnownFile]:
    """Return the files, those skipped included, at or below `roots`, or all."""
    taken = select(files.c.path, files.c.size, files.c.mtime_ns, pictures.c.digest).join(pictures)
    left_out = select(skipped.c.path, skipped.c.size, skipped.c.mtime_ns)
    known: dict[bytes, KnownFile] = {}
    for below in _below(files, roots):
        rows = connection.execute(taken.where(below))
        known.update((row.path, KnownFile(row.size, row.mtime_ns, row.digest)) for row in rows)
    for below in _below(skipped, roots):
        rows = connection.execute(left_out.where(below))
        known.update((row.path, KnownFile(row.size, row.mtime_ns, "")) for row in rows)
    return known


def _below(table: Table, roots: Sequence[bytes] | None) -> Iterator[ColumnElement[bool]]:
    """Yield conditions that together hold for what lies at or below `roots`."""
    if roots is None:
        yield true()
        return
    for piece in chunks(roots):
        yield or_(*(at_or_below(table, root) for root in piece))


def described(connection: Connection, digests: Collection[str], model_version: str) -> set[str]:
    """Return those of the digests that `model_version` has described."""
    done: set[str] = set()
    query = select(pictures.c.digest).join(features).where(features.c.model_version == model_version)
    for piece in chunks(digests):
        done.update(connection.scalars(query.where(pictures.c.digest.in_(piece))))
    return done


def stored_pictures(connection: Connection, ids: Sequence[int]) -> dict[int, StoredPicture]:
    """Return the pictures by id, in the order asked for; unknown ids are left out."""
    found: dict[int, StoredPicture] = {}
    for piece in chunks(list(dict.fromkeys(ids))):
        paths = _paths(connection, piece)
        texts = captions_of(connection, piece)
        rows = {row.id: row for row in connection.execute(_PICTURES, {"ids": piece})}
        for number in piece:
            if number in rows:
                found[number] = _picture(rows[number], paths[number], texts[number])
    return found


def picture_id(connection: Connection, digest: str) -> int | None:
    """Return the id of the picture with this content hash, None when there is none."""
    return connection.scalar(select(pictures.c.id).where(pictures.c.digest == digest))


def _picture(row: Any, paths: list[bytes], texts: list[StoredCaption]) -> StoredPicture:
    return StoredPicture(
        row.id, row.digest, paths, row.width, row.height, row.format, row.bytes, row.taken_at, captions=texts
    )


def _paths(connection: Connection, ids: list[int]) -> defaultdict[int, list[bytes]]:
    paths: defaultdict[int, list[bytes]] = defaultdict(list)
    for picture_id, path in connection.execute(_PATHS, {"ids": ids}):
        paths[picture_id].append(path)
    return paths


def captions_of(connection: Connection, ids: Sequence[int]) -> defaultdict[int, list[StoredCaption]]:
    """Return each picture's captions, the user's first; `ids` are few enough for one statement."""
    texts: defaultdict[int, list[StoredCaption]] = defaultdict(list)
    for picture_id, *values in connection.execute(_CAPTIONS, {"ids": ids}):
        texts[picture_id].append(StoredCaption(*values))
    return texts


def views(connection: Connection, ids: Sequence[int], model_version: str) -> dict[int, bytes]:
    """Return by id what `model_version`'s decoder sees of the pictures; those without it are left out."""
    found: dict[int, bytes] = {}
    for piece in chunks(ids):
        found.update(map(tuple, connection.execute(_VIEWS, {"ids": piece, "model": model_version})))
    return found


def can_undo_caption(connection: Connection, picture_id: int) -> bool:
    """Tell whether the user's caption of the picture was ever changed and not changed back."""
    return _count(connection, select(func.count()).where(caption_history.c.picture_id == picture_id)) > 0


def skipped_files(connection: Connection, limit: int | None, offset: int) -> list[tuple[bytes, str]]:
    """Return (path, reason) of skipped files by path, a page of them or all."""
    query = select(skipped.c.path, skipped.c.reason).order_by(skipped.c.path)
    rows = connection.execute(query.limit(limit).offset(offset))
    return [(path, reason) for path, reason in rows]


def status(connection: Connection) -> Status:
    """Return counts; pictures, captions and model versions are counted over pictures that have a file."""
    kept = select(func.count(captions.c.id)).join(pictures).where(HAS_FILE)
    versions = select(features.c.model_version, func.count()).join(pictures).where(HAS_FILE)
    by_version = connection.execute(versions.group_by(features.c.model_version).order_by(features.c.model_version))
    return Status(
        pictures=_count(connection, select(func.count(distinct(files.c.picture_id)))),
        files=_count(connection, select(func.count(files.c.path))),
        captions=_count(connection, kept),
        user_captions=_count(connection, kept.where(captions.c.source == "user")),
        skipped=_count(connection, select(func.count(skipped.c.path))),
        model_versions={str(version): int(count) for version, count in by_version},
        generation=generation(connection),
    )


def _count(connection: Connection, query: Select[Any]) -> int:
    return int(connection.scalar(query) or 0)
