"""Sketches find what they outline."""

from __future__ import annotations

import numpy as np
import pytest

from captioner.encoders.descriptors.sketch import (
    BINS,
    CELLS,
    SIDE,
    EdgeOrientations,
    edges,
    orientations,
)

PALE, WHITE = 247, 255


@pytest.fixture(autouse=True)
def _needs_opencv() -> None:
    pytest.importorskip("cv2")


def disc(radius: float, row: float = 64, column: float = 64) -> np.ndarray:
    rows, columns = np.indices((SIDE, SIDE))
    return np.hypot(rows - row, columns - column) < radius


def box(top: int, left: int, height: int, width: int) -> np.ndarray:
    inside = np.zeros((SIDE, SIDE), bool)
    inside[top : top + height, left : left + width] = True
    return inside


def filled(inside: np.ndarray, level: int = PALE, background: int = WHITE) -> np.ndarray:
    """Return a picture of a thing of one grey, uint8 (SIDE, SIDE, 3)."""
    return np.repeat(np.where(inside, level, background)[..., None], 3, axis=2).astype(np.uint8)


def outline(inside: np.ndarray) -> np.ndarray:
    """Return the border of a thing, where its neighbours differ."""
    return inside ^ (np.roll(inside, 1, 0) & np.roll(inside, -1, 0) & np.roll(inside, 1, 1) & np.roll(inside, -1, 1))


SHAPES = [disc(40), box(20, 50, 90, 28), box(50, 15, 28, 95), disc(18, 35, 35) | disc(18, 95, 95)]


@pytest.mark.parametrize("ink", [(0, 255), (255, 20)], ids=["black on white", "white on black"])
def test_a_sketch_is_nearest_to_what_it_outlines(ink: tuple[int, int]) -> None:
    pictures = EdgeOrientations().encode(np.stack([filled(shape) for shape in SHAPES])).vectors
    sketches = np.stack([filled(outline(np.roll(shape, 3, 1)), *ink) for shape in SHAPES])
    cosines = EdgeOrientations().encode(sketches).vectors @ pictures.T
    assert cosines.argmax(axis=1).tolist() == [0, 1, 2, 3]
    assert pictures.shape[1] == EdgeOrientations.dimension


def test_edges_of_pale_things_are_seen_as_those_of_dark_ones() -> None:
    for level in (PALE, 60):
        seen, _ = edges(filled(SHAPES[1], level))
        near = np.zeros_like(SHAPES[1])
        near[18:112, 48:80] = True
        assert 180 < seen[near].sum() < 480, level
        assert seen[~near].sum() == 0, level


def test_orientations_are_those_of_a_slow_count() -> None:
    weight, angle = np.zeros((SIDE, SIDE), np.float32), np.zeros((SIDE, SIDE))
    row, column = (int((cell + 0.5) * SIDE / CELLS) for cell in (3, 7))
    weight[row, column], angle[row, column] = 1, np.pi * 2.25 / BINS
    counted = orientations(weight, angle).reshape(BINS, CELLS, CELLS) ** 2
    assert counted.sum(axis=(1, 2)).argsort()[-2:].tolist() == [3, 2]
    assert counted[2, 3, 7] / counted[3, 3, 7] == pytest.approx(3, rel=1e-3)
    assert counted[2].argmax() == 3 * CELLS + 7
    np.testing.assert_allclose(orientations(weight, angle + np.pi), orientations(weight, angle), atol=1e-3)


def test_both_sides_of_a_stroke_agree() -> None:
    seen, angle = edges(filled(box(20, 60, 90, 3), 0))
    assert np.abs(np.sin(angle[40:90][seen[40:90] > 0])).max() < 0.1


def test_an_empty_sketch_has_no_vector() -> None:
    assert not EdgeOrientations().encode(np.full((1, SIDE, SIDE, 3), 255, np.uint8)).vectors.any()
