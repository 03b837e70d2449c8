"""The decoder as it is trained: the Keras twin of `captioner.decoder`, parallel over the words of a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from captioner.decoder import DecoderConfig
from captioner.encoder import Precision
from captioner.vocabulary import PAD

GRID_DROPOUT = 0.2
WORD_DROPOUT = 0.2
OUTPUT_DROPOUT = 0.5


class DecoderModel(keras.Model):
    """Grids (n, cells, channels) and words (n, captions, steps) to logits (n, captions, steps, vocabulary).

    All captions of a picture share one pass over its grid. The layers' names and shapes are those of
    `DecoderConfig.shapes`.
    """

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__(name="decoder")
        self.config = config
        self.grid_norm = layers.LayerNormalization(epsilon=1e-3, name="grid_norm")
        self.visual = layers.Dense(config.attention, activation="relu", name="visual")
        self.initial = layers.Dense(2 * config.units, activation="tanh", name="initial")
        self.glance = layers.Dense(config.embedding, use_bias=False, name="glance")
        self.embedding = layers.Embedding(config.vocabulary, config.embedding, name="embedding")
        self.lstm = layers.LSTM(config.units, return_sequences=True, name="lstm")
        self.query = layers.Dense(config.attention, use_bias=False, name="query")
        self.sentinel = layers.Dense(config.attention, activation="tanh", name="sentinel")
        self.output_layer = layers.Dense(config.embedding, activation="tanh", name="output")
        self.word_bias = _Bias(name="word_bias")
        self.grid_dropout = layers.Dropout(GRID_DROPOUT)
        self.word_dropout = layers.Dropout(WORD_DROPOUT)
        self.dropout = layers.Dropout(OUTPUT_DROPOUT)

    def call(self, inputs: tuple[Any, Any], training: bool | None = None) -> Any:
        grids, words = inputs
        _, captions, steps = words.shape
        units = self.config.units
        visual = self.visual(self.grid_dropout(self.grid_norm(grids), training=training))
        mean = ops.mean(visual, axis=1)
        start = ops.split(ops.repeat(self.initial(mean), captions, axis=0), 2, axis=-1)
        glance = ops.repeat(self.glance(mean), captions, axis=0)[:, None]
        embedded = self.word_dropout(self.embedding(ops.reshape(words, (-1, steps))), training=training)
        hidden = self.lstm(embedded + glance, initial_state=start)
        hidden = ops.reshape(hidden, (-1, captions * steps, units))
        attended = self._attend(visual, hidden)
        output = self.output_layer(self.dropout(ops.concatenate([hidden, attended], axis=-1), training=training))
        # Flat rows: TensorFlow multiplies a 3-D tensor by a matrix several times slower.
        output = ops.reshape(self.dropout(output, training=training), (-1, self.config.embedding))
        logits = self.word_bias(ops.matmul(output, ops.transpose(self.embedding.embeddings)))
        return ops.reshape(logits, (-1, captions, steps, self.config.vocabulary))

    def _attend(self, visual: Any, hidden: Any) -> Any:
        sentinel, query = self.sentinel(hidden), self.query(hidden) * self.config.attention**-0.5
        on_sentinel = ops.sum(query * sentinel, axis=-1, keepdims=True)
        on_cells = ops.matmul(query, ops.transpose(visual, (0, 2, 1)))
        share = ops.softmax(ops.concatenate([on_cells, on_sentinel], axis=-1))
        return ops.matmul(share[..., :-1], visual) + share[..., -1:] * sentinel


class _Bias(layers.Layer):
    """One learnt number a word."""

    def build(self, shape: tuple[int, ...]) -> None:
        self.bias = self.add_weight(name="bias", shape=(shape[-1],), initializer="zeros")

    def call(self, inputs: Any) -> Any:
        return inputs + self.bias


class CaptionLoss(keras.losses.Loss):
    """Cross-entropy a word, label-smoothed, averaged over the words that are no padding."""

    def __init__(self, smoothing: float) -> None:
        super().__init__(name="caption_loss", reduction="sum")
        self.smoothing = smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        logits = ops.cast(y_pred, "float32")
        right = ops.sparse_categorical_crossentropy(y_true, logits, from_logits=True)
        every = ops.logsumexp(logits, axis=-1) - ops.mean(logits, axis=-1)
        loss = (1 - self.smoothing) * right + self.smoothing * every
        mask = ops.cast(ops.not_equal(y_true, PAD), "float32")
        return loss * mask / ops.maximum(ops.sum(mask), 1.0)


def build_decoder_model(config: DecoderConfig, cells: int, precision: Precision = "float32") -> DecoderModel:
    """Return a built model; sizes come from `config`, the grid has `cells` cells. Weights are float32 in any case."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        model = DecoderModel(config)
        model((np.zeros((1, cells, config.grid_channels), "f4"), np.zeros((1, 1, 2), "i4")))
    finally:
        keras.config.set_dtype_policy(before)
    return model


def get_weights(model: DecoderModel) -> dict[str, np.ndarray]:
    """The weights under the names that `captioner.decoder.Decoder` reads, float32."""
    found = {_name(one): np.asarray(one.numpy(), np.float32) for one in model.weights}
    return {name: found[name] for name in model.config.shapes()}


def set_weights(model: DecoderModel, weights: Mapping[str, np.ndarray]) -> None:
    """Load weights under the names of `DecoderConfig.shapes`."""
    for variable in model.weights:
        if _name(variable) in weights:
            variable.assign(weights[_name(variable)])


def _name(variable: Any) -> str:
    """`decoder/lstm/lstm_cell/kernel` becomes `lstm/kernel`."""
    parts = variable.path.split("/")
    return f"{parts[1]}/{parts[-1]}"
