"""What is written of faces that were found; what a person decided about them stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from sqlalchemy import Connection, delete, insert, select, update

from data import writes
from data.faces.reads import CHANGED_KEY, FACES_KEY, stored_faces
from data.faces.records import FACE, FaceRow, ScannedPicture, StoredFace
from data.migrations import GENERATION_KEY
from data.soundness import sound
from data.store import Store
from data.tables import face_scans, faces, features, items, meta, pictures

SAME_PLACE = 0.5
"""Two boxes of the same content whose overlap is at least this are the same face."""


def set_wanted(store: Store, wanted: bool) -> None:
    """Remember whether `index` shall look for faces. Raises StoreError."""
    with store.writing() as connection:
        _put_meta(connection, FACES_KEY, "1" if wanted else "0")


def put_faces(
    store: Store, model_version: str, scanned: Sequence[ScannedPicture], same: Callable[[np.ndarray], np.ndarray]
) -> None:
    """Write the faces of pictures that `model_version` has searched, in one transaction; none is a result, too.

    A face that was there before keeps its id, its person and what was decided: by its place, in a film in the same
    frame, where the content is the same, else by its vector, where `same` says of cosines that they are of one person.
    A face that is not found again is dropped, unless a person decided whose it is and the content is the same. A
    picture that is gone or has other content meanwhile is left out. Raises StoreError.
    """
    with store.writing() as connection:
        for one in scanned:
            present = connection.scalar(select(pictures.c.digest).where(pictures.c.id == one.picture_id))
            if present == one.digest:
                _put_picture(connection, model_version, one, same)
        touch(connection)


def _put_picture(
    connection: Connection, model_version: str, one: ScannedPicture, same: Callable[[np.ndarray], np.ndarray]
) -> None:
    own = face_scans.c.picture_id == one.picture_id
    unchanged = connection.scalar(select(face_scans.c.digest).where(own)) == one.digest
    before = stored_faces(connection, items.c.parent_id == one.picture_id)
    pairs = _matched(before, one.faces, None if unchanged else _likeness(connection, before, one.faces, same))
    kept = {face.id for face in before if unchanged and face.decided} | {face.id for face, _ in pairs}
    lost = [face.id for face in before if face.id not in kept]
    if lost:
        connection.execute(delete(items).where(items.c.id.in_(lost)))
    for face, row in pairs:
        connection.execute(update(items).where(items.c.id == face.id).values(**_place(row)))
        connection.execute(update(faces).where(faces.c.item_id == face.id).values(confidence=row.confidence))
        connection.execute(delete(features).where(features.c.item_id == face.id))
        _put_vectors(connection, face.id, row)
    matched = {id(row) for _, row in pairs}
    new = [row for row in one.faces if id(row) not in matched]
    if new:
        places = [{"kind": FACE, "parent_id": one.picture_id, **_place(row)} for row in new]
        for number, row in zip(writes.new_items(connection, places), new, strict=True):
            connection.execute(insert(faces).values(item_id=number, decided=False, confidence=row.confidence))
            _put_vectors(connection, number, row)
    connection.execute(delete(face_scans).where(own))
    values = {"picture_id": one.picture_id, "model_version": model_version, "digest": one.digest}
    connection.execute(insert(face_scans).values(**values))


def _matched(
    before: Sequence[StoredFace], rows: Sequence[FaceRow], likeness: np.ndarray | None
) -> list[tuple[StoredFace, FaceRow]]:
    """Pair faces that are the same, the most alike first; `likeness` (before, rows) counts, or else their places."""
    if likeness is None:
        overlaps = [[face.box.overlap(row.box) * (face.seconds == row.seconds) for row in rows] for face in before]
        places = np.array(overlaps, np.float64).reshape(len(before), len(rows))
        likeness = np.where(places >= SAME_PLACE, places, 0.0)
    pairs = []
    likeness = likeness.copy()
    while likeness.size and likeness.max() > 0:
        face, row = map(int, np.unravel_index(int(likeness.argmax()), likeness.shape))
        pairs.append((before[face], rows[row]))
        likeness[face, :] = likeness[:, row] = 0
    return pairs


def _likeness(
    connection: Connection,
    before: Sequence[StoredFace],
    rows: Sequence[FaceRow],
    same: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """Return the cosines (before, rows) of faces that are of one person, 0 for others and for those of two models."""
    likeness = np.zeros((len(before), len(rows)))
    for place, face in enumerate(before):
        own = features.c.item_id == face.id, features.c.kind == FACE
        query = select(features.c.model_version, features.c.value).where(*own, sound(features))
        stored = connection.execute(query).first()
        if stored is None:
            continue
        for number, row in enumerate(rows):
            version, vector = row.vectors[FACE]
            if version == stored.model_version:
                likeness[place, number] = float(np.frombuffer(stored.value, "<f2").astype(np.float32) @ vector)
    return np.where(same(likeness), likeness, 0.0)


def _put_vectors(connection: Connection, item_id: int, row: FaceRow) -> None:
    values = [
        {
            "item_id": item_id,
            "kind": kind,
            "model_version": version,
            "dimensions": len(vector),
            "value": np.ascontiguousarray(vector, "<f2").tobytes(),
        }
        for kind, (version, vector) in row.vectors.items()
    ]
    connection.execute(insert(features), values)


def _place(row: FaceRow) -> dict[str, float | None]:
    box = row.box
    size = {"box_width": box.right - box.left, "box_height": box.bottom - box.top}
    return {"box_left": box.left, "box_top": box.top, **size, "seconds": row.seconds}


def touch(connection: Connection) -> None:
    """Note that vectors of faces have changed in this transaction."""
    present = connection.scalar(select(meta.c.value).where(meta.c.key == GENERATION_KEY))
    _put_meta(connection, CHANGED_KEY, str(present))


def _put_meta(connection: Connection, key: str, value: str) -> None:
    connection.execute(delete(meta).where(meta.c.key == key))
    connection.execute(insert(meta).values(key=key, value=value))


def continue_faces(connection: Connection, new: int) -> None:
    """Forget the faces of picture `new`, whose file another picture continues with: that keeps its own ones.

    They are found once more in the file, as the content is not that of its scan, and matched, see `put_faces`.
    """
    connection.execute(delete(items).where(items.c.parent_id == new, items.c.kind == FACE))
    connection.execute(delete(face_scans).where(face_scans.c.picture_id == new))
