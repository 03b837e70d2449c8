"""The encoder of a convolutional variational autoencoder that `retroflex train features` trains on a person's pictures.

Kingma and Welling, "Auto-Encoding Variational Bayes" (2014). `training/autoencoder/model.py` is the whole network in
Keras, for training; this is its encoder in NumPy, which starts at once. A test compares the two. The vector of a
picture is the mean of its latent distribution.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from captioner.arithmetic import unit
from captioner.encoders.base import Features
from captioner.encoders.registry import EncoderParts, Family, register
from captioner.encoders.weights import Weights
from data.errors import RetroflexError
from data.paths import display

NAME = "vae"
SIDE, LATENT = 64, 128
FILTERS = (32, 64, 128, 256)
"""Of convolutions of 3 x 3 with stride 2, each followed by ReLU."""
TRAIN = f"retroflex train features --kind {NAME} --pictures DIR"
MISSING = f"it is trained on your own pictures: {TRAIN}"


@dataclass(frozen=True)
class AutoencoderConfig:
    """Pictures are squeezed to `side` x `side` pixels; there is no grid for a decoder of captions."""

    side: int = SIDE
    name: ClassVar[str] = NAME
    cells: ClassVar[int] = 0
    channels: ClassVar[int] = 0


def shapes() -> dict[str, tuple[int, ...]]:
    """Return the shapes of the weights by name: kernels and biases of the convolutions, and of the latent mean."""
    kernels: dict[str, tuple[int, ...]] = {}
    for number, (before, after) in enumerate(zip((3, *FILTERS), FILTERS, strict=False)):
        kernels |= {f"conv{number}/kernel": (3, 3, before, after), f"conv{number}/bias": (after,)}
    cells = (SIDE // 2 ** len(FILTERS)) ** 2
    return kernels | {"mean/kernel": (cells * FILTERS[-1], LATENT), "mean/bias": (LATENT,)}


class Autoencoder:
    """Latent means of pictures, L2-normalised; several threads may encode at once."""

    name, side = NAME, SIDE

    def __init__(self, weights: Weights, model_version: str) -> None:
        """`weights` are named as `shapes` says."""
        self._weights, self.model_version = weights, model_version

    def encode(self, pictures: np.ndarray) -> Features:
        """Encode uint8 RGB pictures (n, side, side, 3)."""
        return Features(unit(self.means(pictures)))

    def means(self, pictures: np.ndarray) -> np.ndarray:
        """Return the means of the latent distributions, float32 (n, LATENT)."""
        x = pictures.astype(np.float32) / 255
        for number in range(len(FILTERS)):
            kernel, bias = self._weights[f"conv{number}/kernel"], self._weights[f"conv{number}/bias"]
            x = np.maximum(_convolve(x, kernel) + bias, 0)
        means: np.ndarray = x.reshape(len(x), -1) @ self._weights["mean/kernel"] + self._weights["mean/bias"]
        return means


def _convolve(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolve (n, h, w, c) of even sides with a kernel (3, 3, c, d) and stride 2, padded after as by Keras' "same"."""
    padded = np.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))[:, ::2, ::2]
    return np.tensordot(windows, kernel.transpose(2, 0, 1, 3), 3)


def read(config: AutoencoderConfig, source: Path | None) -> Weights:
    """Read the weights that a training wrote. Raises RetroflexError where there are none, or other ones."""
    if source is None:
        raise RetroflexError(f"there is no autoencoder yet; {MISSING}")
    try:
        weights = load_file(source)
    except (OSError, SafetensorError) as error:
        raise RetroflexError(
            f"{display(source)} cannot be read as weights ({error}); train them with {TRAIN}"
        ) from error
    if {name: one.shape for name, one in weights.items()} != shapes():
        raise RetroflexError(f"{display(source)} has weights of another network; train an autoencoder with {TRAIN}")
    return weights


def build(config: AutoencoderConfig | None, parts: EncoderParts) -> Autoencoder:
    """Build the encoder of the weights that `read` returned."""
    return Autoencoder(parts.weights, parts.model_version)


register(
    Family(
        NAME,
        AutoencoderConfig,
        build,
        weights=read,
        missing=lambda: MISSING,
        summary="variational autoencoder of your own pictures",
        dimension=LATENT,
        kept=False,
    )
)
