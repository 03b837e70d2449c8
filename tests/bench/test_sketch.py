"""Sketches that are computed for the bench: lines of the picture, a little bent."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cv2")
pytest.importorskip("skimage")

from bench.sketch import SIDE, sketch_of


def test_a_sketch_has_the_outlines_of_its_picture() -> None:
    picture = np.full((SIDE, SIDE, 3), 240, np.uint8)
    picture[60:200, 80:180] = (40, 90, 160)
    sketch = sketch_of(picture, np.random.default_rng(0))
    ink = sketch[..., 0] < 128
    assert 400 < ink.sum() < 2500
    outline = np.zeros_like(ink)
    outline[30:230, 50:210] = True
    outline[95:165, 115:145] = False
    assert ink[outline].sum() > 0.98 * ink.sum()
    assert not np.array_equal(sketch, sketch_of(picture, np.random.default_rng(1)))
