"""The crop plan is fixed by its seed and stays within the photographs."""

from __future__ import annotations

import numpy as np
import pytest

from training.distillation.crops import AREA, ASPECT, cut, plan_crops

WEIGHTS = np.array([0.5, 0.3, 0.2, 0.0])


def test_the_plan_depends_on_the_seed_alone() -> None:
    once, again, other = (plan_crops(WEIGHTS, 160, 50, seed) for seed in (4, 4, 5))
    assert np.array_equal(once.box, again.box)
    assert np.array_equal(once.photograph, again.photograph)
    assert not np.array_equal(once.box, other.box)
    assert len(once) == 50


def test_crops_lie_within_and_have_the_planned_shapes() -> None:
    left, top, right, bottom = plan_crops(WEIGHTS, 160, 5000, seed=0).box.T
    width, height = right - left, bottom - top
    assert min(left.min(), top.min()) >= 0
    assert max(right.max(), bottom.max()) <= 160 + 1e-3
    area, aspect = width * height / 160**2, width / height
    assert AREA[0] - 1e-4 <= area.min() < area.max() <= AREA[1]
    assert ASPECT[0] - 1e-3 <= aspect.min() < aspect.max() <= ASPECT[1] + 1e-3


def test_photographs_are_drawn_by_weight() -> None:
    share = np.bincount(plan_crops(WEIGHTS, 160, 20_000, seed=1).photograph, minlength=4) / 20_000
    assert share == pytest.approx(WEIGHTS, abs=0.02)
    assert share[3] == 0


def test_cutting_takes_the_box_and_resizes_it() -> None:
    pixels = np.zeros((160, 160, 3), np.uint8)
    pixels[40:80, 80:160] = (10, 200, 30)
    piece = cut(pixels, np.array([80, 40, 160, 80], np.float32), 32)
    assert piece.shape == (32, 32, 3)
    assert piece.dtype == np.uint8
    # The resampling filter reaches over the edge of the box.
    assert np.abs(piece[2:-2, 2:-2].astype(int) - (10, 200, 30)).max() <= 1


def test_a_full_crop_at_full_size_is_the_photograph() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    assert np.array_equal(cut(pixels, np.array([0, 0, 48, 48], np.float32), 48), pixels)
