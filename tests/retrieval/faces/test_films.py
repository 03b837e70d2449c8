"""Faces in the frames of films: found at their second, searched by face and by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.errors import RetroflexError
from data.faces.people import list_people, name_person, shown_on
from data.faces.reads import face_counts, faces_of, unscanned
from data.films.decoding import film_hash
from data.films.reads import films_by_id
from data.limits import DEFAULT_LIMITS
from retrieval.faces import indexing
from retrieval.faces.grouping import group_faces
from retrieval.faces.query import face_by_id, face_of_picture, found_in_film, stored_face
from retrieval.faces.search import chosen
from retrieval.indexing.indexer import index
from retrieval.library import Library
from retrieval.search.query import Query, QueryError
from tests.drawn_faces import DrawnFinder, draw_people, make_drawn_film
from tests.drawn_faces import find_drawn as find
from tests.films import ColourCaptioner


@pytest.fixture
def film(library: Library, tmp_path: Path) -> int:
    """The id of a film, beside a picture of Anna."""
    photos = tmp_path / "photos"
    photos.mkdir()
    library.store.remove([b"/photos"])
    make_drawn_film(photos / "clip.gif", tmp_path)
    draw_people(photos / "anna.png", {"anna": (20, 20, 60, 60)})
    index(library.store, ColourCaptioner(), [photos], DEFAULT_LIMITS)
    return next(iter(films_by_id(library.store)))


def test_a_face_is_found_in_a_film_at_its_second(library: Library, film: int) -> None:
    report = find(library.store)
    assert (report.pictures, report.faces, report.unreadable) == (2, 4, [])
    assert [face.seconds for face in faces_of(library.store, [film])[film]] == [2, 4, 4]
    (picture,) = {one.id for one in library.store.pictures(range(50)).values() if one.id != film}
    result = library.search_face(face_of_picture(library.store, library.faces, picture, 1, "it"))
    hits = {hit.id: hit.to_json() for hit in result.hits}
    assert hits.keys() == {film, picture}
    assert hits[picture]["time"] is None
    assert Path(hits[film]["path"]).name == "clip.gif"
    assert (hits[film]["time"], hits[film]["face"]["box"]) == (2, [0.1, 0.125, 0.7, 0.875])
    assert hits[film]["caption"] == "a red wall"
    assert find(library.store, finder := DrawnFinder()).pictures == finder.seen == 0


def test_a_name_finds_the_film_at_a_second_that_shows_the_person(library: Library, film: int) -> None:
    find(library.store)
    group_faces(library.store)
    (anna,) = [one for one in list_people(library.store) if one.faces == 3]
    name_person(library.store, anna.id, "Anna")
    frames = films_by_id(library.store)[film].frames
    assert shown_on(library.store, [anna.id]) >= {frames[1].id, frames[2].id}
    hits = {hit.id: hit.time for hit in library.search(Query("Anna")).hits}
    assert film in hits
    assert hits[film] in (2, 4)


def test_a_film_that_is_interrupted_or_cannot_be_read_is_tried_again(
    library: Library, film: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeyboardInterrupt):
        find(library.store, DrawnFinder(most=2))
    assert face_counts(library.store)[:2] == (1, 1)
    monkeypatch.setattr(indexing, "film_hash", lambda path: "other")
    report = find(library.store)
    assert [skip.reason for skip in report.unreadable] == [indexing.CHANGED]
    monkeypatch.setattr("data.films.kinds.find_spec", lambda name: None)
    assert find(library.store).unreadable == []
    assert [one.picture_id for one in unscanned(library.store, "drawn-1")] == [film]
    monkeypatch.undo()
    assert find(library.store).faces == 3


def test_a_face_of_a_film_is_a_query_with_the_others_of_its_frame(library: Library, film: int) -> None:
    find(library.store)
    ben = next(face for face in faces_of(library.store, [film])[film] if face.box.left == 0)
    query = face_by_id(library.store, library.faces, ben.id)
    assert len(query.boxes) == 2
    assert [hit.id for hit in library.search_face(query).hits] == [film]
    with pytest.raises(RetroflexError):
        face_by_id(library.store, library.faces, 10**6)


def test_a_film_is_a_query_by_each_person_in_it(library: Library, film: int, tmp_path: Path) -> None:
    find(library.store)
    path = make_drawn_film(tmp_path / "other.gif", tmp_path)
    seen = found_in_film((finder := DrawnFinder()).find, path, DEFAULT_LIMITS)
    assert (finder.seen, list(seen.seconds)) == (3, [2, 4, 4])
    anna, ben = (chosen(seen, "drawn-1", number, "it") for number in (1, 2))
    assert [(one.time, len(one.boxes)) for one in (anna, ben)] == [(2, 2), (4, 2)]
    assert [told["time"] for told in ben.to_json()["faces"]] == [2, 4]
    assert len(library.search_face(anna).hits) == 2
    assert [hit.id for hit in library.search_face(ben).hits] == [film]
    stored = stored_face(library.store, library.faces, film_hash(tmp_path / "photos" / "clip.gif"), 2, "it")
    assert stored is not None
    assert (stored.time, stored.boxes) == (4, ben.boxes)
    with pytest.raises(QueryError, match="it has 2 faces, so there is no face 3"):
        chosen(seen, "drawn-1", 3, "it")
