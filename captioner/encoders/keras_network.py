"""An encoder around a Keras network that ends in a grid of features, whichever the network is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from captioner.encoders.base import EncoderConfig, Features
from captioner.encoders.pooling import plain_mean
from captioner.errors import BundleError
from captioner.frameworks import has_gpu, variable_name

if TYPE_CHECKING:
    import keras

Prepare = Callable[[np.ndarray], np.ndarray]
"""Turns uint8 RGB (n, side, side, 3) into a network's input of the same shape."""


class KerasNetwork:
    """Runs a network on squares of pixels; several threads may call `encode` at once."""

    def __init__(
        self,
        config: EncoderConfig,
        model: keras.Model,
        weights: Mapping[str, np.ndarray],
        prepare: Prepare,
        pooling: Callable[[np.ndarray], np.ndarray] = plain_mean,
        model_version: str = "",
        step: int = 1,
    ) -> None:
        """`model` maps prepared pictures to (n, edge, edge, channels); `weights` are those of `assign`.

        `pooling` makes L2-normalised vectors (n, d) of grids (n, cells, channels). On a CPU, `step` pictures at once
        take as long as more of them do each; a GPU needs many. Raises BundleError on a misfit.
        """
        self.config, self.name, self.side = config, config.name, config.side
        self.model_version = model_version
        self._prepare, self._pooling = prepare, pooling
        self._model = model
        assign(self._model, weights)
        self._model.make_predict_function()  # now, or each thread would make one
        self.step = None if has_gpu() else step

    def encode(self, pictures: np.ndarray) -> Features:
        """Encode uint8 RGB pictures (n, side, side, 3)."""
        grids = np.asarray(self._model.predict_on_batch(self._prepare(pictures)), np.float32)
        grids = grids.reshape(len(grids), -1, grids.shape[-1])
        return Features(self._pooling(grids), grids)


def assign(model: keras.Model, weights: Mapping[str, np.ndarray]) -> None:
    """Load weights under the names of `named_weights`. Raises BundleError where one is missing or misshapen."""
    for name, variable, by_channel in _variables(model):
        shape = tuple(variable.shape)
        expected = _swapped(shape) if by_channel else shape
        if name not in weights or weights[name].shape != expected:
            actual = weights[name].shape if name in weights else "nothing"
            raise BundleError(f"encoder weight {name} should have shape {expected}, found {actual}")
        variable.assign(weights[name].reshape(shape))


def named_weights(model: keras.Model) -> dict[str, np.ndarray]:
    """Return the weights by layer and name, as in `block1_conv1/kernel`, float32.

    Kernels of depthwise convolutions are (height, width, 1, channels), so that a bundle keeps a scale for each channel.
    """
    import keras

    weights = {}
    for name, variable, by_channel in _variables(model):
        value = np.asarray(keras.ops.convert_to_numpy(variable), np.float32)
        weights[name] = value.reshape(_swapped(value.shape)) if by_channel else value
    return weights


def _variables(model: keras.Model) -> Iterator[tuple[str, keras.Variable, bool]]:
    """Yield each weight's name, the weight, and whether it is the kernel of a depthwise convolution."""
    import keras

    for layer in model.layers:
        depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
        for variable in layer.weights:
            yield variable_name(variable), variable, depthwise and len(variable.shape) == 4


def _swapped(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape with its last two axes, channels and 1, the other way round; the numbers keep their order."""
    return (*shape[:2], shape[3], shape[2])
