from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from data.faces.reads import face_counts, face_vectors, faces_of, unscanned
from data.limits import DEFAULT_LIMITS
from data.store import Store
from retrieval.faces import indexing
from tests.drawn_faces import ON_CROP, DrawnFinder, draw_people
from tests.drawn_faces import find_drawn as find
from tests.retrieval.faces.conftest import add_file


def test_every_picture_is_searched_once_and_those_without_faces_are_done(store: Store, drawn: dict[str, Path]) -> None:
    steps: list[tuple[int, int]] = []
    finder = DrawnFinder()
    report = find(store, finder, lambda done, total: steps.append((done, total)))
    assert (report.pictures, report.faces, report.unreadable) == (4, 4, [])
    assert (steps[0], steps[-1]) == ((0, 4), (4, 4))
    again = find(store, finder)
    assert (again.pictures, again.faces, finder.seen) == (0, 0, 4)


def test_each_face_has_a_box_and_two_vectors(store: Store, drawn: dict[str, Path]) -> None:
    find(store)
    picture = store.picture_id(add_file(store, drawn["both"]))
    assert picture is not None
    anna, ben = faces_of(store, [picture])[picture]
    assert anna.box == pytest.approx((0.1, 0.125, 0.2, 0.25))
    assert ben.box == pytest.approx((0.4, 0.125, 0.8, 0.625))
    assert face_vectors(store)[0] == "drawn-1"
    version, on_crop = face_vectors(store, "face_vgg16")
    assert version == "mean-1"
    assert on_crop.vectors.shape == (4, 3)


def test_what_was_written_before_an_interruption_stays_and_the_rest_follows(
    store: Store, drawn: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "AT_ONCE", 1)
    for most in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            find(store, DrawnFinder(most))
    assert face_counts(store).scanned == 3
    last = DrawnFinder()
    assert find(store, last).pictures == last.seen == 1
    assert Counter(face_vectors(store)[1].pictures.tolist()).most_common(1)[0][1] == 2
    assert face_counts(store)[:2] == (4, 4)


def test_an_unreadable_picture_is_told_and_tried_again(store: Store, drawn: dict[str, Path]) -> None:
    drawn["ben"].write_text("changed meanwhile")
    drawn["sea"].unlink()
    report = find(store)
    assert [(skip.path.name, skip.reason) for skip in report.unreadable] == [
        ("ben.png", "cannot be read: its file has changed; index again"),
        ("sea.png", "cannot be read: No such file or directory"),
    ]
    assert report.pictures == 2
    draw_people(drawn["sea"], {})
    assert [one.paths for one in unscanned(store, "drawn-1")] == [[bytes(drawn["ben"])], [bytes(drawn["sea"])]]
    assert find(store).pictures == 1


def test_networks_are_loaded_only_where_a_picture_is_to_be_searched(store: Store, drawn: dict[str, Path]) -> None:
    find(store)

    def fail() -> DrawnFinder:
        raise AssertionError

    assert indexing.find_faces(store, DrawnFinder.model_version, fail, ON_CROP, DEFAULT_LIMITS).pictures == 0
