"""Faces in the store: found again after a new scan and an edit, with what a person decided about them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from data.faces.forget import forget_faces
from data.faces.history import last_change, undo
from data.faces.people import (
    faces_of_person,
    find_person,
    hide_person,
    list_people,
    merge_people,
    name_person,
    named,
    put_groups,
    say_who,
    shown_on,
    split_person,
)
from data.faces.reads import face_counts, face_vectors, faces_of, unscanned
from data.faces.records import FACE, Box, FaceRow, ScannedPicture, StoredFace
from data.faces.writes import put_faces
from data.identity import settle
from data.records import Batch, FileRow, PictureRow, content_hash
from data.store import Store, StoreError

ANNA, BEN = np.eye(4, dtype=np.float32)[:2]
LEFT, RIGHT = Box(0.1, 0.2, 0.3, 0.5), Box(0.6, 0.2, 0.8, 0.5)


def add(store: Store, name: str, content: str | None = None) -> str:
    digest = content_hash((content or name).encode())
    row = PictureRow(digest, 50, 40, "JPEG", 1, None)
    store.write_batch(Batch(files=[FileRow(f"/photos/{name}.jpg".encode(), 1, 1, digest)], pictures=[row]))
    return digest


def face(vector: np.ndarray, box: Box, version: str = "m1") -> FaceRow:
    return FaceRow(box, 0.99, {FACE: (version, vector)})


def scan(store: Store, digest: str, rows: Sequence[FaceRow], version: str = "m1") -> list[StoredFace]:
    picture = store.picture_id(digest)
    assert picture is not None
    put_faces(store, version, [ScannedPicture(picture, digest, rows)], lambda cosines: cosines > 0.9)
    return faces_of(store, [picture]).get(picture, [])


@pytest.fixture
def both(store: Store) -> tuple[StoredFace, StoredFace]:
    first, second = scan(store, add(store, "one"), [face(BEN, RIGHT), face(ANNA, LEFT)])
    put_groups(store, {}, [[first.id], [second.id]])
    return first, second


def test_faces_are_listed_from_left_to_right_and_their_picture_is_done(store: Store) -> None:
    digest = add(store, "one")
    assert [one.digest for one in unscanned(store, "m1")] == [digest]
    faces = scan(store, digest, [face(BEN, RIGHT), face(ANNA, LEFT)])
    assert [one.box for one in faces] == [pytest.approx(LEFT), pytest.approx(RIGHT)]
    assert unscanned(store, "m1") == []
    assert len(unscanned(store, "m2")) == 1
    version, vectors = face_vectors(store)
    assert version == "m1"
    assert vectors.ids.tolist() == sorted(one.id for one in faces)
    assert np.allclose(vectors.boxes[0], RIGHT)
    assert np.allclose(vectors.vectors[1], ANNA)


def test_a_picture_without_faces_is_done_too(store: Store) -> None:
    assert scan(store, add(store, "sea"), []) == []
    assert unscanned(store, "m1") == []
    assert face_counts(store)[:2] == (1, 0)


def test_a_new_model_keeps_ids_and_names_by_place(store: Store, both: tuple[StoredFace, StoredFace]) -> None:
    name_person(store, 1, "Anna")
    again = scan(store, content_hash(b"one"), [face(BEN, LEFT, "m2")], "m2")
    assert [(one.id, one.person_id, one.decided) for one in again] == [(both[0].id, 1, True)]
    assert face_vectors(store)[0] == "m2"


def test_a_decided_face_that_a_new_model_misses_stays(store: Store, both: tuple[StoredFace, StoredFace]) -> None:
    name_person(store, 1, "Anna")
    assert [one.id for one in scan(store, content_hash(b"one"), [], "m2")] == [both[0].id]


def test_an_edited_picture_keeps_its_people_wherever_they_are_now(
    store: Store, both: tuple[StoredFace, StoredFace]
) -> None:
    name_person(store, 1, "Anna")
    new = add(store, "one", "edited")
    settle(store, [b"/photos"], [b"/photos/one.jpg"], 0.9)
    assert store.picture_id(new) == 1
    assert named(store) == {1: "Anna"}
    assert shown_on(store, [1]) == {1}
    assert [one.digest for one in unscanned(store, "m1")] == [new]
    moved = scan(store, new, [face(ANNA, RIGHT)])
    assert [(one.id, one.person_id) for one in moved] == [(both[0].id, 1)]
    assert moved[0].box == pytest.approx(RIGHT)


def test_a_picture_whose_face_was_named_outlives_its_file(store: Store, both: tuple[StoredFace, StoredFace]) -> None:
    name_person(store, 1, "Anna")
    store.remove([b"/photos"])
    assert shown_on(store, [1]) == {1}
    add(store, "moved", "one")
    assert store.picture_id(content_hash(b"one")) == 1
    assert unscanned(store, "m1") == []


def test_a_picture_that_is_gone_takes_its_faces_along(store: Store, both: tuple[StoredFace, StoredFace]) -> None:
    store.remove([b"/photos"])
    assert face_counts(store)[:2] == (0, 0)
    assert len(face_vectors(store)[1].ids) == 0


def test_a_scan_of_content_that_changed_meanwhile_is_left_out(store: Store) -> None:
    digest = add(store, "one")
    put_faces(store, "m1", [ScannedPicture(1, "other", [face(ANNA, LEFT)])], lambda cosines: cosines > 0.9)
    assert [one.digest for one in unscanned(store, "m1")] == [digest]


def test_people_are_named_merged_split_hidden_and_all_is_undone(store: Store, both: tuple[StoredFace, ...]) -> None:
    states = [(list_people(store), [faces_of_person(store, one) for one in (1, 2)])]

    def after(change: object) -> None:
        states.append((list_people(store), [faces_of_person(store, one) for one in (1, 2)]))

    after(name_person(store, 2, " Ben  Kim "))
    assert list_people(store)[0].name == "Ben Kim"
    after(merge_people(store, [1, 2]))
    assert [(one.id, one.name, one.faces, one.pictures) for one in list_people(store)] == [(2, "Ben Kim", 2, 1)]
    new = split_person(store, 2, [both[0].id])
    assert {one.id: one.faces for one in list_people(store)} == {2: 1, new: 1}
    after(new)
    hide_person(store, 2, True)
    assert named(store) == {}
    assert last_change(store) == "Ben Kim was hidden"
    for state in reversed(states):
        assert undo(store)
        assert (list_people(store), [faces_of_person(store, one) for one in (1, 2)]) == state
    assert undo(store) is None


def test_grouping_leaves_what_a_person_decided(store: Store, both: tuple[StoredFace, ...]) -> None:
    name_person(store, 1, "Anna")
    put_groups(store, {}, [[both[0].id, both[1].id]])
    assert next(one.person_id for one in faces_of(store, [1])[1]) == 1
    assert {one.faces for one in list_people(store)} == {1}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda store: name_person(store, 9, "Anna"), "there is no group of faces 9"),
        (lambda store: name_person(store, 1, " .. "), "a name needs letters"),
        (
            lambda store: name_person(store, 2, "ANNA"),
            "ANNA is group 1 already; .* faces merge 1 2",
        ),
        (lambda store: merge_people(store, [1, 1]), "two different groups"),
        (lambda store: split_person(store, 1, [99]), "face 99 is not in group 1"),
        (lambda store: split_person(store, 1, []), "give the faces"),
        (lambda store: split_person(store, 1, [3]), "leave one in it"),
        (lambda store: hide_person(store, 9, True), "there is no group of faces 9"),
    ],
)
def test_impossible_changes_are_refused(
    store: Store, both: tuple[StoredFace, ...], change: object, problem: str
) -> None:
    name_person(store, 1, "Anna")
    with pytest.raises(StoreError, match=problem):
        change(store)  # type: ignore[operator]
    assert last_change(store) == "group 1 was named Anna"


def test_whose_face_it_is_can_be_said_face_by_face(store: Store, both: tuple[StoredFace, ...]) -> None:
    ben, anna = both
    assert say_who(store, ben.id, "Ben") == 1  # the whole group, which has no name
    assert say_who(store, anna.id, "ben") == 1  # joins the person of that name, and its own group is gone
    assert [(one.id, one.name, one.faces) for one in list_people(store)] == [(1, "Ben", 2)]
    cleo = say_who(store, anna.id, "Cleo")  # only this face, as the others are named
    assert {one.name: one.faces for one in list_people(store)} == {"Ben": 1, "Cleo": 1}
    assert find_person(store, " cleo ").id == find_person(store, str(cleo)).id == cleo
    assert [undo(store) for _ in range(4)] == ["1 face named Cleo", "1 face named ben", "1 face named Ben", None]
    assert [(one.id, one.name, one.faces) for one in list_people(store)] == [(1, None, 1), (2, None, 1)]
    with pytest.raises(StoreError, match="no face has the id 99"):
        say_who(store, 99, "Dora")
    with pytest.raises(StoreError, match="no person or group Dora"):
        find_person(store, "Dora")


def test_a_face_of_no_group_gets_one_by_its_name(store: Store) -> None:
    (face_,) = scan(store, add(store, "one"), [face(ANNA, LEFT)])
    person = say_who(store, face_.id, "Anna")
    assert [(one.id, one.name, one.faces) for one in list_people(store)] == [(person, "Anna", 1)]
    undo(store)
    assert list_people(store) == []
    assert faces_of(store, [1])[1] == [face_]


def test_what_is_forgotten_leaves_no_trace_in_the_files(
    store: Store, both: tuple[StoredFace, ...], store_url: str
) -> None:
    if not store_url.startswith("sqlite"):
        pytest.skip("the files of a server are its own")
    folder = Path(store_url.removeprefix("sqlite:///")).parent
    name_person(store, 1, "Annabelle Trace")
    vector = np.random.default_rng(0).normal(size=64).astype(np.float32)
    scan(store, add(store, "two"), [face(vector / np.linalg.norm(vector), LEFT)])
    traces = b"Annabelle", (vector / np.linalg.norm(vector)).astype("<f2").tobytes()

    def left() -> list[bool]:
        written = b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())
        return [trace in written for trace in traces]

    assert left() == [True, True]
    assert forget_faces(store) == (3, 2)
    assert left() == [False, False]
    assert face_counts(store) == (0, 0, 0, 0)
    assert list_people(store) == []
    assert undo(store) is None
    assert len(face_vectors(store)[1].ids) == 0
    assert store.picture_id(content_hash(b"one")) == 1
    store.set_user_caption(1, "still writable")
