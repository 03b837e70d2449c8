"""Faces in the frames of films: found at their second, searched by face and by name."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from data.errors import RetroflexError
from data.faces.people import list_people, name_person, shown_on
from data.faces.reads import face_counts, faces_of, unscanned
from data.films.reads import films_by_id
from data.limits import DEFAULT_LIMITS
from retrieval.faces import indexing
from retrieval.faces.grouping import group_faces
from retrieval.faces.query import face_by_id, face_of_picture
from retrieval.indexing.indexer import index
from retrieval.library import Library
from retrieval.search.query import Query
from tests.drawn_faces import DrawnFinder, draw_people
from tests.drawn_faces import find_drawn as find
from tests.films import ColourCaptioner

BOXES = ({}, {"anna": (10, 10, 70, 70)}, {"ben": (0, 0, 40, 60), "anna": (60, 20, 90, 50)})


def make_drawn_film(path: Path, folder: Path) -> Path:
    """Write a film of two seconds a frame, in the very colours of the people."""
    drawn = [Image.open(draw_people(folder / f"{number}.png", boxes)) for number, boxes in enumerate(BOXES)]
    drawn[0].save(path, save_all=True, append_images=drawn[1:], duration=2000, loop=0)
    return path


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
