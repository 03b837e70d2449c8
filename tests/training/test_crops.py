"""Random boxes lie within the picture and have the shapes asked for; a crop is what the box shows."""

from __future__ import annotations

import numpy as np

from training.crops import ASPECT, cut, draw_box

SHARE = (0.35, 1.0)


def test_boxes_lie_within_and_have_the_shapes_asked_for() -> None:
    random = np.random.default_rng(0)
    left, top, right, bottom = np.array([draw_box(random, 160, SHARE) for _ in range(5000)]).T
    width, height = right - left, bottom - top
    assert min(left.min(), top.min()) >= 0
    assert max(right.max(), bottom.max()) <= 160 + 1e-9
    area, aspect = width * height / 160**2, width / height
    assert area.max() <= SHARE[1] + 1e-9
    assert area.min() < SHARE[0] + 0.05
    assert ASPECT[0] - 1e-9 <= aspect.min() < 0.8
    assert 1.25 < aspect.max() <= ASPECT[1] + 1e-9


def test_boxes_that_fit_have_the_share_asked_for() -> None:
    random = np.random.default_rng(1)
    for _ in range(100):
        left, top, right, bottom = draw_box(random, 160, (0.5, 0.5))
        np.testing.assert_allclose((right - left) * (bottom - top), 0.5 * 160**2)


def test_cutting_takes_the_box_and_resizes_it() -> None:
    pixels = np.zeros((160, 160, 3), np.uint8)
    pixels[40:80, 80:160] = (10, 200, 30)
    piece = cut(pixels, (80, 40, 160, 80), 32)
    assert piece.shape == (32, 32, 3)
    assert piece.dtype == np.uint8
    # The resampling filter reaches over the edge of the box.
    assert np.abs(piece[2:-2, 2:-2].astype(int) - (10, 200, 30)).max() <= 1


def test_a_full_crop_at_full_size_is_the_photograph() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    assert np.array_equal(cut(pixels, (0, 0, 48, 48), 48), pixels)
