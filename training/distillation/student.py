"""The encoder as it is trained: VGG16 with batch normalisation and the teacher's heads.

The student reads what the plain VGG16 reads (`captioner.vgg16.preprocess`), divided by 127.5 so that
its first layer trains well. `training.distillation.surgery` turns it into the kernels and biases of the plain VGG16.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from captioner.vgg16 import BLOCKS
from training.distillation.basis import Basis
from training.distillation.batchnorm import FusedBatchNormalization
from training.distillation.surgery import EPSILON, SCALE, Weights, norm_of
from training.distillation.teacher import CELLS, LOGITS, POOLED


def build_student(width: float, side: int, basis: Basis) -> keras.Model:
    """Return a VGG16 of `width` times the usual channels; pictures (n, side, side, 3) to (pooled, logits).

    Where its grid has the teacher's 7 x 7 cells, as from 112 pixels, the map in `basis` (n, 49, 128) comes third.
    The heads work cell by cell and the pooled vector is their average, so the grid cells that the decoder
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
            x = FusedBatchNormalization(epsilon=EPSILON, name=norm_of(name))(x)
            x = keras.layers.ReLU(name=f"{name}_relu")(x)
    x = keras.layers.Reshape((-1, x.shape[-1]), name="cells")(x)
    x = keras.layers.Dense(1024, activation="relu", name="fc")(x)
    cells = keras.layers.Dense(POOLED, activation="relu", name="emb")(x)
    pooled = keras.layers.GlobalAveragePooling1D(dtype="float32", name="pooled")(cells)
    logits = keras.layers.Dense(LOGITS, name="lg")(pooled)
    outputs = [pooled, keras.layers.Activation("linear", dtype="float32", name="logits")(logits)]
    if matches_map(side):
        outputs.append(_Projection(basis, dtype="float32", name="map")(cells))
    return keras.Model(inputs, outputs, name="student")


def matches_map(side: int) -> bool:
    """Does a student of this input size have a cell for each of the teacher's?"""
    return (side // 16) ** 2 == CELLS


class _Projection(keras.layers.Layer):
    """Cells (n, cells, 1280) in a basis; it has no weights, so the student's file does not depend on the teacher."""

    def __init__(self, basis: Basis, **options: Any) -> None:
        super().__init__(**options)
        self._basis = basis

    def call(self, cells: Any) -> Any:
        offset = self._basis.mean @ self._basis.components
        return keras.ops.subtract(keras.ops.matmul(cells, self._basis.components), offset)


def get_weights(student: keras.Model) -> Weights:
    """Return the student's variables as `layer/variable` to array."""
    return {f"{layer.name}/{one.name}": np.array(one.numpy()) for layer in student.layers for one in layer.weights}


def set_weights(student: keras.Model, weights: Mapping[str, np.ndarray]) -> None:
    """Load what `get_weights` gave, or a head start in the same naming. Raises KeyError or ValueError."""
    for layer in student.layers:
        for variable in layer.weights:
            variable.assign(weights[f"{layer.name}/{variable.name}"].astype(np.float32))
