from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data.errors import RetroflexError
from data.limits import DEFAULT_LIMITS
from data.records import content_hash
from data.store import Store
from retrieval.faces.query import face_by_id, face_of_picture, found_in, stored_face
from retrieval.faces.search import QueryFace, chosen
from retrieval.library import Library
from retrieval.search.filters import Selection
from retrieval.search.query import QueryError
from tests.drawn_faces import DrawnFinder
from tests.drawn_faces import find_drawn as find


@pytest.fixture
def found(library: Library, drawn: dict[str, Path]) -> dict[str, int]:
    """The ids of the drawn pictures, whose faces are found."""
    find(library.store)
    ids = {path: number for number in range(1, 20) for path in _paths(library, number)}
    return {name: ids[str(path)] for name, path in drawn.items()}


def _paths(library: Library, number: int) -> list[str]:
    picture = library.picture(number)
    return [] if picture is None else picture.shown_paths


def largest(library: Library, content: bytes, number: int = 1) -> QueryFace:
    face = stored_face(library.store, library.faces, content_hash(content), number, "the picture")
    assert face is not None
    return face


def test_the_hits_are_the_pictures_of_the_person_with_the_box_of_the_face(
    library: Library, drawn: dict[str, Path], found: dict[str, int]
) -> None:
    result = library.search_face(largest(library, drawn["both"].read_bytes()))
    assert [hit.id for hit in result.hits] == [found["both"], found["ben"]]
    hits = [hit.to_json()["face"] for hit in result.hits]
    assert [hit["box"] for hit in hits] == [[0.4, 0.125, 0.8, 0.625], [0.3, 0.375, 0.5, 0.625]]
    assert result.hits[0].score > 0.95
    assert result.hits[0].scores == {"face": 1.0}
    told = result.to_json()["query"]
    assert told["face"] == {"number": 1, "box": [0.4, 0.125, 0.8, 0.625], "time": None}
    assert [one["box"] for one in told["faces"]] == [[0.4, 0.125, 0.8, 0.625], [0.1, 0.125, 0.2, 0.25]]
    assert result.total == 2


def test_another_face_and_distant_ones(library: Library, drawn: dict[str, Path], found: dict[str, int]) -> None:
    face = largest(library, drawn["both"].read_bytes(), 2)
    assert {hit.id for hit in library.search_face(face).hits} == {found["both"], found["anna"]}
    every = library.search_face(face, distant=True)
    assert [hit.id for hit in every.hits][-1] == found["ben"]
    assert every.total == 3
    assert [hit.id for hit in library.search_face(face, 1, 1).hits] == [found["both"]]


def test_filters_and_orders_count(library: Library, drawn: dict[str, Path], found: dict[str, int]) -> None:
    face = largest(library, drawn["ben"].read_bytes())
    selection = Selection(np.array([found["ben"]], np.int64))
    assert [hit.id for hit in library.search_face(face, selection=selection).hits] == [found["ben"]]
    selection = Selection(np.array([found["both"], found["ben"]], np.int64), keys=np.array([1.0, 0.0]))
    assert [hit.id for hit in library.search_face(face, selection=selection).hits] == [found["ben"], found["both"]]


def test_a_face_is_found_by_its_id_too(library: Library, found: dict[str, int]) -> None:
    version, faces = library.faces.vectors()
    row = int(np.flatnonzero(faces.pictures == found["both"])[0])
    face = face_by_id(library.store, library.faces, int(faces.ids[row]))
    assert np.array_equal(face.vector, faces.vectors[row])
    assert face.model_version == version
    assert face.boxes[face.number - 1] == pytest.approx(faces.boxes[row])
    with pytest.raises(QueryError, match="no face has the id 999"):
        face_by_id(library.store, library.faces, 999)


def test_a_picture_from_elsewhere_is_searched_by_its_own_face(
    library: Library, drawn: dict[str, Path], found: dict[str, int]
) -> None:
    content = drawn["ben"].read_bytes() + b" "
    assert stored_face(library.store, library.faces, content_hash(content), 1, "it") is None
    faces = found_in(DrawnFinder().find, content, DEFAULT_LIMITS)
    query = chosen(faces, DrawnFinder.model_version, 1, "it")
    assert {hit.id for hit in library.search_face(query).hits} == {found["ben"], found["both"]}


def test_what_cannot_be_searched_is_said_in_one_line(
    library: Library, drawn: dict[str, Path], found: dict[str, int], store: Store
) -> None:
    with pytest.raises(QueryError, match=r"no face is found in sea.png; use a larger or clearer picture of the face"):
        face_of_picture(store, library.faces, found["sea"], 1, "sea.png")
    with pytest.raises(QueryError, match=r"both.png has 2 faces, so there is no face 3"):
        face_of_picture(store, library.faces, found["both"], 3, "both.png")
    with pytest.raises(QueryError, match="so there is no face 0"):
        face_of_picture(store, library.faces, found["both"], 0, "both.png")
    other = QueryFace(np.zeros(3, np.float32), "other-2", [])
    with pytest.raises(RetroflexError, match="were found by drawn-1, and this is other-2"):
        library.search_face(other)
    with pytest.raises(QueryError, match="the limit is 0"):
        library.search_face(largest(library, drawn["ben"].read_bytes()), 0)


def test_a_library_without_faces_says_how_to_find_them(library: Library) -> None:
    with pytest.raises(QueryError, match="the library has no faces yet; find them: retroflex index --faces"):
        library.search_face(QueryFace(np.zeros(3, np.float32), "drawn-1", []))


def test_faces_of_pictures_that_are_gone_are_not_found(
    library: Library, drawn: dict[str, Path], found: dict[str, int]
) -> None:
    face = largest(library, drawn["ben"].read_bytes())
    library.store.remove([bytes(drawn["both"])])
    assert [hit.id for hit in library.search_face(face).hits] == [found["ben"]]
