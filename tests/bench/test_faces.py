"""Harder conditions for faces are made as their names say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from bench.faces import CHANGES, SIZE, crowd, false_faces, turned_aside
from tests.drawn_faces import DrawnFinder, draw_people

WHITE = Image.new("RGB", (200, 200), "white")


def test_a_small_face_is_that_wide() -> None:
    placed = np.asarray(CHANGES["24 pixels"](WHITE))
    assert placed.shape[:2] == SIZE[::-1]
    rows, columns = np.nonzero((placed > 200).all(axis=2))
    assert (np.ptp(columns) + 1, np.ptp(rows) + 1) == (24, 24)


def test_the_light_is_a_tenth_and_a_third_is_covered() -> None:
    assert np.asarray(CHANGES["a tenth of the light"](WHITE)).max() == 25
    covered = np.asarray(CHANGES["lower third covered"](WHITE))
    assert covered[:130].min() == 255
    assert covered[140:].max() == 0


def test_a_crowd_has_every_face_once() -> None:
    together = np.asarray(crowd([WHITE] * 12))
    assert together.shape[:2] == (400, 2000)
    assert (together > 200).all(axis=2).sum() == 12 * 100 * 100


def test_pictures_without_people_are_counted_by_those_in_which_a_face_is_found(tmp_path: Path) -> None:
    for number in range(4):
        draw_people(tmp_path / f"{number}.png", {"anna": (10, 10, 40, 40)} if number == 3 else {})
    assert false_faces(DrawnFinder(), tmp_path, 4)["found"] == 0.25


def test_a_nose_beside_the_middle_of_the_eyes_is_of_a_face_turned_aside() -> None:
    ahead = np.array([(80, 50), (100, 50), (20, 50), (40, 50), (60, 90)])
    aside = ahead + np.array([(0, 0)] * 4 + [(15, 0)])
    assert turned_aside(ahead) == 0
    assert turned_aside(aside) == 0.25
    assert turned_aside(aside[:, ::-1]) == 0.25, "however the head is tilted"
