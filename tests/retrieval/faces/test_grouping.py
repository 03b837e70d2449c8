from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from data.faces.people import faces_of_person, list_people, name_person, split_person
from data.faces.records import FACE, Box, FaceRow, ScannedPicture
from data.faces.writes import put_faces
from data.records import Batch, FileRow, PictureRow, content_hash
from data.store import Store
from retrieval.faces import grouping
from retrieval.faces.grouping import group_faces, groups_of

pytest.importorskip("sklearn")


def faces_like(people: Sequence[int], seed: int = 0, spread: float = 0.01) -> np.ndarray:
    """Vectors of faces of these people, (n, 64), each a little off that of the person."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(max(people) + 1, 64))
    vectors = centres[list(people)] / 8 + random.normal(0, spread, (len(people), 64))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def partition(labels: Sequence[Sequence[int]]) -> set[frozenset[int]]:
    return {frozenset(map(int, group)) for group in labels}


def slow_groups(vectors: np.ndarray, linked: float) -> set[frozenset[int]]:
    """Join the two groups with the highest mean cosine as long as that is high enough."""
    groups = [[row] for row in range(len(vectors))]
    while len(groups) > 1:
        means = [
            (float(np.mean([vectors[a] @ vectors[b] for a in first for b in second])), i, j)
            for i, first in enumerate(groups)
            for j, second in enumerate(groups[:i])
        ]
        best, i, j = max(means)
        if best < linked:
            break
        groups[j] += groups.pop(i)
    return partition(groups)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("linked", [0.3, 0.6, 0.9])
def test_groups_are_those_of_average_linkage(seed: int, linked: float) -> None:
    vectors = faces_like(np.random.default_rng(seed).integers(0, 6, 25).tolist(), seed, spread=0.1)
    assert partition(groups_of(vectors, linked)) == slow_groups(vectors, linked)


def test_blocks_and_parts_change_nothing_while_people_are_far_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    people = np.random.default_rng(1).integers(0, 8, 60)
    vectors = faces_like(people.tolist())
    expected = partition([np.flatnonzero(people == person) for person in range(8)])
    assert partition(groups_of(vectors, 0.8)) == expected
    monkeypatch.setattr(grouping, "BLOCK", 7)
    monkeypatch.setattr(grouping, "MOST", 20)
    assert partition(groups_of(vectors, 0.8)) == expected
    parted = groups_of(np.tile(vectors[:1], (50, 1)), 0.8)  # more than fit at a time, and all the same
    assert sorted(np.concatenate(parted).tolist()) == list(range(50))


def add(store: Store, name: str, vectors: np.ndarray) -> None:
    digest = content_hash(name.encode())
    row = PictureRow(digest, 50, 40, "JPEG", 1, None)
    store.write_batch(Batch(files=[FileRow(f"/photos/{name}.jpg".encode(), 1, 1, digest)], pictures=[row]))
    picture = store.picture_id(digest)
    assert picture is not None
    rows = [
        FaceRow(Box(number / 50, 0.1, (number + 1) / 50, 0.2), 0.99, {FACE: ("m1", vector)})
        for number, vector in enumerate(vectors)
    ]
    put_faces(store, "m1", [ScannedPicture(picture, digest, rows)], lambda cosines: cosines > 0.9)
    group_faces(store)


def people(store: Store) -> dict[int, int]:
    return {one.id: one.faces for one in list_people(store)}


def test_new_faces_join_the_person_or_the_group_that_was_there(store: Store) -> None:
    add(store, "one", faces_like([0, 0, 1, 1, 1, 2]))
    first, second = people(store)
    assert people(store) == {first: 3, second: 2}  # those with most faces come first; a face alone is in no group
    name_person(store, second, "Anna")
    add(store, "two", faces_like([0, 1, 2, 3], seed=1))
    assert {one.name or one.id: one.faces for one in list_people(store)} == {"Anna": 3, first: 4, second + 1: 2}


def test_what_was_split_stays_apart_and_new_faces_choose_the_nearer(store: Store) -> None:
    vectors = faces_like([0, 0, 0, 0])
    add(store, "one", vectors)
    (person,) = people(store)
    name_person(store, person, "Anna")
    twin = split_person(store, person, [faces_of_person(store, person)[-1].id])
    add(store, "two", vectors[-1:])
    assert people(store) == {person: 3, twin: 2}


def test_a_library_without_faces_has_no_groups(store: Store) -> None:
    group_faces(store)
    assert people(store) == {}
