"""The facts of the VGG16 architecture that everyone shares; no framework is imported here."""

from __future__ import annotations

import numpy as np

BLOCKS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
"""(convolutions, channels) of each block."""

CONVOLUTIONS = tuple(
    f"block{block}_conv{conv}" for block, (count, _) in enumerate(BLOCKS, 1) for conv in range(1, count + 1)
)
"""The names of the thirteen convolutions, as Keras spells them."""

CHANNEL_MEANS = (103.939, 116.779, 123.68)
"""Blue, green, red: what `keras.applications.vgg16.preprocess_input` subtracts."""


def preprocess(pictures: np.ndarray) -> np.ndarray:
    """Turn uint8 RGB (n, side, side, 3) into VGG16's input: float32 BGR less the channel means.

    Equal to `keras.applications.vgg16.preprocess_input`, without importing Keras.
    """
    prepared = np.empty(pictures.shape, np.float32)
    # One channel after the other: NumPy is slow along an axis of three.
    for channel, mean in enumerate(CHANNEL_MEANS):
        np.subtract(pictures[..., 2 - channel], np.float32(mean), out=prepared[..., channel])
    return prepared
