"""An EfficientNet-Lite of three blocks with random weights."""

from __future__ import annotations

import numpy as np
import pytest

from captioner.encoders import efficientnet_lite
from captioner.encoders.efficientnet_lite import Lite0Config, Stage

TINY_HALVED = (1,)
"""The blocks that halve height and width."""
CHANNELS = 24


def shrink(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make networks of the family tiny, for a test."""
    monkeypatch.setattr(efficientnet_lite, "STAGES", (Stage(1, 8, 1, 1, 3), Stage(6, 16, 2, 2, 5)))
    monkeypatch.setattr(efficientnet_lite, "HEAD", CHANNELS)
    monkeypatch.setattr(efficientnet_lite, "CELL", 4)
    monkeypatch.setattr(Lite0Config, "channels", CHANNELS)


def random_tensors(config: Lite0Config) -> dict[str, np.ndarray]:
    """The tensors of a random network, named as in the PyTorch file."""
    random, tensors = np.random.default_rng(3), {}
    for layer in efficientnet_lite._layers(config):
        height, width, inputs, outputs = layer.shape
        spread = (height * width * inputs) ** -0.5
        tensors[f"{layer.convolution}.weight"] = random.normal(0, spread, (outputs, inputs, height, width))
        for part, low, high in (("weight", 0.5, 2), ("bias", -1, 3), ("running_mean", -1, 1), ("running_var", 0.1, 9)):
            tensors[f"{layer.normalisation}.{part}"] = random.uniform(low, high, outputs)
    return {name: value.astype(np.float32) for name, value in tensors.items()}
