"""The face that a query picture or film shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from captioner.faces.base import FoundFace
from data.faces.reads import faces_of, is_scanned
from data.faces.records import Box
from data.films.decoding import SECONDS, read_film
from data.films.orders import FilmOrder
from data.films.sampling import spread
from data.limits import Limits
from data.store import Store
from retrieval.faces.indexing import Progress, frames_at, read_pixels
from retrieval.faces.search import FaceSearcher, FacesIn, QueryFace, chosen
from retrieval.search.query import QUERY_FRAMES, QueryError

SAMPLED_AT = 64
"""Pixels of the sides of the frames that are compared to choose those in which faces are looked for."""
Find = Callable[[np.ndarray], Sequence[FoundFace]]


def found_in(find: Find, content: bytes, limits: Limits) -> FacesIn:
    """Return the faces of a picture file. Raises a PictureError."""
    return faces_in(find(read_pixels(content, limits)))


def faces_in(found: Sequence[FoundFace]) -> FacesIn:
    """Return faces that were found in one picture."""
    return FacesIn([one.vector for one in found], [one.box for one in found])


def found_in_film(
    find: Find,
    path: Path,
    limits: Limits,
    patience: float | None = None,
    seconds: float = SECONDS,
    progress: Progress = lambda done, total: None,
) -> FacesIn:
    """Return the faces in up to QUERY_FRAMES frames that stand for a film; `patience`, `seconds` as in `read_film`.

    Raises a PictureError.
    """
    known = read_film(path, FilmOrder(SAMPLED_AT), limits, patience, seconds).times
    times = [known[row] for row in spread(len(known), QUERY_FRAMES)]
    vectors, boxes, at = list[np.ndarray](), list[Box](), list[float]()
    for done, (time, pixels) in enumerate(frames_at(path, times, limits, patience, seconds)):
        progress(done, len(times))
        for one in find(pixels):
            vectors.append(one.vector)
            boxes.append(one.box)
            at.append(time)
    return FacesIn(vectors, boxes, at)


def stored_face(store: Store, searcher: FaceSearcher, digest: str, number: int, what: str) -> QueryFace | None:
    """Return a face of a picture or film of the library by its `content_hash`; None if it was not searched for faces.

    Raises QueryError without a face of this number, or StoreError.
    """
    version, _ = searcher.vectors()
    picture = store.picture_id(digest)
    if picture is None or not is_scanned(store, picture, version, digest):
        return None
    return face_of_picture(store, searcher, picture, number, what)


def face_of_picture(store: Store, searcher: FaceSearcher, picture: int, number: int, what: str) -> QueryFace:
    """Return the `number`th largest face of a picture of the library. Raises QueryError without one, or StoreError."""
    version, known = searcher.vectors()
    located = [(face, _row(known.ids, face.id)) for face in faces_of(store, [picture]).get(picture, [])]
    own = [(face, row) for face, row in located if row >= 0]
    seconds = [face.seconds for face, _ in own if face.seconds is not None]
    found = FacesIn([known.vectors[row] for _, row in own], [face.box for face, _ in own], seconds)
    return chosen(found, version, number, what)


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
    boxes = boxes or [own]
    times = [] if np.isnan(seconds) else [float(seconds)] * len(boxes)
    return QueryFace(known.vectors[row], version, boxes, number, times)


def _row(ids: np.ndarray, face_id: int) -> int:
    row = int(np.searchsorted(ids, face_id))
    return row if row < len(ids) and ids[row] == face_id else -1
