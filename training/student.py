"""The encoder as it is trained: VGG16 with batch normalisation and the teacher's heads.

The student reads what the plain VGG16 reads (`captioner.vgg16.preprocess`), divided by 127.5 so that
its first layer trains well. `fold` turns it into the kernels and biases of the plain VGG16.
"""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np

from captioner.vgg16 import BLOCKS, CHANNEL_MEANS, CONVOLUTIONS
from training.batchnorm import FusedBatchNormalization
from training.teacher import LOGITS, POOLED

SCALE = 127.5
EPSILON = 1e-3

Weights = dict[str, np.ndarray]


def build_student(width: float, side: int) -> keras.Model:
    """Return a VGG16 of `width` times the usual channels; pictures (n, side, side, 3) to (pooled, logits).

    The pooled vector is the average of the last convolution's grid, so the grid cells that the decoder
    attends to are what the teacher's lesson shapes.
    """
    x = inputs = keras.Input((side, side, 3), name="pictures")
    x = keras.layers.Rescaling(1 / SCALE, name="rescaling")(x)
    for block, (convolutions, channels) in enumerate(BLOCKS, 1):
        if block > 1:
            x = keras.layers.MaxPooling2D(name=f"block{block - 1}_pool")(x)
        for conv in range(1, convolutions + 1):
            name = f"block{block}_conv{conv}"
            x = keras.layers.Conv2D(int(channels * width), 3, padding="same", use_bias=False, name=name)(x)
            x = FusedBatchNormalization(epsilon=EPSILON, name=_norm_of(name))(x)
            x = keras.layers.ReLU(name=f"{name}_relu")(x)
    x = keras.layers.GlobalAveragePooling2D(name="vector")(x)
    x = keras.layers.Dense(1024, activation="relu", name="fc")(x)
    pooled = keras.layers.Dense(POOLED, activation="relu", name="emb")(x)
    pooled = keras.layers.Activation("linear", dtype="float32", name="pooled")(pooled)
    logits = keras.layers.Dense(LOGITS, name="lg")(pooled)
    logits = keras.layers.Activation("linear", dtype="float32", name="logits")(logits)
    return keras.Model(inputs, [pooled, logits], name="student")


def _norm_of(conv: str) -> str:
    return conv.replace("_conv", "_bn")


def get_weights(student: keras.Model) -> Weights:
    """Return the student's variables as `layer/variable` to array."""
    return {f"{layer.name}/{one.name}": np.asarray(one.numpy()) for layer in student.layers for one in layer.weights}


def set_weights(student: keras.Model, weights: Mapping[str, np.ndarray]) -> None:
    """Load what `get_weights` gave, or a head start in the same naming. Raises KeyError or ValueError."""
    for layer in student.layers:
        for variable in layer.weights:
            variable.assign(weights[f"{layer.name}/{variable.name}"].astype(np.float32))


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


def widen(weights: Mapping[str, np.ndarray], noise: float, seed: int) -> Weights:
    """Double every channel without changing the function (Net2Net, Chen et al. 2016).

    Each output channel is copied and each input's weight shared between the twins; `noise`, relative to
    a kernel's spread, parts the twins so that training can make them differ.
    """
    random = np.random.default_rng(seed)
    wider: Weights = {}
    for name, value in weights.items():
        layer = name.split("/")[0]
        value = value.astype(np.float32)
        if layer.startswith("block") and value.ndim == 4:
            if layer != "block1_conv1":
                value = np.concatenate([value, value], axis=2) / 2
            value = np.concatenate([value, value], axis=3)
            value = value * (1 + noise * random.standard_normal(value.shape).astype(np.float32))
        elif layer.startswith("block"):
            value = np.concatenate([value, value])
        elif name == "fc/kernel":
            value = np.concatenate([value, value], axis=0) / 2
        wider[name] = value
    return wider


def fold(weights: Mapping[str, np.ndarray]) -> Weights:
    """Fold batch normalisation and the input scale into plain VGG16 kernels and biases, float32.

    kernel' = kernel * gamma / sqrt(variance + epsilon); bias' = beta - mean * gamma / sqrt(variance + epsilon).
    """
    folded: Weights = {}
    for name in CONVOLUTIONS:
        norm = {key: weights[f"{_norm_of(name)}/{key}"] for key in ("gamma", "beta", "moving_mean", "moving_variance")}
        gain = norm["gamma"] / np.sqrt(norm["moving_variance"] + EPSILON)
        kernel = weights[f"{name}/kernel"] * gain
        folded[f"{name}/kernel"] = (kernel / SCALE if name == "block1_conv1" else kernel).astype(np.float32)
        folded[f"{name}/bias"] = (norm["beta"] - norm["moving_mean"] * gain).astype(np.float32)
    return folded
