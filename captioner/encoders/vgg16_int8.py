"""The VGG16 encoder in 8-bit products, run by OpenVINO (the extra `fast`): about twice as fast as Keras on CPUs.

Kernels are int8 with a scale per output channel, as a bundle keeps them. Activations are uint8 with a scale per layer,
fixed once by `calibrate_activations`. The first convolution and the grid are float32.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from threading import local
from typing import TYPE_CHECKING, Any

import numpy as np

from captioner.encoders.base import Features
from captioner.encoders.keras_network import assign
from captioner.encoders.pooling import plain_mean
from captioner.encoders.vgg16 import (
    BLOCKS,
    CHANNEL_MEANS,
    CONVOLUTIONS,
    VGG16Config,
    build_vgg16,
    preprocess,
)
from captioner.errors import BundleError
from captioner.frameworks import as_if_missing
from captioner.quantise import to_levels
from data.progress import progress_bar

if TYPE_CHECKING:
    import openvino

THREADS = 2
"""Unless OMP_NUM_THREADS allows fewer, as in a worker of a cluster."""
BATCH = 1
"""Pictures that are encoded at once: 8 take 110 MB more, 32 take 500 MB more, and neither is faster."""
CALIBRATED_AT_ONCE = 8
"""Pictures whose activations Keras computes at once."""


def why_not_int8(activations: Mapping[str, float]) -> str | None:
    """Return why a bundle with these `activations` is encoded by Keras on this machine, None if int8 is faster.

    Measured on x86-64 processors with AVX-512 VNNI and, by limiting the instruction set, with AVX2 only.
    """
    if not activations:
        return "the bundle has no scales of activations"
    if find_spec("openvino") is None:
        return "OpenVINO is missing: pip install '.[fast]'"
    if platform.machine() not in ("x86_64", "AMD64") or not _has_avx2():
        return "the processor is not known to have AVX2"
    return None


def _has_avx2() -> bool:
    try:
        return " avx2 " in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False


class Int8VGG16:
    """Like `captioner.encoders.vgg16.KerasVGG16`, with products of 8 bits; several threads may encode at once."""

    step = 1
    """A picture alone takes as long as one of 32, see `captioner.pipeline.PictureEncoder`."""

    def __init__(
        self,
        config: VGG16Config,
        weights: Mapping[str, np.ndarray],
        activations: Mapping[str, float],
        pooling: Callable[[np.ndarray], np.ndarray] = plain_mean,
        model_version: str = "",
    ) -> None:
        """`weights` are named as for `KerasVGG16`, `activations` come from `calibrate_activations`.

        Raises BundleError if one is missing or misshapen.
        """
        self.config, self.name, self.side = config, config.name, config.side
        self.model_version = model_version
        self._pooling = pooling
        self._model = _compile(_build(config, weights, activations))
        self._requests = local()

    def encode(self, pictures: np.ndarray) -> Features:
        """Encode uint8 RGB pictures (n, side, side, 3)."""
        if not hasattr(self._requests, "own"):
            self._requests.own = self._model.create_infer_request()
        pictures = np.ascontiguousarray(pictures)
        parts = [self._infer(pictures[start : start + BATCH]) for start in range(0, max(1, len(pictures)), BATCH)]
        grids = np.concatenate(parts)
        return Features(self._pooling(grids), grids)

    def _infer(self, pictures: np.ndarray) -> np.ndarray:
        grids = self._requests.own.infer([pictures])[0]
        return np.asarray(grids.reshape(len(grids), -1, grids.shape[-1])).copy()


def calibrate_activations(
    config: VGG16Config, weights: Mapping[str, np.ndarray], pictures: np.ndarray
) -> dict[str, float]:
    """Return each convolution's largest output, the mean over uint8 RGB `pictures` (n, side, side, 3).

    Some hundred photographs suffice. Needs Keras, not OpenVINO. Raises BundleError on a misfit of `weights`.
    """
    model = build_vgg16(config, "float32")
    assign(model, weights)
    import keras

    names = _quantised(config)
    largest = [keras.layers.GlobalMaxPooling2D()(model.get_layer(name).output) for name in names]
    taps = keras.Model(model.input, keras.ops.stack([keras.ops.max(output, axis=1) for output in largest], axis=1))
    starts = progress_bar(range(0, len(pictures), CALIBRATED_AT_ONCE), desc="ranges of activations", unit="batch")
    maxima = np.concatenate(
        [taps.predict_on_batch(preprocess(pictures[start : start + CALIBRATED_AT_ONCE])) for start in starts]
    )
    return dict(zip(names, map(float, maxima.mean(axis=0)), strict=True))


def _layers(config: VGG16Config) -> Iterator[str]:
    """Yield the names of VGG16's layers up to `config.layer`."""
    for block, (convolutions, _) in enumerate(BLOCKS, 1):
        for name in (*(f"block{block}_conv{conv}" for conv in range(1, convolutions + 1)), f"block{block}_pool"):
            yield name
            if name == config.layer:
                return


def _quantised(config: VGG16Config) -> list[str]:
    """Return the convolutions with uint8 output: all but the last, which makes the grid."""
    return [name for name in _layers(config) if name in CONVOLUTIONS][:-1]


def load_openvino() -> None:
    """Import OpenVINO without its model converter, which reports its use over the network."""
    with as_if_missing("openvino.tools.ovc"):
        import openvino  # noqa: F401


def _build(config: VGG16Config, weights: Mapping[str, np.ndarray], activations: Mapping[str, float]) -> openvino.Model:
    """Build the network from uint8 pictures (n, side, side, 3) to float32 grids (n, height, width, channels)."""
    load_openvino()
    import openvino
    from openvino import opset13 as ops

    pictures = ops.parameter([-1, config.side, config.side, 3], np.uint8)
    means = np.array(CHANNEL_MEANS[::-1], np.float32).reshape(1, 3, 1, 1)
    x = ops.transpose(ops.convert(pictures, "f32"), ops.constant(np.array([0, 3, 1, 2])))
    x = ops.subtract(x, ops.constant(means))
    to_bytes = _quantised(config)
    for name in _layers(config):
        if name not in CONVOLUTIONS:
            x = ops.max_pool(x, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2], "floor").output(0)
            continue
        x = _convolution(x, name, weights)
        if name in to_bytes:
            x = _as_bytes(x, _scale_of(name, activations))
    grid = ops.transpose(x, ops.constant(np.array([0, 2, 3, 1])))
    return openvino.Model([grid], [pictures], "vgg16")


def _convolution(x: Any, name: str, weights: Mapping[str, np.ndarray]) -> Any:
    """Add a convolution and its ReLU. The first is float32 and reads RGB, while VGG16's weights are for BGR."""
    from openvino import opset13 as ops

    try:
        kernel, bias = weights[f"{name}/kernel"], weights[f"{name}/bias"]
    except KeyError as error:
        raise BundleError(f"encoder weight {error.args[0]} is missing") from error
    if name == CONVOLUTIONS[0]:
        kernel = kernel[:, :, ::-1]
    levels, scale = to_levels(kernel, 8)
    constant = ops.constant(np.ascontiguousarray(levels.transpose(3, 2, 0, 1)))
    scaled = ops.multiply(ops.convert(constant, "f32"), ops.constant(scale.reshape(-1, 1, 1, 1)))
    product = ops.convolution(x, scaled, [1, 1], [1, 1], [1, 1], [1, 1])
    return ops.relu(ops.add(product, ops.constant(bias.astype(np.float32).reshape(1, -1, 1, 1))))


def _scale_of(name: str, activations: Mapping[str, float]) -> float:
    largest = activations.get(name)
    if largest is None or not 0 < largest < np.inf:
        raise BundleError(f"activations: {name} should have a positive number, found {largest}")
    return largest


def _as_bytes(x: Any, largest: float) -> Any:
    """Round to 256 levels of 0 to `largest`; OpenVINO turns this into integer arithmetic."""
    from openvino import opset13 as ops

    low, high = ops.constant(np.float32(0)), ops.constant(np.float32(largest))
    return ops.fake_quantize(x, low, high, low, high, 256)


def _compile(model: openvino.Model) -> openvino.CompiledModel:
    import openvino

    settings = {
        "INFERENCE_PRECISION_HINT": "f32",  # of what is not integer
        "INFERENCE_NUM_THREADS": min(THREADS, int(os.environ.get("OMP_NUM_THREADS") or THREADS)),
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,
    }
    return openvino.Core().compile_model(model, "CPU", settings)
