"""Networks of `keras.applications` with ImageNet weights, each cut before its classifier.

Keras downloads a file of weights on first use, or finds it where it has put it before; a file by hand does as well.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from captioner.encoders.base import Encoder
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

        with redirect_stdout(sys.stderr), computing_in("float32"):  # Keras tells of downloads on standard output
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

SEEN = (
    ("vgg19", "block5_conv4"),
    ("vgg16", "block5_conv3"),
    ("resnet152", "conv4_block36_1_conv"),
    ("resnet101", "conv4_block23_1_conv"),
    ("resnet50", "conv4_block6_1_conv"),
    ("efficientnetv2_s", "block6o_project_conv"),
    ("efficientnetv2_b0", "block6h_project_conv"),
    ("mobilenetv2", "block_16_project"),
    ("mobilenetv3_large", "expanded_conv_14_project"),
    ("mobilenetv3_small", "expanded_conv_10_project"),
)
"""Networks and a layer of each, so that a file of another network can be told; the first that is found counts."""
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
    layers = _layers(source)
    own = {"include_top": False, "input_shape": (config.side, config.side, 3)}
    with_classifier = any(layer.lower() in CLASSIFIERS for layer in layers)
    options: dict[str, Any] = {"include_top": True} if with_classifier else own
    try:
        trained = ARCHITECTURES[config.name].build(weights=str(source), **options)
    except Exception as error:
        raise RetroflexError(_misfit(config.name, source, layers, error)) from error
    weights = named_weights(trained)
    return _fitting(config, source, weights) if with_classifier else weights


def _downloaded(config: KerasConfig) -> keras.Model:
    architecture = ARCHITECTURES[config.name]
    try:
        return architecture.build(include_top=False, weights="imagenet", input_shape=(config.side, config.side, 3))
    except Exception as error:
        found = re.search(r"https?://\S+?(?=:? |$)", str(error))
        where = f"download {found[0]}" if found else f"get {architecture.file} ({_first_line(error)})"
        raise RetroflexError(
            f"{config.name} has no weights on this machine, and they cannot be downloaded: {where} and put it into "
            f"{_keras_folder()}, or give it by --weights {config.name}=FILE"
        ) from error


def _keras_folder() -> Path:
    """Return where Keras keeps the weights that it has downloaded."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path.home() / ".keras") / "models"


def _tensors(source: Path) -> dict[str, np.ndarray]:
    try:
        return load_file(source)
    except (OSError, SafetensorError) as error:
        raise RetroflexError(f"{source} cannot be read: {_first_line(error)}") from error


def _fitting(config: KerasConfig, source: Path, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the weights that the encoder has, of those of a file. Raises RetroflexError if they do not fit."""
    network = _network(config)
    try:
        assign(network, weights)
    except BundleError as error:
        layers = [name.rpartition("/")[0] for name in weights]
        raise RetroflexError(_misfit(config.name, source, layers, error)) from error
    return named_weights(network)


def _layers(source: Path) -> list[str]:
    """Return the names of the layers in a file of Keras; none if it has only numbers for them.

    Raises RetroflexError for a file of another kind.
    """
    import h5py

    try:
        with h5py.File(source, "r") as file:
            group = file.get("model_weights", file)
            return [one.decode() if isinstance(one, bytes) else str(one) for one in group.attrs.get("layer_names", ())]
    except OSError as error:
        raise RetroflexError(f"{source} is no file of weights that Keras reads: .h5 or .weights.h5") from error


def _misfit(name: str, source: Path, layers: Sequence[str], error: Exception) -> str:
    """Return one line that says which network the file seems to be for, if its layers tell."""
    known = {layer.replace("/", "_").lower() for layer in layers}
    seen = next((other for other, mark in SEEN if mark in known), None)
    why = f"it seems to be for {seen}" if seen and seen != name else _first_line(error)
    return f"{source} does not have the weights of {name}: {why}"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _missing(name: str) -> str:
    file = _keras_folder() / ARCHITECTURES[name].file
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
