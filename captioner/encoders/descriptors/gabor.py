"""Energies of Gabor filters: which textures a picture has, wherever they are.

The filters are those of Manjunath and Ma, "Texture features for browsing and retrieval of image data" (1996): Gaussians
in the frequency domain that touch at half their height, over octaves and orientations. They are applied there, by FFT.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from captioner.arithmetic import unit
from captioner.encoders.base import Features
from captioner.encoders.descriptors.base import luma, register_descriptor

SIDE, SCALES, ORIENTATIONS = 128, 4, 6
LOWEST, HIGHEST = 0.05, 0.4
"""Centres of the lowest and highest scale, in cycles a pixel."""
QUIET = 0.003
"""An energy of plain surfaces, in the units of `energies`: below it, differences count little."""


def gabor_filters(side: int) -> np.ndarray:
    """Return the filters in the frequency domain, float32 (SCALES * ORIENTATIONS, side, side), as FFT orders them.

    None lets the mean pass. Each is divided by what it would let pass of a picture whose amplitudes fall with
    frequency, as they do in photographs, so that all energies are of one size.
    """
    frequencies = np.fft.fftfreq(side)
    across, down = np.meshgrid(frequencies, frequencies)
    radius = np.hypot(across, down)
    radius[0, 0] = np.inf
    step = (HIGHEST / LOWEST) ** (1 / (SCALES - 1))
    half = np.sqrt(2 * np.log(2))
    filters = []
    for centre in LOWEST * step ** np.arange(SCALES):
        along, beside = (step - 1) / (step + 1) * centre / half, np.tan(np.pi / (2 * ORIENTATIONS)) * centre / half
        for angle in np.pi * np.arange(ORIENTATIONS) / ORIENTATIONS:
            u, v = across * np.cos(angle) + down * np.sin(angle), down * np.cos(angle) - across * np.sin(angle)
            one = np.exp(-0.5 * (((u - centre) / along) ** 2 + (v / beside) ** 2))
            one[0, 0] = 0
            filters.append(one / np.sqrt(((one / radius) ** 2).sum()))
    return np.array(filters, np.float32)


@cache
def _filters() -> np.ndarray:
    return gabor_filters(SIDE)


def energies(pictures: np.ndarray) -> np.ndarray:
    """Return mean and deviation of each filter's magnitude, float32 (n, 2, filters), of uint8 pictures (n, s, s, 3)."""
    filters = _filters()
    results = np.empty((len(pictures), 2, len(filters)), np.float32)
    for row, grey in enumerate(luma(pictures)):
        magnitudes = np.abs(np.fft.ifft2(np.fft.fft2(grey) * filters))
        results[row] = magnitudes.mean(axis=(1, 2)), magnitudes.std(axis=(1, 2))
    return results


class Gabor:
    """Mean and deviation of 24 filters, as logarithms, so that a contrast twice as high counts alike; L2-normalised."""

    name, model_version = "gabor", "gabor-1"
    side, cells, channels = SIDE, 0, 0
    dimension = 2 * SCALES * ORIENTATIONS
    summary = "Gabor energies: which textures, wherever they are"

    def encode(self, pictures: np.ndarray) -> Features:
        """Encode uint8 RGB pictures (n, side, side, 3)."""
        return Features(unit(np.log(energies(pictures) / np.float32(QUIET) + 1).reshape(len(pictures), -1)))


register_descriptor(Gabor)
