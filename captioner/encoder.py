"""The VGG16 encoder: pictures become a grid of features and one vector, in one forward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from safetensors.numpy import load_file

from captioner.errors import BundleError
from captioner.pooling import plain_mean
from captioner.quiet import load_keras
from captioner.vgg16 import CONVOLUTIONS, preprocess
from data.errors import RetroflexError

if TYPE_CHECKING:
    import keras

Precision = Literal["float32", "mixed_bfloat16"]
LAYERS = ("block5_conv3", "block5_pool")
"""The layers whose output may be the grid: 14 x 14 cells of 224 pixels, or 7 x 7."""
IMAGENET = "imagenet"


@dataclass(frozen=True)
class EncoderConfig:
    """`side`: pictures are squeezed to side x side pixels; `layer`: the VGG16 layer whose output is the grid."""

    side: int = 224
    layer: str = LAYERS[0]

    @property
    def cells(self) -> int:
        """Cells of the grid: 49 for 224 pixels and block5_pool, or for 112 pixels and block5_conv3."""
        return (self.side // (32 if self.layer == "block5_pool" else 16)) ** 2


@dataclass(frozen=True)
class Features:
    """`grids` float32 (n, cells, 512) and what the encoder's pooling makes of each, `vectors` float32 (n, d)."""

    grids: np.ndarray
    vectors: np.ndarray

    @classmethod
    def joined(cls, parts: Sequence[Features]) -> Features:
        """Those of several batches, in order."""
        return cls(np.concatenate([one.grids for one in parts]), np.concatenate([one.vectors for one in parts]))


class Encoder:
    """Keras' VGG16 without top, cut after the layer whose output is the grid."""

    def __init__(
        self,
        config: EncoderConfig,
        weights: Mapping[str, np.ndarray],
        precision: Precision,
        pooling: Callable[[np.ndarray], np.ndarray] = plain_mean,
    ) -> None:
        """`weights` are named as Keras names VGG16's (`block1_conv1/kernel`). Raises BundleError on a misfit.

        `pooling` makes L2-normalised vectors (n, d) of grids (n, cells, 512).
        """
        self.config = config
        self.precision = precision
        self._pooling = pooling
        self._model = build_vgg16(config, precision)
        assign(self._model, weights)
        self._model.make_predict_function()  # now, so that threads do not each make one

    def encode(self, pictures: np.ndarray) -> Features:
        """Encode uint8 RGB pictures (n, side, side, 3)."""
        grids = np.asarray(self._model.predict_on_batch(preprocess(pictures)), np.float32)
        grids = grids.reshape(len(grids), -1, grids.shape[-1])
        return Features(grids, self._pooling(grids))


def best_precision() -> Precision:
    """`mixed_bfloat16` where the processor multiplies bfloat16 matrices in hardware, else `float32`."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return "float32"
    return "mixed_bfloat16" if "amx_bf16" in flags or "avx512_bf16" in flags else "float32"


@contextmanager
def computing_in(precision: Precision) -> Iterator[None]:
    """Layers made in this context compute in `precision`; their weights are float32 in any case."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def build_vgg16(config: EncoderConfig, precision: Precision) -> keras.Model:
    """Return VGG16 cut after `config.layer`, with untrained weights."""
    load_keras()
    import keras

    with computing_in(precision):
        vgg16 = keras.applications.VGG16(include_top=False, weights=None, input_shape=(config.side, config.side, 3))
    return keras.Model(vgg16.input, vgg16.get_layer(config.layer).output)


def assign(model: keras.Model, weights: Mapping[str, np.ndarray]) -> None:
    """Load VGG16 kernels and biases by name. Raises BundleError where one is missing or misshapen."""
    for variable in model.weights:
        name = variable_name(variable)
        if name not in weights or weights[name].shape != tuple(variable.shape):
            found = weights[name].shape if name in weights else "nothing"
            raise BundleError(f"encoder weight {name} should have shape {tuple(variable.shape)}, found {found}")
        variable.assign(weights[name])


def encoder_weights(model: keras.Model) -> dict[str, np.ndarray]:
    """The weights under the names that `assign` takes, float32."""
    import keras

    return {variable_name(one): np.asarray(keras.ops.convert_to_numpy(one), np.float32) for one in model.weights}


def variable_name(variable: keras.Variable) -> str:
    """The layer's name and the variable's own, as in `block1_conv1/kernel`."""
    return "/".join(variable.path.split("/")[-2:])


def load_vgg16_weights(source: str) -> dict[str, np.ndarray]:
    """VGG16's convolution weights from `imagenet` (Keras downloads and caches them) or a Keras weights file.

    A file may be `.h5`, `.weights.h5` or `.keras`, with or without the classifier top, or `.safetensors` whose tensors
    are named as `block1_conv1/kernel`. Raises RetroflexError.
    """
    load_keras()
    import keras

    if source != IMAGENET and not Path(source).is_file():
        raise RetroflexError(
            f"encoder weights {source}: no such file (give 'bundled', 'imagenet' or a Keras VGG16 file)"
        )
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
        raise RetroflexError(f"encoder weights {source} cannot be loaded: {_first_line(error)}") from error
    layers = [model.get_layer(name) for name in CONVOLUTIONS]
    return {f"{layer.name}/{one.name}": np.asarray(one.numpy()) for layer in layers for one in layer.weights}


def _named(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The convolutions among `tensors`, float32. Raises KeyError, with the name, where one is missing."""
    names = [f"{layer}/{part}" for layer in CONVOLUTIONS for part in ("kernel", "bias")]
    return {name: np.asarray(tensors[name], np.float32) for name in names}


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
