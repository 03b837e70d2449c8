"""The face that a query picture shows."""

from __future__ import annotations

import numpy as np

from captioner.faces.base import FaceFinder, FoundFace
from data.faces.reads import faces_of, is_scanned
from data.faces.records import Box
from data.limits import Limits
from data.records import content_hash
from data.store import Store
from retrieval.faces.indexing import read_pixels
from retrieval.faces.search import FaceSearcher, QueryFace, chosen
from retrieval.search.query import QueryError


def found_in(finder: FaceFinder, content: bytes, limits: Limits) -> list[FoundFace]:
    """Return the faces of a picture file. Raises a PictureError."""
    return list(finder.find(read_pixels(content, limits)))


def stored_face(store: Store, searcher: FaceSearcher, content: bytes, number: int, what: str) -> QueryFace | None:
    """Return a face of a picture of the library by its content; None if it is not there, or was not searched for faces.

    Raises QueryError without a face of this number, or StoreError.
    """
    digest = content_hash(content)
    version, _ = searcher.vectors()
    picture = store.picture_id(digest)
    if picture is None or not is_scanned(store, picture, version, digest):
        return None
    return face_of_picture(store, searcher, picture, number, what)


def face_of_picture(store: Store, searcher: FaceSearcher, picture: int, number: int, what: str) -> QueryFace:
    """Return the `number`th largest face of a picture of the library. Raises QueryError without one, or StoreError."""
    version, known = searcher.vectors()
    located = [(face.box, _row(known.ids, face.id)) for face in faces_of(store, [picture]).get(picture, [])]
    own = [(box, row) for box, row in located if row >= 0]
    return chosen([known.vectors[row] for _, row in own], [box for box, _ in own], version, number, what)


def face_by_id(store: Store, searcher: FaceSearcher, face_id: int) -> QueryFace:
    """Return a face of the library. Raises QueryError for an id that no face has, or StoreError."""
    version, known = searcher.vectors()
    row = _row(known.ids, face_id)
    if row < 0:
        raise QueryError(f"no face has the id {face_id}; take one from a picture of the library")
    picture, seconds = int(known.pictures[row]), known.seconds[row]
    beside = faces_of(store, [picture]).get(picture, [])
    boxes = [face.box for face in beside if np.isnan(seconds) or face.seconds == seconds]
    boxes.sort(key=lambda box: (-box.area, box))
    own = Box(*known.boxes[row].tolist())
    number = max(range(len(boxes)), key=lambda place: boxes[place].overlap(own), default=0) + 1
    return QueryFace(known.vectors[row], version, boxes or [own], number)


def _row(ids: np.ndarray, face_id: int) -> int:
    row = int(np.searchsorted(ids, face_id))
    return row if row < len(ids) and ids[row] == face_id else -1
