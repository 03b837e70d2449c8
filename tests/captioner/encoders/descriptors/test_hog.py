"""HOG against scikit-image, and on pictures of stripes."""

from __future__ import annotations

import numpy as np
import pytest

from captioner.encoders.descriptors.hog import BINS, BLOCK, CELL, Hog, oriented_gradients


def stripes(degrees: float) -> np.ndarray:
    """Return waves whose gradient has this angle, uint8 (64, 64, 3)."""
    row, column = np.indices((64, 64))
    along = column * np.cos(np.radians(degrees)) + row * np.sin(np.radians(degrees))
    return np.repeat((127.5 + 127 * np.sin(along / 2))[..., None], 3, axis=2).astype(np.uint8)


def test_it_is_that_of_scikit_image() -> None:
    feature = pytest.importorskip("skimage.feature")
    pictures = np.random.default_rng(3).integers(0, 256, (2, 64, 64, 3), np.uint8)
    expected = [
        feature.hog(
            picture.astype(float), BINS, (CELL, CELL), (BLOCK, BLOCK), "L2-Hys", feature_vector=False, channel_axis=2
        )
        for picture in pictures
    ]
    np.testing.assert_allclose(oriented_gradients(pictures), expected, atol=1e-4)


@pytest.mark.parametrize(("degrees", "largest"), [(10, 0), (50, 2), (90, 4), (130, 6)])
def test_stripes_fall_into_the_bin_of_their_gradient(degrees: float, largest: int) -> None:
    blocks = oriented_gradients(stripes(degrees)[None])
    assert blocks.mean(axis=(0, 1, 2, 3, 4)).argmax() == largest


def test_vectors_are_of_length_1_and_plain_pictures_alike() -> None:
    plain = np.stack([np.full((64, 64, 3), grey, np.uint8) for grey in (0, 200)])
    vectors = Hog().encode(np.concatenate([plain, stripes(30)[None], stripes(40)[None], stripes(120)[None]])).vectors
    assert vectors.shape == (5, Hog.dimension)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert vectors[0] @ vectors[1] == pytest.approx(1, abs=1e-6)
    assert vectors[2] @ vectors[3] > vectors[2] @ vectors[4]
