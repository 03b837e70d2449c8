"""Find pictures of a person by a face."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from captioner.faces.calibration import CLOSE, is_same_person, likelihood
from data.errors import RetroflexError
from data.faces.reads import changed_in, face_vectors
from data.faces.records import Box, FaceVectors
from data.films.reads import films_by_id
from data.films.records import StoredFilm, StoredFrame
from data.store import Store
from data.text import plural
from retrieval.search.filters import Selection
from retrieval.search.query import QueryError
from retrieval.search.results import FoundFrame, Hit, SearchResult
from retrieval.search.search import DEFAULT_LIMIT, check_page

SCORE = "face"
"""The name of the cosine in the scores of a hit."""


@dataclass(frozen=True, eq=False)
class QueryFace:
    """A face to search for, one of those in the query picture: its vector and the model version behind it.

    `boxes` are those of all faces of that picture, the largest first; `number`, from 1, is the place in it. `seconds`
    are the times of the frames of a film that they are in, none for a picture.
    """

    vector: np.ndarray
    model_version: str
    boxes: Sequence[Box]
    number: int = 1
    seconds: Sequence[float] = ()

    @property
    def time(self) -> float | None:
        """Where in a film it is, in seconds; None in a picture."""
        return self.seconds[self.number - 1] if self.seconds else None

    def to_json(self) -> dict[str, Any]:
        """Return what the answer says of the query, as plain values for JSON."""
        times: Sequence[float | None] = self.seconds or [None] * len(self.boxes)
        listed = [
            {"number": number, "box": rounded(box), "time": time}
            for number, (box, time) in enumerate(zip(self.boxes, times, strict=True), 1)
        ]
        return {"captions": [], "face": listed[self.number - 1], "faces": listed}


class RankedFaces(NamedTuple):
    """Hits in order: picture ids, relevance, cosine, face ids, seconds in films, all (n,), and boxes (n, 4).

    `closest` is the best score of any.
    """

    ids: np.ndarray
    scores: np.ndarray
    cosines: np.ndarray
    faces: np.ndarray
    boxes: np.ndarray
    seconds: np.ndarray
    closest: float | None


class FacesIn(NamedTuple):
    """The faces of a picture: n vectors, float (d,), and boxes; of the frames of a film also their times in seconds."""

    vectors: Sequence[np.ndarray]
    boxes: Sequence[Box]
    seconds: Sequence[float] = ()


def chosen(found: FacesIn, model_version: str, number: int, what: str) -> QueryFace:
    """Return the `number`th largest of the faces of a picture, called `what`. Raises QueryError without such a face.

    A film has a face for each person, the largest.
    """
    boxes = found.boxes
    if not len(boxes):
        raise QueryError(f"no face is found in {what}; use a larger or clearer picture of the face")
    order = sorted(range(len(boxes)), key=lambda row: (-boxes[row].area, boxes[row]))
    if found.seconds:
        order = _one_each(found.vectors, order)
    if not 1 <= number <= len(order):
        raise QueryError(f"{what} has {plural(len(order), 'face')}, so there is no face {number}")
    seconds = [found.seconds[row] for row in order] if found.seconds else ()
    return QueryFace(found.vectors[order[number - 1]], model_version, [boxes[row] for row in order], number, seconds)


def _one_each(vectors: Sequence[np.ndarray], order: Sequence[int]) -> list[int]:
    """Return the rows, in their order, of faces that are of nobody whom a face before them shows."""
    kept: list[int] = []
    for row in order:
        cosines = np.array([vectors[one].astype(np.float32) @ vectors[row] for one in kept])
        if not is_same_person(cosines).any():
            kept.append(row)
    return kept


class FaceSearcher:
    """Searches the faces of a library, which are read when they have changed; several threads may use it at once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._state: tuple[str, str, FaceVectors] | None = None
        self._reading = Lock()

    def vectors(self) -> tuple[str, FaceVectors]:
        """Return the faces of the library, and the model version that made their vectors. Raises StoreError."""
        with self._reading:
            changed = changed_in(self._store)
            if self._state is None or self._state[0] != changed:
                self._state = (changed, *face_vectors(self._store))
            return self._state[1:]

    def check(self) -> None:
        """Raise QueryError where the library has no faces."""
        if not self.vectors()[0]:
            raise QueryError("the library has no faces yet; find them: retroflex index --faces")

    def search(
        self,
        query: QueryFace,
        ids: np.ndarray,
        limit: int = DEFAULT_LIMIT,
        offset: int = 0,
        distant: bool = False,
        selection: Selection | None = None,
    ) -> SearchResult:
        """Return a page of pictures that show the person, one hit a picture, by its best face.

        `ids` are the pictures that can be found, rising. With `distant` pictures of other persons follow. Raises
        QueryError where the library has no faces that can be compared, or StoreError.
        """
        check_page(limit, offset)
        ranked = self.ranked(query, ids, distant, selection)
        page = range(offset, min(offset + limit, len(ranked.ids)))
        pictures = self._store.pictures(ranked.ids[page.start : page.stop].tolist())
        times = {int(ranked.ids[row]): float(ranked.seconds[row]) for row in page}
        frames = self._frames({number: time for number, time in times.items() if not np.isnan(time)})
        found = [
            Hit(
                pictures[number],
                next(iter([*pictures[number].texts, *_said(frames.get(number))]), ""),
                float(ranked.scores[row]),
                {SCORE: round(float(ranked.cosines[row]), 6)},
                face={"id": int(ranked.faces[row]), "box": rounded(Box(*ranked.boxes[row].tolist()))},
                frame=frames.get(number),
            )
            for row in page
            if (number := int(ranked.ids[row])) in pictures
        ]
        return SearchResult(query.to_json(), len(ranked.ids), False, ranked.closest, [], found)

    def _frames(self, times: Mapping[int, float]) -> dict[int, FoundFrame]:
        """Return the frame of each film by id that is at a time, in seconds, with its captions. Raises StoreError."""
        if not times:
            return {}
        films = films_by_id(self._store, list(times))
        at = {number: _nearest(film, times[number]) for number, film in films.items() if film.frames}
        said = self._store.captions([frame.id for frame in at.values()])
        return {
            number: FoundFrame(times[number], [one.text for one in said.get(frame.id, [])], films[number])
            for number, frame in at.items()
        }

    def ranked(
        self, query: QueryFace, ids: np.ndarray, distant: bool = False, selection: Selection | None = None
    ) -> RankedFaces:
        """Return all hits in order, see `search`. Raises QueryError or StoreError."""
        self.check()
        version, faces = self.vectors()
        _check_version(query.model_version, version)
        rows = _allowed(faces.pictures, ids if selection is None else np.intersect1d(ids, selection.ids))
        cosines = faces.vectors[rows].astype(np.float32) @ query.vector.astype(np.float32)
        rows, cosines = _best_of_each(faces.pictures, rows, cosines)
        scores = likelihood(cosines)
        closest = float(scores[0]) if len(scores) else None
        hits = np.arange(len(rows)) if distant else np.flatnonzero(scores >= CLOSE)
        if selection is not None:
            hits = hits[selection.sorted(faces.pictures[rows[hits]])]
        found = rows[hits]
        return RankedFaces(
            faces.pictures[found],
            scores[hits],
            cosines[hits],
            faces.ids[found],
            faces.boxes[found],
            faces.seconds[found],
            closest,
        )


def _said(frame: FoundFrame | None) -> Sequence[str]:
    return frame.captions if frame else ()


def _nearest(film: StoredFilm, seconds: float) -> StoredFrame:
    return min(film.frames, key=lambda frame: abs(frame.seconds - seconds))


def rounded(box: Box) -> list[float]:
    """Return a box for JSON: left, top, right and bottom in shares of width and height."""
    return [round(edge, 5) for edge in box]


def _check_version(asked: str, stored: str) -> None:
    if asked != stored:
        raise RetroflexError(
            f"the library's faces were found by {stored}, and this is {asked}; find them anew: retroflex index --faces"
        )


def _allowed(pictures: np.ndarray, ids: np.ndarray) -> np.ndarray:
    return np.flatnonzero(np.isin(pictures, ids))


def _best_of_each(pictures: np.ndarray, rows: np.ndarray, cosines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the row and cosine of the nearest face of each picture, the nearest picture first, ties by id."""
    order = np.lexsort((pictures[rows], -cosines))
    _, first = np.unique(pictures[rows][order], return_index=True)
    best = order[np.sort(first)]
    return rows[best], cosines[best]
