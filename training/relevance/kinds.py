"""Learn kinds of things from pictures without labels: neighbours are to be of one kind, and all kinds are to occur.

This is the clustering of Van Gansbeke et al., "SCAN: Learning to classify images without labels" (2020), with several
heads, each of which finds other kinds. It teaches what a whitening cannot: a picture that is near several kinds is of
one.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from captioner.encoders.pooling import with_kinds
from captioner.frameworks import computing_in
from data.progress import progress_bar
from training.batches import whole_batches
from training.decoder.fast_ops import FusedAdamW

HEADS, KINDS = 4, 150
"""More heads, or from 100 to 300 kinds, change little (docs/training.md)."""
EPOCHS = 6
BATCH = 1024
RATE = 1e-3
SPREAD = 2.0
"""The weight of that all kinds occur equally often."""
NOISE, DROPOUT = 0.3, 0.2
WEIGHT = 0.5
"""How much all kinds together count beside the whitened vector."""


class KindsLoss(keras.losses.Loss):
    """How unlikely pairs are of one kind, less SPREAD times the entropy of the kinds; shares are (n, 2, heads, k)."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        together = ops.sum(y_pred[:, 0] * y_pred[:, 1], axis=-1)
        overall = ops.mean(y_pred, axis=(0, 1))
        entropy = -ops.sum(overall * ops.log(overall + 1e-8))
        return -ops.sum(ops.log(together + 1e-8), axis=-1) - SPREAD * entropy


def learn_kinds(whitened: np.ndarray, pairs: np.ndarray, seed: int) -> np.ndarray:
    """Return kinds float32 (HEADS, d, KINDS), as `Pooling` has them, for pictures `whitened` (n, d).

    `pairs` int (m, 2) are rows of pictures that likely show the same.
    """
    keras.utils.set_random_seed(seed)
    scale = float(whitened.std())
    inputs = (whitened / scale).astype(np.float32)
    model = _model(inputs.shape[1])
    batch = min(BATCH, len(pairs))
    with progress_bar(total=EPOCHS * (len(pairs) // batch), desc="kinds of things", unit="batch") as bar:
        for rows, _ in whole_batches(len(pairs), batch, EPOCHS, seed):
            bar.set_postfix(loss=f"{float(model.train_on_batch(inputs[pairs[rows]], np.zeros(batch))):.2f}")
            bar.update()
    (weights,) = model.get_weights()
    return np.ascontiguousarray(weights.reshape(-1, HEADS, KINDS).transpose(1, 0, 2) / scale)


def _model(dimensions: int) -> keras.Model:
    with computing_in("float32"):
        pictures = x = keras.Input((2, dimensions))
        x = layers.Dropout(DROPOUT)(layers.GaussianNoise(NOISE)(x))
        start = keras.initializers.RandomNormal(stddev=dimensions**-0.5)
        x = layers.Dense(HEADS * KINDS, use_bias=False, kernel_initializer=start)(x)
        model = keras.Model(pictures, layers.Softmax()(layers.Reshape((2, HEADS, KINDS))(x)))
    model.compile(FusedAdamW(RATE, weight_decay=1e-4), KindsLoss(), jit_compile=False)
    return model


def learn_mixing(whitened: np.ndarray, kinds: np.ndarray, dimensions: int) -> np.ndarray:
    """Return the mixing float32 (d + heads * k, dimensions) of `Pooling` that keeps most of the cosines of `whitened`.

    Kinds count WEIGHT of the whitened vector; what remains are the first uncentred principal axes.
    """
    weights = np.ones(whitened.shape[1] + kinds.shape[0] * kinds.shape[2])
    weights[whitened.shape[1] :] = WEIGHT / np.sqrt(len(kinds))
    together = with_kinds(whitened, kinds) * weights
    _, axes = np.linalg.eigh(together.T @ together)
    return np.ascontiguousarray(weights[:, None] * axes[:, ::-1][:, :dimensions], np.float32)
