"""A VGG16 whose channels are twins, two by two, is a VGG16 of half the width: a quarter of the numbers to keep."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from captioner.vgg16 import FIRST


def double(narrow: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The plain VGG16 with the function of one of half its width: every channel twice, its inputs' weights halved."""
    wide = {}
    for name, value in narrow.items():
        if value.ndim == 4 and not name.startswith(FIRST):
            value = np.concatenate([value, value], axis=2) / 2
        wide[name] = np.concatenate([value, value], axis=-1)
    return wide


def halve(wide: Mapping[str, np.ndarray]) -> dict[str, np.ndarray] | None:
    """Undo `double`; None where the weights are not exactly such."""
    narrow = {}
    for name, value in wide.items():
        half = value[..., : value.shape[-1] // 2]
        inputs = value.ndim == 4 and not name.startswith(FIRST)
        narrow[name] = 2 * half[:, :, : half.shape[2] // 2] if inputs else half
        if not np.array_equal(double({name: narrow[name]})[name], value):
            return None
    return narrow
