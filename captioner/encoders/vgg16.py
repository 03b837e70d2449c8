"""VGG16: one forward pass turns pictures into a grid of features and one vector.

`vgg16_int8` runs the same network in 8-bit products, `vgg16_family` chooses between them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from safetensors.numpy import load_file

from captioner.encoders.keras_files import first_line, layer_names, misfit, no_weights, seen
from captioner.encoders.keras_network import KerasNetwork
from captioner.encoders.pooling import plain_mean
from captioner.frameworks import Precision, computing_in, load_keras
from data.errors import RetroflexError

if TYPE_CHECKING:
    import keras

NAME = "vgg16"
IMAGENET = "imagenet"
FILE = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
"""Keras' name for ImageNet's weights without the classifier."""
LAYERS = ("block5_conv3", "block5_pool")
"""The layers whose output may be the grid: 14 x 14 cells of 224 pixels, or 7 x 7."""
LAST_BLOCK = ("block5_conv1", "block5_conv2", "block5_conv3")
BEFORE_LAST_BLOCK = "block4_pool"

BLOCKS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
"""(convolutions, channels) of each block."""

CONVOLUTIONS = tuple(
    f"block{block}_conv{conv}" for block, (count, _) in enumerate(BLOCKS, 1) for conv in range(1, count + 1)
)
"""The names of the thirteen convolutions, as Keras spells them."""

CHANNEL_MEANS = (103.939, 116.779, 123.68)
"""Blue, green, red: what `keras.applications.vgg16.preprocess_input` subtracts."""


def preprocess(pictures: np.ndarray) -> np.ndarray:
    """Turn uint8 RGB (n, side, side, 3) into VGG16's input: float32 BGR minus the channel means.

    Equal to `keras.applications.vgg16.preprocess_input`, without importing Keras.
    """
    prepared = np.empty(pictures.shape, np.float32)
    # One channel after the other: NumPy is slow along an axis of three.
    for channel, mean in enumerate(CHANNEL_MEANS):
        np.subtract(pictures[..., 2 - channel], np.float32(mean), out=prepared[..., channel])
    return prepared


@dataclass(frozen=True)
class VGG16Config:
    """`side`: pictures are squeezed to side x side pixels; `layer`: the layer whose output is the grid."""

    side: int = 224
    layer: str = LAYERS[0]
    name: ClassVar[str] = NAME
    channels: ClassVar[int] = BLOCKS[-1][1]

    @property
    def cells(self) -> int:
        """Cells of the grid: 49 for 224 pixels and block5_pool, or for 112 pixels and block5_conv3."""
        return (self.side // (32 if self.layer == "block5_pool" else 16)) ** 2


class KerasVGG16(KerasNetwork):
    """Keras' VGG16 without top, cut after the layer whose output is the grid."""

    def __init__(
        self,
        config: VGG16Config,
        weights: Mapping[str, np.ndarray],
        precision: Precision,
        pooling: Callable[[np.ndarray], np.ndarray] = plain_mean,
        model_version: str = "",
    ) -> None:
        """`weights` are named as Keras names VGG16's (`block1_conv1/kernel`). Raises BundleError on a misfit.

        `pooling` makes L2-normalised vectors (n, d) of grids (n, cells, channels).
        """
        super().__init__(config, build_vgg16(config, precision), weights, preprocess, pooling, model_version)


def build_vgg16(config: VGG16Config, precision: Precision) -> keras.Model:
    """Return VGG16 cut after `config.layer`, with untrained weights."""
    load_keras()
    import keras

    with computing_in(precision):
        vgg16 = keras.applications.VGG16(include_top=False, weights=None, input_shape=(config.side, config.side, 3))
    return keras.Model(vgg16.input, vgg16.get_layer(config.layer).output)


def load_vgg16_weights(source: str) -> dict[str, np.ndarray]:
    """Return VGG16's convolution weights from `imagenet` (Keras downloads and caches them) or a Keras weights file.

    A file may be `.h5`, `.weights.h5` or `.keras`, with or without the classifier top, or `.safetensors` whose tensors
    are named as `block1_conv1/kernel`. Raises RetroflexError.
    """
    load_keras()
    import keras

    if source != IMAGENET and not Path(source).is_file():
        raise RetroflexError(
            f"encoder weights {source}: no such file (give 'bundled', 'imagenet' or a Keras VGG16 file)"
        )
    if source.endswith(".h5") and not source.endswith(".weights.h5"):
        _check_layers(Path(source))
    try:
        if source.endswith(".safetensors"):
            return _named(load_file(source))
        if source.endswith(".keras"):
            model = keras.saving.load_model(source, compile=False)
        else:
            model = keras.applications.VGG16(include_top=False, weights=IMAGENET if source == IMAGENET else None)
            if source != IMAGENET:
                model.load_weights(source, **({} if source.endswith(".weights.h5") else {"by_name": True}))
    except Exception as error:
        if source == IMAGENET:
            raise RetroflexError(no_weights(NAME, FILE, error)) from error
        raise RetroflexError(f"encoder weights {source} cannot be loaded: {first_line(error)}") from error
    layers = [model.get_layer(name) for name in CONVOLUTIONS]
    return {f"{layer.name}/{weight.name}": np.asarray(weight.numpy()) for layer in layers for weight in layer.weights}


def _check_layers(source: Path) -> None:
    """Raise RetroflexError unless the file has VGG16's layers; Keras would leave out what it does not have."""
    layers = layer_names(source)
    if not set(CONVOLUTIONS) <= set(layers) or seen(layers) != NAME:
        raise RetroflexError(misfit(NAME, source, layers))


def _named(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the convolutions among `tensors`, float32. Raises KeyError, with the name, if one is missing."""
    names = [f"{layer}/{part}" for layer in CONVOLUTIONS for part in ("kernel", "bias")]
    return {name: np.asarray(tensors[name], np.float32) for name in names}
