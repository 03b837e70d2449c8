"""MPEG-7's colour layout against a slow one, term by term, and on pictures whose coefficients are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from captioner.encoders.descriptors.colour_layout import (
    CHROMA_KEPT,
    CONSTANT,
    LUMA_KEPT,
    ColourLayout,
    dct_matrix,
    zigzag,
)

# The first coefficients in the order of JPEG (ITU-T T.81, figure A.6), as (row, column).
JPEG_ORDER = [(0, 0), (0, 1), (1, 0), (2, 0), (1, 1), (0, 2), (0, 3), (1, 2), (2, 1), (3, 0)]
LUMA_WEIGHTS, CB_WEIGHTS, CR_WEIGHTS = (2, 2, 2, 1), (2, 1), (4, 2)


def noise(count: int = 2) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (count, 64, 64, 3), np.uint8)


def slow_coefficient(picture: np.ndarray, channel: int, row: int, column: int) -> float:
    """The sum of a DCT-II written out, over the mean colours of 8 x 8 blocks, in YCbCr by its definition."""
    total = 0.0
    for i in range(8):
        for j in range(8):
            red, green, blue = picture[8 * i : 8 * i + 8, 8 * j : 8 * j + 8].reshape(-1, 3).mean(axis=0)
            luma = 0.299 * red + 0.587 * green + 0.114 * blue
            value = (luma - 128, (blue - luma) / 1.772, (red - luma) / 1.402)[channel]
            total += value * math.cos(math.pi * (2 * i + 1) * row / 16) * math.cos(math.pi * (2 * j + 1) * column / 16)
    return total * math.prod(math.sqrt((1 if one == 0 else 2) / 8) for one in (row, column))


def test_the_zigzag_is_that_of_jpeg() -> None:
    assert zigzag(8)[:10] == JPEG_ORDER
    assert zigzag(8)[-1] == (7, 7)


def test_coefficients_are_those_of_a_slow_dct() -> None:
    picture = noise(1)
    actual = ColourLayout().coefficients(picture)[0]
    for position, (row, column) in enumerate(JPEG_ORDER):
        for channel in range(3):
            assert actual[channel, position] == pytest.approx(
                slow_coefficient(picture[0], channel, row, column), abs=0.01
            )


def test_the_transform_keeps_lengths() -> None:
    np.testing.assert_allclose(dct_matrix(8) @ dct_matrix(8).T, np.eye(8), atol=1e-6)


def test_a_plain_picture_has_only_its_mean() -> None:
    grey = np.full((1, 64, 64, 3), 138, np.uint8)
    coefficients = ColourLayout().coefficients(grey)[0]
    assert coefficients[0, 0] == pytest.approx(8 * 10, abs=0.01)
    coefficients[0, 0] = 0
    assert np.abs(coefficients).max() < 0.01


def test_differences_weigh_as_in_the_standard() -> None:
    pictures = noise()
    encoder = ColourLayout()
    coefficients, vectors = encoder.coefficients(pictures), encoder.encode(pictures).vectors
    assert vectors.shape == (2, ColourLayout.dimension)
    unscaled = vectors / vectors[:, -1:] * CONSTANT
    counts = (LUMA_KEPT, CHROMA_KEPT, CHROMA_KEPT)
    expected = sum(
        weights[min(position, len(weights) - 1)] * float(coefficients[0, channel, position] - one) ** 2
        for channel, (weights, count) in enumerate(zip((LUMA_WEIGHTS, CB_WEIGHTS, CR_WEIGHTS), counts, strict=True))
        for position, one in enumerate(coefficients[1, channel, :count])
    )
    assert ((unscaled[0] - unscaled[1]) ** 2).sum() == pytest.approx(expected, rel=1e-4)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_a_mirrored_layout_is_another() -> None:
    half = np.zeros((1, 64, 64, 3), np.uint8)
    half[:, :, :32, 0] = 255
    nearly = half.copy()
    nearly[:, :, :32, 1] = 40
    one, like, mirrored = ColourLayout().encode(np.concatenate([half, nearly, half[:, :, ::-1]])).vectors
    assert one @ like > 0.95 > 0.7 > one @ mirrored
