"""Networks of `keras.applications` with ImageNet weights, each cut before its classifier.

Keras downloads a file of weights on first use, or finds it where it has put it before; a file by hand does as well.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from captioner.encoders.base import Encoder
from captioner.encoders.keras_files import first_line, keras_folder, layer_names, misfit, no_weights
from captioner.encoders.keras_network import KerasNetwork, assign, named_weights
from captioner.encoders.pooling import plain_mean
from captioner.encoders.registry import EncoderParts, Family, register
from captioner.encoders.vgg16 import preprocess as blue_green_red
from captioner.errors import BundleError
from captioner.frameworks import computing_in, load_keras
from data.errors import RetroflexError

if TYPE_CHECKING:
    import keras

STEP = 8
"""Pictures at once: most of these networks have many small layers, which are slower for one alone."""
CELL = 32
"""Pixels of a side of the grid's cells."""


def from_minus_one(pictures: np.ndarray) -> np.ndarray:
    """Turn uint8 (n, side, side, 3) into float32 from -1 to 1, as `mobilenet_v2.preprocess_input` does."""
    return pictures.astype(np.float32) / np.float32(127.5) - np.float32(1)


def as_they_are(pictures: np.ndarray) -> np.ndarray:
    """Turn uint8 (n, side, side, 3) into float32: the network begins with its preprocessing."""
    return pictures.astype(np.float32)


@dataclass(frozen=True)
class Architecture:
    """A network: its function in `keras.applications`, its input and grid, and the name of Keras' file of weights."""

    application: str
    side: int
    channels: int
    prepare: Callable[[np.ndarray], np.ndarray]
    file: str

    def build(self, **options: Any) -> keras.Model:
        """Build it by Keras' own function. Raises whatever that raises."""
        load_keras()
        import keras

        # Keras tells of downloads on standard output, and warns of other sides than its weights were trained with.
        with redirect_stdout(sys.stderr), warnings.catch_warnings(), computing_in("float32"):
            warnings.simplefilter("ignore")
            return getattr(keras.applications, self.application)(**options)


_ORDERED = "{}_weights_tf_dim_ordering_tf_kernels_notop.h5"

ARCHITECTURES = {
    "vgg19": Architecture("VGG19", 224, 512, blue_green_red, _ORDERED.format("vgg19")),
    "resnet50": Architecture("ResNet50", 224, 2048, blue_green_red, _ORDERED.format("resnet50")),
    "resnet152": Architecture("ResNet152", 224, 2048, blue_green_red, _ORDERED.format("resnet152")),
    "efficientnetv2_b0": Architecture("EfficientNetV2B0", 224, 1280, as_they_are, "efficientnetv2-b0_notop.h5"),
    "efficientnetv2_s": Architecture("EfficientNetV2S", 384, 1280, as_they_are, "efficientnetv2-s_notop.h5"),
    "mobilenetv2": Architecture(
        "MobileNetV2",
        224,
        1280,
        from_minus_one,
        "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
    ),
    "mobilenetv3_large": Architecture(
        "MobileNetV3Large", 224, 960, as_they_are, "weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5"
    ),
    "mobilenetv3_small": Architecture(
        "MobileNetV3Small", 224, 576, as_they_are, "weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5"
    ),
}
"""By the names of the encoders."""

CLASSIFIERS = frozenset({"predictions", "logits"})


@dataclass(frozen=True)
class KerasConfig:
    """`side`: pictures are squeezed to side x side pixels, a multiple of 32."""

    name: str
    side: int

    def __post_init__(self) -> None:
        if self.side % CELL:
            raise RetroflexError(f"the side of {self.name} must be a multiple of {CELL}, not {self.side}")

    @property
    def channels(self) -> int:
        """Channels of the grid."""
        return ARCHITECTURES[self.name].channels

    @property
    def cells(self) -> int:
        """Cells of the grid."""
        return (self.side // CELL) ** 2


def _network(config: KerasConfig) -> keras.Model:
    return ARCHITECTURES[config.name].build(include_top=False, weights=None, input_shape=(config.side, config.side, 3))


def _build(config: KerasConfig, parts: EncoderParts) -> Encoder:
    prepare, pooling = ARCHITECTURES[config.name].prepare, parts.pooling or plain_mean
    return KerasNetwork(config, _network(config), parts.weights, prepare, pooling, parts.model_version, STEP)


def _read(config: KerasConfig, source: Path | None) -> dict[str, np.ndarray]:
    """Read the weights from a file, or let Keras find or download its own. Raises RetroflexError, one line."""
    if source is None:
        return named_weights(_downloaded(config))
    if source.suffix == ".safetensors":
        return _fitting(config, source, _tensors(source))
    layers = layer_names(source)
    own = {"include_top": False, "input_shape": (config.side, config.side, 3)}
    with_classifier = any(layer.lower() in CLASSIFIERS for layer in layers)
    options: dict[str, Any] = {"include_top": True} if with_classifier else own
    try:
        trained = ARCHITECTURES[config.name].build(weights=str(source), **options)
    except Exception as error:
        raise RetroflexError(misfit(config.name, source, layers, error)) from error
    weights = named_weights(trained)
    return _fitting(config, source, weights) if with_classifier else weights


def _downloaded(config: KerasConfig) -> keras.Model:
    architecture = ARCHITECTURES[config.name]
    try:
        return architecture.build(include_top=False, weights="imagenet", input_shape=(config.side, config.side, 3))
    except Exception as error:
        raise RetroflexError(no_weights(config.name, architecture.file, error)) from error


def _tensors(source: Path) -> dict[str, np.ndarray]:
    try:
        return load_file(source)
    except (OSError, SafetensorError) as error:
        raise RetroflexError(f"{source} cannot be read: {first_line(error)}") from error


def _fitting(config: KerasConfig, source: Path, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the weights that the encoder has, of those of a file. Raises RetroflexError if they do not fit."""
    network = _network(config)
    try:
        assign(network, weights)
    except BundleError as error:
        layers = [name.rpartition("/")[0] for name in weights]
        raise RetroflexError(misfit(config.name, source, layers, error)) from error
    return named_weights(network)


def _missing(name: str) -> str:
    file = keras_folder() / ARCHITECTURES[name].file
    if file.exists():
        return ""
    return f"its weights are missing: index --features {name} downloads them; or put {file.name} into {file.parent}"


def _register(name: str, architecture: Architecture) -> None:
    def config(side: int = architecture.side) -> KerasConfig:
        return KerasConfig(name, side)

    register(
        Family(
            name,
            config,
            lambda settings, parts: _build(settings or config(), parts),
            _read,
            lambda: _missing(name),
            f"{architecture.application}, ImageNet, by keras.applications",
            architecture.channels,
        )
    )


for _name, _architecture in ARCHITECTURES.items():
    _register(_name, _architecture)
