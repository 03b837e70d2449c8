"""Harder conditions for faces are made as their names say."""

from __future__ import annotations

import numpy as np
from PIL import Image

from bench.faces import CHANGES, SIZE, crowd

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
