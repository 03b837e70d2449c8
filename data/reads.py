"""What the store reads. Each function runs inside the caller's transaction."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Select,
    Table,
    bindparam,
    distinct,
    exists,
    func,
    or_,
    select,
    true,
)
from sqlalchemy.exc import DBAPIError

from data.catalogue.reads import facts_of
from data.catalogue.values import Fact
from data.database import MEND, at_or_below, chunks
from data.films.queries import described_films, films_described_by, frame_vectors_by, frames_among
from data.metadata.dates import METADATA_VERSION, PARTIAL
from data.migrations import GENERATION_KEY
from data.records import (
    PictureText,
    SearchedPicture,
    Status,
    StoredCaption,
    StoredFile,
    StoredPicture,
    StoredVector,
    searched_facts,
)
from data.soundness import guarded, sound, tell_damage
from data.store_errors import StoreDamaged
from data.tables import (
    absent_files,
    caption_history,
    captions,
    favourites,
    features,
    files,
    meta,
    motions,
    picture_texts,
    pictures,
    skipped,
)

HAS_FILE = select(files.c.path).where(files.c.picture_id == pictures.c.id).exists()

_ABSENT = select(func.count(distinct(absent_files.c.picture_id))).where(
    ~exists().where(files.c.picture_id == absent_files.c.picture_id)
)

_IN_ORDER = (captions.c.item_id, captions.c.source.desc(), captions.c.rank)
"""The user's caption first ("user" sorts after "model"), then the model's, best first."""
# Statements of every search, built once: to build one takes longer than to run it.
_IDS: BindParameter[int] = bindparam("ids", expanding=True)
_GENERATION = select(meta.c.value).where(meta.c.key == GENERATION_KEY)
_FACTS = ("digest", "width", "height", "format", "bytes", "taken_at", "taken_from", "colours")
_FAVOURITE = exists().where(favourites.c.picture_id == pictures.c.id).label("favourite")
_PICTURES = select(pictures.c.id, *(pictures.c[name] for name in _FACTS), _FAVOURITE).where(
    pictures.c.id.in_(_IDS), sound(pictures)
)
_DAMAGED_PICTURES = select(pictures.c.id).where(pictures.c.id.in_(_IDS), ~sound(pictures))
_FILES = (
    select(files.c.picture_id, files.c.path, files.c.named_at, files.c.mtime_ns)
    .where(files.c.picture_id.in_(_IDS), sound(files))
    .order_by(files.c.path)
)
_TEXTS = (
    select(picture_texts.c.picture_id, picture_texts.c.field, picture_texts.c.text)
    .where(picture_texts.c.picture_id.in_(_IDS), sound(picture_texts))
    .order_by(picture_texts.c.picture_id, picture_texts.c.rank)
)
_TAKEN = select(pictures.c.id, pictures.c.taken_at, pictures.c.taken_from).where(
    pictures.c.id.in_(_IDS), sound(pictures)
)
_ANY_CAPTIONS = (
    select(captions.c.item_id, captions.c.text, captions.c.logprob, captions.c.source, captions.c.model_version)
    .where(captions.c.item_id.in_(_IDS))
    .order_by(*_IN_ORDER)
)
_CAPTIONS = _ANY_CAPTIONS.where(sound(captions))
_DAMAGED_CAPTIONS = select(captions.c.item_id).where(captions.c.item_id.in_(_IDS), ~sound(captions))
_FEATURES = select(features.c.item_id, features.c.value).where(
    features.c.kind == bindparam("kind"),
    features.c.model_version == bindparam("model"),
    features.c.item_id.in_(_IDS),
    sound(features),
)


def generation(connection: Connection) -> int:
    """Return the number of the store's current state."""
    value = connection.scalar(_GENERATION)
    try:
        return int(value or 0)
    except ValueError as error:
        raise StoreDamaged(f"the library's number of changes is damaged: {value!r}; {MEND}") from error


def stored_files(connection: Connection, roots: Sequence[bytes] | None) -> dict[bytes, StoredFile]:
    """Return the files, those skipped and the films of Live Photos included, at or below `roots`, or all."""
    taken = select(files.c.path, files.c.size, files.c.mtime_ns, pictures.c.digest, files.c.sidecars).join(pictures)
    taken = taken.where(sound(files), sound(pictures, "digest"))
    stored: dict[bytes, StoredFile] = {}
    for below in _below(files, roots):
        rows = connection.execute(taken.where(below))
        stored.update((row.path, StoredFile(row.size, row.mtime_ns, row.digest, row.sidecars)) for row in rows)
    for table in (skipped, motions):
        query = select(table.c.path, table.c.size, table.c.mtime_ns).where(sound(table))
        for below in _below(table, roots):
            rows = connection.execute(query.where(below))
            stored.update((row.path, StoredFile(row.size, row.mtime_ns, "")) for row in rows)
    return stored


def _below(table: Table, roots: Sequence[bytes] | None) -> Iterator[ColumnElement[bool]]:
    """Yield conditions; a path at or below one of `roots` meets one of them."""
    if roots is None:
        yield true()
        return
    for piece in chunks(roots):
        yield or_(*(at_or_below(table, root) for root in piece))


def described(connection: Connection, digests: Collection[str], model_version: str) -> set[str]:
    """Return the digests that `model_version` has described; those of films by their frames."""
    done = described_films(connection, digests, model_version)
    made = features.c.item_id == pictures.c.id
    query = select(pictures.c.digest).join(features, made).where(features.c.model_version == model_version).distinct()
    for piece in chunks(digests):
        done.update(connection.scalars(query.where(pictures.c.digest.in_(piece))))
    return done


def outdated_metadata(connection: Connection, digests: Collection[str]) -> set[str]:
    """Return the digests of stored pictures whose metadata was not read by this version."""
    version = func.coalesce(pictures.c.metadata_version, 0)
    query = select(pictures.c.digest).where(version < METADATA_VERSION)
    return {one for piece in chunks(digests) for one in connection.scalars(query.where(pictures.c.digest.in_(piece)))}


def stored_pictures(connection: Connection, ids: Sequence[int]) -> dict[int, StoredPicture]:
    """Return the pictures by id, in the order of `ids`, without unknown ids."""
    found_pictures: dict[int, StoredPicture] = {}
    for piece in chunks(list(dict.fromkeys(ids))):
        found_files, metadata = _files(connection, piece), _texts(connection, piece)
        texts, facts = captions_of(connection, piece), facts_of(connection, piece)
        rows = {row.id: row for row in connection.execute(_PICTURES, {"ids": piece})}
        if len(rows) < len(piece):
            for picture_id in connection.scalars(_DAMAGED_PICTURES, {"ids": piece}):
                tell_damage(pictures, picture_id)
        for picture_id in piece:
            if picture_id in rows:
                found_pictures[picture_id] = _picture(
                    rows[picture_id],
                    found_files[picture_id],
                    texts[picture_id],
                    metadata[picture_id],
                    facts[picture_id],
                )
    return found_pictures


def picture_id(connection: Connection, digest: str) -> int | None:
    """Return the id of the picture with this content hash, None when there is none."""
    return connection.scalar(select(pictures.c.id).where(pictures.c.digest == digest))


def paths_of(connection: Connection, digests: Collection[str]) -> dict[str, list[bytes]]:
    """Return the paths of the files of the pictures with these content hashes."""
    query = select(pictures.c.digest, files.c.path).join(files, files.c.picture_id == pictures.c.id)
    query = query.where(sound(files, "path"), sound(pictures, "digest"))
    paths: dict[str, list[bytes]] = {}
    for piece in chunks(digests):
        for digest, path in connection.execute(query.where(pictures.c.digest.in_(piece))):
            paths.setdefault(digest, []).append(path)
    return paths


def _picture(
    row: Any, own: Sequence[Any], texts: list[StoredCaption], metadata: list[PictureText], facts: list[Fact]
) -> StoredPicture:
    taken_at, taken_from = _taken(row, own)
    paths = [file.path for file in own]
    size = row.width, row.height, row.format, row.bytes
    beside = tuple(metadata), tuple(facts), row.colours, row.favourite
    return StoredPicture(row.id, row.digest, paths, *size, taken_at, texts, taken_from, *beside)


def _taken(row: Any, own: Sequence[Any]) -> tuple[datetime | None, str | None]:
    """Return when a picture was taken, and by which source: what its file says, its files' names, or their time."""
    in_part = row.taken_from in PARTIAL
    if (row.taken_at is not None and not in_part) or not own:
        return row.taken_at, row.taken_from
    named = [file.named_at for file in own if file.named_at is not None]
    if named:
        return min(named), "name"
    if in_part:
        return row.taken_at, row.taken_from
    try:
        return datetime(1970, 1, 1) + timedelta(seconds=min(file.mtime_ns for file in own) // 10**9), "file"
    except OverflowError:
        return None, None


def _files(connection: Connection, ids: Sequence[int]) -> defaultdict[int, list[Any]]:
    own: defaultdict[int, list[Any]] = defaultdict(list)
    for row in connection.execute(_FILES, {"ids": ids}):
        own[row.picture_id].append(row)
    return own


def _texts(connection: Connection, ids: Sequence[int]) -> defaultdict[int, list[PictureText]]:
    texts: defaultdict[int, list[PictureText]] = defaultdict(list)
    for picture_id, field, text in connection.execute(_TEXTS, {"ids": ids}):
        texts[picture_id].append(PictureText(field, text))
    return texts


def captions_of(connection: Connection, ids: Sequence[int]) -> defaultdict[int, list[StoredCaption]]:
    """Return each picture's captions, the user's first. `ids` must be few enough for one statement."""
    texts: defaultdict[int, list[StoredCaption]] = defaultdict(list)
    rows = _sound_captions(connection, ids)
    if rows is None:
        rows = connection.execute(_CAPTIONS, {"ids": ids}).all()
        for picture_id in connection.scalars(_DAMAGED_CAPTIONS, {"ids": ids}):
            tell_damage(captions, picture_id)
    for picture_id, *values in rows:
        texts[picture_id].append(StoredCaption(*values))
    return texts


def _sound_captions(connection: Connection, ids: Sequence[int]) -> Sequence[Sequence[Any]] | None:
    """Return the captions, None if one is damaged. To check them here takes a third of the time that SQL takes."""
    try:
        rows: Sequence[Sequence[Any]] = connection.execute(_ANY_CAPTIONS, {"ids": ids}).all()
    except DBAPIError:  # a text that is not UTF-8
        return None
    return rows if all(map(_is_sound_caption, rows)) else None


def _is_sound_caption(row: Sequence[Any]) -> bool:
    _, text, logprob, source, model_version = row
    return (
        type(text) is str
        and text != ""
        and (logprob is None or type(logprob) in (float, int))
        and source in ("model", "user")
        and (model_version is None or type(model_version) is str)
    )


def features_of(connection: Connection, ids: Sequence[int], kind: str, model_version: str) -> dict[int, bytes]:
    """Return by item id the stored features of one kind by `model_version`, without items that have none."""
    values_by_id: dict[int, bytes] = {}
    for chunk in chunks(ids):
        parameters = {"ids": chunk, "kind": kind, "model": model_version}
        values_by_id.update(map(tuple, connection.execute(_FEATURES, parameters)))
    return values_by_id


def can_undo_caption(connection: Connection, picture_id: int) -> bool:
    """Return whether a change of the picture's user caption can be undone."""
    return _count(connection, select(func.count()).where(caption_history.c.picture_id == picture_id)) > 0


def skipped_files(connection: Connection, limit: int | None, offset: int) -> list[tuple[bytes, str]]:
    """Return (path, reason) of skipped files by path: all, or `limit` from `offset`."""
    query = select(skipped.c.path, skipped.c.reason).where(sound(skipped)).order_by(skipped.c.path)
    rows = connection.execute(query.limit(limit).offset(offset))
    return [(path, reason) for path, reason in rows]


def status(connection: Connection) -> Status:
    """Return counts; pictures, captions and model versions are counted over pictures that have a file."""
    kept = select(func.count(captions.c.id)).join(pictures, pictures.c.id == captions.c.item_id).where(HAS_FILE)
    return Status(
        pictures=_count(connection, select(func.count(distinct(files.c.picture_id)))),
        files=_count(connection, select(func.count(files.c.path))),
        captions=_count(connection, kept),
        user_captions=_count(connection, kept.where(captions.c.source == "user")),
        skipped=_count(connection, select(func.count(skipped.c.path))),
        absent=count_absent(connection),
        model_versions=_described_by(connection),
        generation=generation(connection),
    )


def count_absent(connection: Connection) -> int:
    """Return how many pictures have no file that is there now, see `data.identity`."""
    return _count(connection, _ABSENT)


def _described_by(connection: Connection) -> dict[str, int]:
    """Return how many pictures that have a file each model version described, counted on its most frequent kind."""
    made = features.c.model_version, features.c.kind
    readable = sound(features, "model_version", "kind")
    rising = connection.execute(
        select(*made).where(readable).group_by(*made).order_by(features.c.model_version, func.count())
    )
    counts = films_described_by(connection)
    for version, kind in dict(map(tuple, rising)).items():  # rising, so the most frequent kind of each version stays
        joined = select(func.count()).select_from(features).join(pictures, pictures.c.id == features.c.item_id)
        counts[version] += _count(
            connection, joined.where(features.c.model_version == version, features.c.kind == kind, HAS_FILE)
        )
    return {version: count for version, count in counts.items() if count}


def _count(connection: Connection, query: Select[Any]) -> int:
    return int(connection.scalar(query) or 0)


def main_models(connection: Connection) -> dict[str, str]:
    """Return for each kind the model version that made most of its vectors, of pictures and films that have a file.

    Of several it is the first by name.
    """
    made = features.c.kind, features.c.model_version
    readable = sound(features, "model_version", "kind")
    query = select(*made, func.count()).where(features.c.dimensions.is_not(None), readable)
    query = query.join(pictures, pictures.c.id == features.c.item_id).where(HAS_FILE).group_by(*made)
    counts = Counter({(kind, version): count for kind, version, count in connection.execute(query)})
    counts += frame_vectors_by(connection)
    rising = sorted(sorted(counts, reverse=True), key=lambda one: counts[one])
    return dict(rising)


def searched_pictures(connection: Connection, ids: Collection[int]) -> list[SearchedPicture]:
    """Return the pictures and frames that have a file, and a caption or a vector, by rising id.

    What the file says of itself is that of the film for each of its frames. `ids` must be few enough for one statement.
    """
    frames = frames_among(connection, ids)
    own = _files(connection, sorted({*ids, *frames.values()}))
    rows = {row.id: row for row in connection.execute(_TAKEN, {"ids": sorted(own)})}
    with_file = sorted(rows)
    metadata, facts = _texts(connection, with_file), facts_of(connection, with_file)
    for picture_id, own_facts in facts.items():
        metadata[picture_id].extend(searched_facts(own_facts))
    present = sorted(one for one in ids if frames.get(one, one) in rows)
    texts, vectors = captions_of(connection, present), _vectors_of(connection, present)
    searched = []
    for one in (one for one in present if one in texts or one in vectors):
        row, film = rows[frames.get(one, one)], frames.get(one)
        searched.append(_searched(one, film, row, own[row.id], texts[one], metadata[row.id], vectors.get(one, {})))
    return searched


def _vectors_of(connection: Connection, ids: Sequence[int]) -> dict[int, dict[str, StoredVector]]:
    columns = guarded(features, "kind", "model_version", "dimensions", "value")
    query = select(features.c.item_id, *columns).where(features.c.item_id.in_(ids))
    vectors: dict[int, dict[str, StoredVector]] = {}
    for row in connection.execute(query.where(features.c.dimensions.is_not(None))):
        values = np.frombuffer(row.value, "<f2") if row.sound else None
        if values is not None and np.isfinite(values).all():
            vectors.setdefault(row.item_id, {})[row.kind] = StoredVector(row.model_version, values)
        else:
            tell_damage(features, row.item_id)
    return vectors


def _searched(
    item_id: int,
    film: int | None,
    row: Any,
    own: Sequence[Any],
    texts: list[StoredCaption],
    metadata: list[PictureText],
    vectors: dict[str, StoredVector],
) -> SearchedPicture:
    by_user = any(caption.source == "user" for caption in texts)
    paths = [file.path for file in own]
    said = [caption.text for caption in texts]
    return SearchedPicture(item_id, said, by_user, vectors, paths, metadata, *_taken(row, own), film)


def user_texts(connection: Connection) -> list[str]:
    """Return the captions that people wrote."""
    query = select(captions.c.text).where(captions.c.source == "user", sound(captions))
    return list(connection.scalars(query))
