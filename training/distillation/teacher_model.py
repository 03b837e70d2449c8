"""The teachers as Keras models, which answer in batches on any back end: TensorFlow, JAX or PyTorch.

The quantised file's weights are dequantised; activations are float32 and not rounded to eight bits, so the
answers differ a little from the TFLite interpreter's (`tests/training/test_teacher_model.py` holds how far).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from captioner.encoder import computing_in
from training.distillation.teacher import CELLS, INPUT_SIDE, LOGITS, POOLED
from training.distillation.tflite import not_a_teacher, read_tflite


class KerasTeachers:
    """One or several MobileNetV2; see `training.distillation.teacher.Teachers` for what they answer together."""

    def __init__(self, paths: Sequence[Path]) -> None:
        """Read `.tflite` files or what `training.distillation.tflite` made of them. Raises RetroflexError."""
        models = [_checked(path) for path in paths]
        inputs = keras.Input((INPUT_SIDE, INPUT_SIDE, 3), name="pictures")
        answers = [model(inputs) for model in models]
        shares = [keras.ops.log_softmax(logits) for logits, _ in answers]
        logits = keras.ops.logsumexp(keras.ops.stack(shares), axis=0) - float(np.log(len(shares)))
        self._model = keras.Model(inputs, [logits, answers[0][1]], name="teachers")

    def answer(self, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (logits, maps), float32 (n, 1001) and (n, 49, 1280), for RGB (n, 224, 224, 3) of 0 to 255."""
        logits, maps = self._model.predict_on_batch(pictures.astype(np.float32))
        return np.asarray(logits), np.asarray(maps)


def build_teacher(weights: Mapping[str, np.ndarray]) -> keras.Model:
    """Return one teacher: pictures, float RGB of 0 to 255 (n, 224, 224, 3), to logits (n, 1001) and map (n, 49, 1280).

    `weights` are what `tflite.read_tflite` gives. Raises KeyError or ValueError where they do not fit.
    """
    with computing_in("float32"):
        inputs = keras.Input((INPUT_SIDE, INPUT_SIDE, 3))
        scale, zero = float(weights["input/scale"].item()), float(weights["input/zero"].item())
        scaled = keras.layers.Rescaling(scale, -zero * scale)(inputs)
        network = keras.applications.MobileNetV2(
            input_shape=(INPUT_SIDE, INPUT_SIDE, 3), weights=None, classes=LOGITS, classifier_activation=None
        )
        _fill(network, weights)
        network = keras.Model(network.input, [network.output, network.get_layer("out_relu").output])
        logits, grid = network(scaled)
        return keras.Model(inputs, [logits, keras.layers.Reshape((CELLS, POOLED))(grid)])


def _fill(network: keras.Model, weights: Mapping[str, np.ndarray]) -> None:
    """Batch normalisation is folded into a TFLite file's kernels; what is left of it is the bias."""
    kinds = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
    convolutions = [layer for layer in network.layers if isinstance(layer, kinds)]
    norms = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for number, (convolution, norm) in enumerate(zip(convolutions, norms, strict=True)):
        kernel, bias = weights[f"{number:02d}/kernel"], weights[f"{number:02d}/bias"]
        convolution.set_weights([kernel])
        ones = np.ones_like(bias)
        norm.set_weights([ones, bias, 0 * ones, (1 - norm.epsilon) * ones])
    last = f"{len(convolutions):02d}"
    network.get_layer("predictions").set_weights([weights[f"{last}/kernel"][0, 0], weights[f"{last}/bias"]])


def _checked(path: Path) -> keras.Model:
    try:
        return build_teacher(read_tflite(path) if path.suffix == ".tflite" else load_file(path))
    except (SafetensorError, KeyError, ValueError, IndexError) as error:
        raise not_a_teacher(path) from error
