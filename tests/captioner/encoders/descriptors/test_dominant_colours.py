"""Dominant colours on pictures of a few known colours."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from captioner.encoders.descriptors.dominant_colours import (
    DominantColours,
    dominant_colours,
    fixed_colours,
    histogram,
)
from captioner.encoders.registry import build_further
from captioner.errors import BundleError
from data.colour.names import lab

RED, GREEN, BLUE, WHITE = (200, 20, 20), (20, 150, 40), (20, 40, 190), (250, 250, 250)


def bands(*colours: tuple[int, int, int]) -> np.ndarray:
    """Return a picture of equal bands, uint8 (64, 64, 3)."""
    return np.repeat(np.array(colours, np.uint8), 64 // len(colours), axis=0)[:, None].repeat(64, axis=1)


@pytest.fixture(autouse=True)
def _needs_opencv() -> None:
    pytest.importorskip("cv2")


def test_the_centres_are_the_colours_of_the_picture() -> None:
    centres, shares = dominant_colours(bands(RED, RED, RED, BLUE))
    for colour, share in ((RED, 0.75), (BLUE, 0.25)):
        near = np.linalg.norm(centres - lab(np.array(colour)), axis=1) < 1
        assert shares[near].sum() == pytest.approx(share)


def test_a_histogram_is_the_sum_of_its_centres() -> None:
    fixed = fixed_colours()
    assert fixed.shape == (DominantColours.dimension, 3)
    centres = lab(np.array([RED, WHITE]))
    whole = histogram(centres, np.array([0.3, 0.7]))
    assert whole.sum() == pytest.approx(1)
    weights = [np.exp(-sum((fixed[row] - centre) ** 2) / 200) for centre in centres for row in range(len(fixed))]
    red, white = np.array(weights, float).reshape(2, -1)
    np.testing.assert_allclose(whole, 0.3 * red / red.sum() + 0.7 * white / white.sum(), atol=1e-5)


def test_where_a_colour_is_does_not_count_but_how_much() -> None:
    pictures = [bands(RED, WHITE), bands(WHITE, RED), bands(RED, RED, RED, WHITE), bands(GREEN, WHITE)]
    one, turned, more, other = DominantColours().encode(np.stack(pictures)).vectors
    np.testing.assert_allclose(np.linalg.norm(one), 1, atol=1e-6)
    assert one @ turned == pytest.approx(1, abs=1e-3)
    assert 0.99 > one @ more > one @ other + 0.1


def test_the_same_picture_has_the_same_vector_each_time() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (1, 64, 64, 3), np.uint8)
    first, second = (DominantColours().encode(noise).vectors for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_without_opencv_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    for name in ("dominant_colours", "sketch"):
        with pytest.raises(BundleError, match=r"OpenCV is missing: pip install 'retroflex\[descriptors\]'"):
            build_further(name)
    for name in ("colour_layout", "gabor", "hog"):
        build_further(name)
