"""The decoder as it is trained: the Keras twin of `captioner.decoder`, parallel over the words of a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers, ops

from captioner.decoder import DecoderConfig
from captioner.frameworks import Precision, computing_in
from captioner.vocabulary import PAD
from training.decoder.dropout import ByteDropout
from training.decoder.lstm import Lstm
from training.decoder.packing import move, way_back

GRID_DROPOUT = 0.1
WORD_DROPOUT = 0.1
OUTPUT_DROPOUT = 0.25
SPREAD = keras.initializers.RandomNormal(stddev=0.15)
"""Of word vectors at the start. Keras' own is a fifth of it, and then a decoder takes an epoch to tell words apart."""


class DecoderModel(keras.Model):
    """Grids (n, cells, channels), words (n, captions, steps) and places (m,) to logits (m, vocabulary).

    `places` numbers the flattened words whose successors are asked for, so that padding costs nothing behind the
    LSTM; the number of all words stands for none. All captions of a picture share one pass over its grid. The layers'
    names and shapes are those of `DecoderConfig.shapes`.
    """

    def __init__(self, config: DecoderConfig, dropout: float = 1.0) -> None:
        """`dropout` multiplies the usual dropout."""
        super().__init__(name="decoder")
        self.config = config
        self.grid_norm = layers.LayerNormalization(epsilon=1e-3, name="grid_norm")
        self.visual = layers.Dense(config.attention, activation="relu", name="visual")
        self.initial = layers.Dense(2 * config.units, activation="tanh", name="initial")
        self.glance = layers.Dense(config.embedding, use_bias=False, name="glance")
        self.embedding = layers.Embedding(config.vocabulary, config.embedding, SPREAD, name="embedding")
        self.lstm = Lstm(config.units, name="lstm")
        self.query = layers.Dense(config.attention, use_bias=False, name="query")
        self.sentinel = layers.Dense(config.attention, activation="tanh", name="sentinel") if config.sentinel else None
        self.output_layer = layers.Dense(config.embedding, activation="tanh", name="output")
        self.words = None if config.tied else layers.Dense(config.vocabulary, use_bias=False, name="words")
        self.word_bias = _Bias(name="word_bias")
        self.grid_dropout = ByteDropout(GRID_DROPOUT * dropout)
        self.word_dropout = ByteDropout(WORD_DROPOUT * dropout)
        self.dropout = ByteDropout(OUTPUT_DROPOUT * dropout)

    def call(self, inputs: tuple[Any, Any, Any], training: bool | None = None) -> Any:
        grids, words, places = inputs
        visual = self.visual(self.grid_dropout(self.grid_norm(grids), training=training))
        return self.say(visual, words, places, training)

    def say(self, visual: Any, words: Any, places: Any, training: bool | None = None) -> Any:
        """Logits as `call` gives them, of what is seen: cells (n, cells, attention), not negative."""
        _, captions, steps = words.shape
        mean = ops.mean(visual, axis=1)
        hidden, cell = ops.split(ops.repeat(self.initial(mean), captions, axis=0), 2, axis=-1)
        glance = ops.repeat(self.glance(mean), captions, axis=0)[:, None]
        words = ops.reshape(words, (-1, steps))
        embedded = self.word_dropout(self.embedding(words), training=training)
        hidden = self.lstm(embedded + glance, hidden, cell, _lengths(words))
        every = ops.shape(words)[0] * steps
        asked = _Asked(places, way_back(places, every), captions * steps)
        hidden = move(ops.reshape(hidden, (-1, self.config.units)), asked.places, asked.back)
        seen = ops.concatenate([hidden, self._attend(visual, hidden, asked)], axis=-1)
        output = self.output_layer(self.dropout(seen, training=training))
        output = self.dropout(output, training=training)
        if self.words:
            return self.word_bias(self.words(output))
        return self.word_bias(ops.matmul(output, ops.transpose(self.embedding.embeddings)))

    def _attend(self, visual: Any, hidden: Any, asked: _Asked) -> Any:
        """Visual (n, cells, attention) and hidden (m, units), of what is asked, to what is seen, (m, attention)."""
        query = self.query(hidden) * self.config.attention**-0.5
        on_cells = asked.together(ops.matmul(asked.by_picture(query), ops.transpose(visual, (0, 2, 1))))
        if self.sentinel is None:
            return asked.together(ops.matmul(asked.by_picture(ops.softmax(on_cells)), visual))
        sentinel = self.sentinel(hidden)
        on_sentinel = ops.sum(query * sentinel, axis=-1, keepdims=True)
        share = ops.softmax(ops.concatenate([on_cells, on_sentinel], axis=-1))
        attended = asked.together(ops.matmul(asked.by_picture(share[:, :-1]), visual))
        return attended + share[:, -1:] * sentinel


class _Asked(NamedTuple):
    """The `places` (m,) asked for among all flattened words, the way `back` from them, and a picture's words."""

    places: Any
    back: Any
    words: int

    def by_picture(self, rows: Any) -> Any:
        """Rows (m, d) where they belong, (n, words, d), zeros elsewhere."""
        return ops.reshape(move(rows, self.back, self.places), (-1, self.words, rows.shape[-1]))

    def together(self, every: Any) -> Any:
        """Undo `by_picture`."""
        return move(ops.reshape(every, (-1, every.shape[-1])), self.places, self.back)


def _lengths(words: Any) -> Any:
    """How far each row of `words` (rows, steps) goes before its padding begins, (rows,)."""
    places = ops.arange(1, words.shape[1] + 1, dtype="int32")
    return ops.max(ops.where(words == PAD, 0, places), axis=1)


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

    def __init__(self, smoothing: float, temperature: float = 1.0) -> None:
        super().__init__(name="caption_loss", reduction="sum")
        self.smoothing, self.temperature = smoothing, temperature

    def call(self, y_true: Any, y_pred: Any) -> Any:
        expected = ops.cast(y_true, "int32")
        return ops.custom_gradient(lambda logits: self._losses(expected, logits))(y_pred)

    def _losses(self, expected: Any, logits: Any) -> tuple[Any, Any]:
        """The losses and their gradient: written out, they take half the passes over the logits."""
        words, precise = logits.shape[-1], ops.cast(logits, "float32") / self.temperature
        share = ops.softmax(precise)
        # The likeliest word's share never underflows, so the logarithm of the sum of exponentials comes from it.
        total = ops.max(precise, axis=-1) - ops.log(ops.max(share, axis=-1))
        rows = ops.arange(ops.shape(expected)[0], dtype="int32")
        on_expected = ops.take(ops.reshape(precise, (-1,)), rows * words + expected)
        losses = total - (1 - self.smoothing) * on_expected - self.smoothing * ops.mean(precise, axis=-1)

        def gradient(*given: Any, upstream: Any = None) -> Any:
            upstream = given[0] if upstream is None else upstream
            change = (share - self.smoothing / words) * upstream[:, None]
            there = ops.take(ops.reshape(change, (-1,)), rows * words + expected)
            places = ops.stack([rows, expected], axis=1)
            change = ops.scatter_update(change, places, there - (1 - self.smoothing) * upstream)
            return ops.cast(change / self.temperature, logits.dtype)

        return losses, gradient


def build_decoder_model(
    config: DecoderConfig, cells: int, precision: Precision = "float32", dropout: float = 1.0
) -> DecoderModel:
    """Return a built model; sizes come from `config`, the grid has `cells` cells. Weights are float32 in any case."""
    with computing_in(precision):
        model = DecoderModel(config, dropout)
        model((np.zeros((1, cells, config.grid_channels), "f4"), np.zeros((1, 1, 2), "i4"), np.zeros(1, "i4")))
    return model


def expect_words(model: DecoderModel, counts: np.ndarray) -> None:
    """Let an untaught model expect each word as often as `counts` (vocabulary,) say, whatever it sees."""
    model.word_bias.bias.assign(np.log((counts + 0.5) / (counts.sum() + 0.5 * len(counts))))


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
