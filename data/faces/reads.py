"""What is read of faces. Each call is one transaction, and raises StoreError."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import Connection, and_, exists, func, select, true

from data.database import chunks
from data.faces.records import FACE, Box, FaceVectors, StoredFace
from data.films.records import FRAME
from data.reads import HAS_FILE
from data.soundness import sound
from data.store import Store
from data.tables import face_scans, faces, features, files, films, items, meta, people, pictures

FACES_KEY, CHANGED_KEY = "faces", "faces_changed"
"""Rows of `meta`: whether `index` looks for faces, and the generation in which vectors of faces last changed."""
BOX = (items.c.box_left, items.c.box_top, items.c.box_width, items.c.box_height)


class Unscanned(NamedTuple):
    """A picture that was not searched for faces yet, or by another model, or before its file changed.

    `times` are those of the frames of a film, in seconds; none for a picture.
    """

    picture_id: int
    digest: str
    paths: list[bytes]
    times: tuple[float, ...] = ()


class FaceCounts(NamedTuple):
    """Pictures that were searched for faces, faces, groups of faces, and those that have a name."""

    scanned: int
    faces: int
    groups: int
    named: int


def is_wanted(store: Store) -> bool:
    """Return whether a person asked for faces in this library."""
    with store.reading() as connection:
        return connection.scalar(select(meta.c.value).where(meta.c.key == FACES_KEY)) == "1"


def changed_in(store: Store) -> str:
    """Return what tells one state of the faces' vectors from another."""
    with store.reading() as connection:
        return connection.scalar(select(meta.c.value).where(meta.c.key == CHANGED_KEY)) or ""


def unscanned(store: Store, model_version: str, with_films: bool = True) -> list[Unscanned]:
    """Return what has a file whose present content `model_version` has not searched for faces: pictures, then films."""
    done = exists().where(
        face_scans.c.picture_id == pictures.c.id,
        face_scans.c.model_version == model_version,
        face_scans.c.digest == pictures.c.digest,
    )
    film = exists().where(films.c.picture_id == pictures.c.id)
    query = select(pictures.c.id, pictures.c.digest, film.label("film"))
    query = query.where(HAS_FILE, ~done, sound(pictures, "id", "digest"), true() if with_films else ~film)
    with store.reading() as connection:
        rows = connection.execute(query.order_by("film", pictures.c.id)).all()
        paths: dict[int, list[bytes]] = {}
        for piece in chunks([row.id for row in rows]):
            there = select(files.c.picture_id, files.c.path).where(files.c.picture_id.in_(piece), sound(files, "path"))
            for picture_id, path in connection.execute(there.order_by(files.c.path)):
                paths.setdefault(picture_id, []).append(path)
        times: dict[int, list[float]] = {}
        for piece in chunks([row.id for row in rows if row.film]):
            frames = select(items.c.parent_id, items.c.seconds).where(
                items.c.kind == FRAME, items.c.parent_id.in_(piece)
            )
            frames = frames.where(items.c.seconds.is_not(None), sound(items)).order_by(items.c.seconds)
            for film_id, seconds in connection.execute(frames):
                times.setdefault(film_id, []).append(seconds)
    return [Unscanned(row.id, row.digest, paths.get(row.id, []), tuple(times.get(row.id, ()))) for row in rows]


def is_scanned(store: Store, picture_id: int, model_version: str, digest: str) -> bool:
    """Return whether this content of a picture was searched for faces by this model version."""
    done = select(face_scans.c.picture_id).where(
        face_scans.c.picture_id == picture_id,
        face_scans.c.model_version == model_version,
        face_scans.c.digest == digest,
    )
    with store.reading() as connection:
        return connection.execute(done).first() is not None


def faces_of(store: Store, picture_ids: Collection[int]) -> dict[int, list[StoredFace]]:
    """Return the faces of pictures by picture id, from left to right; of films by time."""
    found: dict[int, list[StoredFace]] = {}
    with store.reading() as connection:
        for piece in chunks(picture_ids):
            for face in stored_faces(connection, items.c.parent_id.in_(piece)):
                found.setdefault(face.picture_id, []).append(face)
    return {number: sorted(own, key=lambda face: (face.seconds or 0, face.box)) for number, own in found.items()}


def all_faces(store: Store) -> list[StoredFace]:
    """Return all faces, by id."""
    with store.reading() as connection:
        return stored_faces(connection, true())


def faces_by_id(store: Store, ids: Collection[int]) -> dict[int, StoredFace]:
    """Return faces by id, without unknown ones."""
    with store.reading() as connection:
        return {face.id: face for piece in chunks(ids) for face in stored_faces(connection, items.c.id.in_(piece))}


def stored_faces(connection: Connection, condition: Any) -> list[StoredFace]:
    """Return the faces that meet a condition on `items` and `faces`, by id."""
    own = faces.c.person_id, faces.c.decided
    query = select(items.c.id, items.c.parent_id, *BOX, faces.c.confidence, *own, items.c.seconds)
    query = query.join(faces, faces.c.item_id == items.c.id).where(_sound(), condition).order_by(items.c.id)
    return [_face(*tuple(row)) for row in connection.execute(query)]


def _face(
    number: int,
    picture_id: int,
    left: float,
    top: float,
    width: float,
    height: float,
    confidence: float,
    person_id: int | None,
    decided: bool,
    seconds: float | None,
) -> StoredFace:
    box = Box(left, top, left + width, top + height)
    return StoredFace(number, picture_id, box, confidence, person_id, decided, seconds)


def _sound() -> Any:
    located = and_(*(column.is_not(None) for column in (items.c.parent_id, *BOX)))
    return and_(items.c.kind == FACE, located, sound(items), sound(faces))


def face_vectors(store: Store, kind: str = FACE) -> tuple[str, FaceVectors]:
    """Return the vectors of a kind of all faces, and the model version that made most of them, which made these.

    Some may be of pictures whose files are absent.
    """
    found = select(items.c.id, items.c.parent_id, *BOX, features.c.value, items.c.seconds)
    query = found.join(features, features.c.item_id == items.c.id).join(faces, faces.c.item_id == items.c.id)
    query = query.where(_sound(), features.c.kind == kind, features.c.dimensions.is_not(None), sound(features))
    with store.reading() as connection:
        version = _main_version(connection, kind)
        rows = connection.execute(query.where(features.c.model_version == version).order_by(items.c.id)).all()
    if not rows:
        none = np.zeros(0, np.int64)
        return version, FaceVectors(none, none, np.zeros((0, 4), np.float32), np.zeros((0, 0), np.float16), np.zeros(0))
    ids, owners, left, top, width, height, values, seconds = (list(column) for column in zip(*rows, strict=True))
    corners = np.array([left, top, width, height], np.float32).T
    corners[:, 2:] += corners[:, :2]
    vectors = np.frombuffer(b"".join(values), "<f2").reshape(len(ids), -1)
    times = np.array([np.nan if one is None else one for one in seconds], np.float64)
    return version, FaceVectors(np.array(ids, np.int64), np.array(owners, np.int64), corners, vectors, times)


def _main_version(connection: Connection, kind: str) -> str:
    count = func.count()
    query = select(features.c.model_version).join(faces, faces.c.item_id == features.c.item_id)
    query = query.where(features.c.kind == kind, sound(features, "model_version", "kind"))
    return connection.scalar(query.group_by(features.c.model_version).order_by(count.desc()).limit(1)) or ""


def face_counts(store: Store) -> FaceCounts:
    """Return how many pictures were searched for faces, and what was found."""
    groups = select(func.count(faces.c.person_id.distinct()))
    with_name = select(people.c.id).where(people.c.name.is_not(None))
    named = groups.where(faces.c.person_id.in_(with_name))
    with store.reading() as connection:
        numbers = [
            connection.scalar(select(func.count()).select_from(face_scans)),
            connection.scalar(select(func.count()).select_from(faces)),
            connection.scalar(groups),
            connection.scalar(named),
        ]
    return FaceCounts(*(int(number or 0) for number in numbers))
