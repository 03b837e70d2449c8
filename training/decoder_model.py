"""The decoder as it is trained: the Keras twin of `captioner.decoder`, parallel over the words of a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from captioner.decoder import DecoderConfig
from captioner.encoder import Precision, computing_in

GRID_DROPOUT = 0.1
WORD_DROPOUT = 0.1
OUTPUT_DROPOUT = 0.25


class DecoderModel(keras.Model):
    """Grids (n, cells, channels), words (n, captions, steps) and places (m,) to logits (m, vocabulary).

    `places` numbers the flattened words whose successors are asked for, so that padding costs nothing in the
    dearest layer. All captions of a picture share one pass over its grid. The layers' names and shapes are
    those of `DecoderConfig.shapes`.
    """

    def __init__(self, config: DecoderConfig, dropout: float = 1.0) -> None:
        """`dropout` multiplies the usual dropout."""
        super().__init__(name="decoder")
        self.config = config
        self.grid_norm = layers.LayerNormalization(epsilon=1e-3, name="grid_norm")
        self.visual = layers.Dense(config.attention, activation="relu", name="visual")
        self.initial = layers.Dense(2 * config.units, activation="tanh", name="initial")
        self.glance = layers.Dense(config.embedding, use_bias=False, name="glance")
        self.embedding = layers.Embedding(config.vocabulary, config.embedding, name="embedding")
        self.lstm = _Lstm(config.units, name="lstm")
        self.query = layers.Dense(config.attention, use_bias=False, name="query")
        self.sentinel = layers.Dense(config.attention, activation="tanh", name="sentinel")
        self.output_layer = layers.Dense(config.embedding, activation="tanh", name="output")
        self.word_bias = _Bias(name="word_bias")
        self.grid_dropout = layers.Dropout(GRID_DROPOUT * dropout)
        self.word_dropout = layers.Dropout(WORD_DROPOUT * dropout)
        self.dropout = layers.Dropout(OUTPUT_DROPOUT * dropout)

    def call(self, inputs: tuple[Any, Any, Any], training: bool | None = None) -> Any:
        grids, words, places = inputs
        _, captions, steps = words.shape
        visual = self.visual(self.grid_dropout(self.grid_norm(grids), training=training))
        mean = ops.mean(visual, axis=1)
        hidden, cell = ops.split(ops.repeat(self.initial(mean), captions, axis=0), 2, axis=-1)
        glance = ops.repeat(self.glance(mean), captions, axis=0)[:, None]
        embedded = self.word_dropout(self.embedding(ops.reshape(words, (-1, steps))), training=training)
        hidden = self.lstm(embedded + glance, hidden, cell)
        attended = self._attend(visual, ops.reshape(hidden, (-1, captions * steps, self.config.units)))
        seen = [ops.reshape(part, (-1, part.shape[-1])) for part in (hidden, attended)]
        chosen = ops.take(ops.concatenate(seen, axis=-1), places, axis=0)
        output = self.output_layer(self.dropout(chosen, training=training))
        output = self.dropout(output, training=training)
        return self.word_bias(ops.matmul(output, ops.transpose(self.embedding.embeddings)))

    def _attend(self, visual: Any, hidden: Any) -> Any:
        sentinel, query = self.sentinel(hidden), self.query(hidden) * self.config.attention**-0.5
        on_sentinel = ops.sum(query * sentinel, axis=-1, keepdims=True)
        on_cells = ops.matmul(query, ops.transpose(visual, (0, 2, 1)))
        share = ops.softmax(ops.concatenate([on_cells, on_sentinel], axis=-1))
        return ops.matmul(share[..., :-1], visual) + share[..., -1:] * sentinel


class _Lstm(layers.Layer):
    """An LSTM in Keras' gate order (input, forget, candidate, output) that returns every step.

    Keras' own multiplies each step's input by itself; here one product serves all steps, which on processors
    makes an epoch about a third shorter.
    """

    def __init__(self, units: int, name: str) -> None:
        super().__init__(name=name)
        self.units = units

    def build(self, inputs: tuple[int, ...], *states: tuple[int, ...]) -> None:
        self.kernel = self.add_weight(name="kernel", shape=(inputs[-1], 4 * self.units), initializer="glorot_uniform")
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel", shape=(self.units, 4 * self.units), initializer="orthogonal"
        )
        self.bias = self.add_weight(name="bias", shape=(4 * self.units,), initializer=_forget_nothing)

    def call(self, inputs: Any, hidden: Any, cell: Any) -> Any:
        steps = inputs.shape[1]
        by_time = ops.reshape(ops.transpose(inputs, (1, 0, 2)), (-1, inputs.shape[2]))
        gates = ops.split(ops.matmul(by_time, self.kernel) + self.bias, steps, axis=0)
        every, cell = [], ops.cast(cell, "float32")
        for now in gates:
            # Processors multiply matrices fast in bfloat16, but take exponentials fast in float32 only.
            now = ops.cast(now + ops.matmul(hidden, self.recurrent_kernel), "float32")
            enter, forget, candidate, leave = ops.split(now, 4, axis=-1)
            cell = ops.sigmoid(forget) * cell + ops.sigmoid(enter) * ops.tanh(candidate)
            hidden = ops.cast(ops.sigmoid(leave) * ops.tanh(cell), self.compute_dtype)
            every.append(hidden)
        return ops.stack(every, axis=1)


def _forget_nothing(shape: tuple[int, ...], dtype: Any = None) -> Any:
    """Bias one for the forget gate, zero for the others (Jozefowicz et al. 2015), as Keras does."""
    return ops.repeat(ops.cast([0.0, 1.0, 0.0, 0.0], dtype), shape[0] // 4)


class _Bias(layers.Layer):
    """One learnt number a word."""

    def build(self, shape: tuple[int, ...]) -> None:
        self.bias = self.add_weight(name="bias", shape=(shape[-1],), initializer="zeros")

    def call(self, inputs: Any) -> Any:
        return inputs + self.bias


class CaptionLoss(keras.losses.Loss):
    """Label-smoothed cross-entropy of each word, (m,) numbers against (m, vocabulary) logits.

    The sum is taken: the sample weights say what a word counts for, nothing where it only pads.
    """

    def __init__(self, smoothing: float) -> None:
        super().__init__(name="caption_loss", reduction="sum")
        self.smoothing = smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        logits = ops.cast(y_pred, "float32")
        words = logits.shape[-1]
        share = ops.one_hot(y_true, words) * (1 - self.smoothing) + self.smoothing / words
        return ops.categorical_crossentropy(share, logits, from_logits=True)


def build_decoder_model(
    config: DecoderConfig, cells: int, precision: Precision = "float32", dropout: float = 1.0
) -> DecoderModel:
    """Return a built model; sizes come from `config`, the grid has `cells` cells. Weights are float32 in any case."""
    with computing_in(precision):
        model = DecoderModel(config, dropout)
        model((np.zeros((1, cells, config.grid_channels), "f4"), np.zeros((1, 1, 2), "i4"), np.zeros(1, "i4")))
    return model


def get_weights(model: DecoderModel) -> dict[str, np.ndarray]:
    """The weights under the names that `captioner.decoder.Decoder` reads, float32."""
    found = {_name(one): np.asarray(ops.convert_to_numpy(one), np.float32) for one in model.weights}
    return {name: found[name] for name in model.config.shapes()}


def set_weights(model: DecoderModel, weights: Mapping[str, np.ndarray]) -> None:
    """Load weights under the names of `DecoderConfig.shapes`."""
    for variable in model.weights:
        if _name(variable) in weights:
            variable.assign(weights[_name(variable)])


def _name(variable: Any) -> str:
    """`decoder/lstm/kernel` becomes `lstm/kernel`."""
    parts = variable.path.split("/")
    return f"{parts[1]}/{parts[-1]}"
