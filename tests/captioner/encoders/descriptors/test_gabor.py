"""Gabor energies against convolutions in space, and on waves of known scale and orientation."""

from __future__ import annotations

import numpy as np
import pytest

from captioner.encoders.descriptors.gabor import (
    HIGHEST,
    LOWEST,
    ORIENTATIONS,
    SCALES,
    SIDE,
    Gabor,
    energies,
    gabor_filters,
)


def wave(cycles: float, degrees: float, height: float = 100) -> np.ndarray:
    """Return a wave of so many cycles a pixel, uint8 (SIDE, SIDE, 3)."""
    row, column = np.indices((SIDE, SIDE))
    along = column * np.cos(np.radians(degrees)) + row * np.sin(np.radians(degrees))
    grey = 128 + height * np.sin(2 * np.pi * cycles * along)
    return np.repeat(grey[..., None], 3, axis=2).round().astype(np.uint8)


def test_filtering_is_a_convolution_in_space() -> None:
    side = 16
    filters = gabor_filters(side)
    grey = np.random.default_rng(2).normal(size=(side, side))
    kernel = np.fft.ifft2(filters[7])
    expected = sum(
        grey[row, column] * np.roll(kernel, (row, column), axis=(0, 1)) for row in range(side) for column in range(side)
    )
    np.testing.assert_allclose(np.fft.ifft2(np.fft.fft2(grey) * filters[7]), expected, atol=1e-6)


def test_no_filter_lets_the_mean_pass() -> None:
    assert np.all(gabor_filters(32)[:, 0, 0] == 0)
    assert energies(np.full((1, SIDE, SIDE, 3), 90, np.uint8)).max() < 1e-6


@pytest.mark.parametrize("scale", range(SCALES))
@pytest.mark.parametrize("orientation", [0, 2])
def test_a_wave_wakes_its_own_filter_most(scale: int, orientation: int) -> None:
    cycles = LOWEST * (HIGHEST / LOWEST) ** (scale / (SCALES - 1))
    means = energies(wave(cycles, 180 * orientation / ORIENTATIONS)[None])[0, 0].reshape(SCALES, ORIENTATIONS)
    assert means[scale].argmax() == orientation
    assert means[:, orientation].argmax() == scale


def test_texture_counts_and_not_where_it_is() -> None:
    pictures = np.stack([wave(0.1, 30), np.roll(wave(0.1, 30), 17, axis=1), wave(0.1, 30, 60), wave(0.3, 120)])
    one, shifted, paler, other = Gabor().encode(pictures).vectors
    assert len(one) == Gabor.dimension
    assert one @ shifted > 0.99
    assert one @ paler > 0.95 > one @ other
