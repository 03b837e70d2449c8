"""Changes of a student's weights that leave its function as it was: wider, narrower, another input, no normalisation.

A plain VGG16 is thirteen `blockB_convC/kernel` and `/bias`. A student has `blockB_bnC/...` in place of the biases,
and its heads `fc`, `emb` and `lg`.
"""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np

from captioner.vgg16 import CHANNEL_MEANS, CONVOLUTIONS, FIRST
from data.errors import RetroflexError

SCALE = 127.5
EPSILON = 1e-3
LEAST_LIKENESS = 0.98
"""Twins whose kernels correlate less are two channels, and their mean is neither."""

Weights = dict[str, np.ndarray]


def norm_of(conv: str) -> str:
    """The name of the batch normalisation after a convolution."""
    return conv.replace("_conv", "_bn")


def from_rgb_unit(weights: Mapping[str, np.ndarray]) -> Weights:
    """Turn weights trained on RGB / 127.5 - 1 into weights for this student's BGR, mean-free input.

    The change of origin is a constant before the first batch normalisation, so it moves that layer's mean;
    only the picture's one-pixel border, padded with another grey, differs.
    """
    changed = dict(weights)
    kernel = weights["block1_conv1/kernel"].astype(np.float32)[:, :, ::-1, :]
    origin = np.asarray(CHANNEL_MEANS) / SCALE - 1
    changed["block1_conv1/kernel"] = kernel
    shift = np.einsum("hwio,i->o", kernel, origin)
    changed["block1_bn1/moving_mean"] = weights["block1_bn1/moving_mean"].astype(np.float32) - shift
    return changed


def widen(weights: Mapping[str, np.ndarray], seed: int) -> Weights:
    """Double every channel without changing the function (Net2Net, Chen et al. 2016).

    Each output channel is copied, and each input's weight shared between the twins that now give it: one gets
    `a` of it, the other 1 - a, where `a` is drawn from N(0.5, 0.5) within [-0.5, 1.5]. Equal shares would give the
    twins equal gradients, and a little noise parts them too slowly.
    """
    random = np.random.default_rng(seed)
    wider: Weights = {}
    for name, value in weights.items():
        layer = name.split("/")[0]
        value = value.astype(np.float32)
        if layer.startswith("block"):
            value = np.concatenate([value, value], axis=-1)
        if (layer.startswith("block") and value.ndim == 4 and layer != FIRST) or name == "fc/kernel":
            value = _share(value, random)
        wider[name] = value
    return wider


def _share(kernel: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Double the inputs of a kernel (..., in, out); each pair of channels draws its share, for filters whole."""
    share = np.clip(random.normal(0.5, 0.5, kernel.shape[-2:]), -0.5, 1.5).astype(np.float32)
    return np.concatenate([share * kernel, (1 - share) * kernel], axis=-2)


def collapse(plain: Mapping[str, np.ndarray]) -> Weights:
    """Halve every channel of a plain VGG16 whose channels are twins, undoing a `widen` that was trained little since.

    Raises RetroflexError where twins have become two different channels.
    """
    narrow: Weights = {}
    for name in CONVOLUTIONS:
        kernel = plain[f"{name}/kernel"]
        if name != FIRST:
            kernel = np.sum(np.split(kernel, 2, axis=2), axis=0)
        one, other = np.split(kernel, 2, axis=3)
        likeness = float(np.corrcoef(one.ravel(), other.ravel())[0, 1])
        if not likeness >= LEAST_LIKENESS:
            raise RetroflexError(
                f"--start cannot be halved: the twin channels of {name} correlate by {likeness:.2f}, "
                f"less than {LEAST_LIKENESS}; begin with a --stage of its own width"
            )
        narrow[f"{name}/kernel"] = (one + other) / 2
        narrow[f"{name}/bias"] = np.mean(np.split(plain[f"{name}/bias"], 2), axis=0)
    return narrow


def fold(weights: Mapping[str, np.ndarray]) -> Weights:
    """Fold batch normalisation and the input scale into plain VGG16 kernels and biases, float32.

    kernel' = kernel * gamma / sqrt(variance + epsilon); bias' = beta - mean * gamma / sqrt(variance + epsilon).
    """
    folded: Weights = {}
    for name in CONVOLUTIONS:
        norm = {key: weights[f"{norm_of(name)}/{key}"] for key in ("gamma", "beta", "moving_mean", "moving_variance")}
        gain = norm["gamma"] / np.sqrt(norm["moving_variance"] + EPSILON)
        kernel = weights[f"{name}/kernel"] * gain
        folded[f"{name}/kernel"] = (kernel / SCALE if name == FIRST else kernel).astype(np.float32)
        folded[f"{name}/bias"] = (norm["beta"] - norm["moving_mean"] * gain).astype(np.float32)
    return folded


def unfold(plain: Mapping[str, np.ndarray], pictures: np.ndarray) -> Weights:
    """Put batch normalisation back into a plain VGG16 without changing its function; the heads are not made.

    The statistics are those of `pictures` (n, side, side, 3), preprocessed. Kernels are scaled to the size that
    training starts from (He et al. 2015), so that learning rates mean what they mean from scratch.
    """
    weights: Weights = {}
    x = keras.ops.convert_to_tensor(pictures, "float32")
    for name in CONVOLUTIONS:
        kernel, bias = plain[f"{name}/kernel"].astype(np.float32), plain[f"{name}/bias"].astype(np.float32)
        if name.endswith("conv1") and name != FIRST:
            x = keras.ops.max_pool(x, 2, 2)
        x = keras.ops.conv(x, kernel, padding="same")
        mean, variance = (np.array(keras.ops.convert_to_numpy(one)) for one in keras.ops.moments(x, (0, 1, 2)))
        x = keras.ops.relu(keras.ops.add(x, bias))
        kernel = kernel * SCALE if name == FIRST else kernel
        size = np.sqrt(2 / np.maximum((kernel**2).sum(axis=(0, 1, 2)), 1e-12))
        norm, spread = norm_of(name), variance * size**2
        weights[f"{name}/kernel"] = kernel * size
        weights[f"{norm}/gamma"] = np.sqrt(spread + EPSILON) / size
        weights[f"{norm}/beta"] = mean + bias
        weights[f"{norm}/moving_mean"] = mean * size
        weights[f"{norm}/moving_variance"] = spread
    return {name: value.astype(np.float32) for name, value in weights.items()}
