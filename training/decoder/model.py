"""The decoder for training: `captioner.decoder` in Keras, parallel over the words of a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers, ops

from captioner.decoder import DecoderConfig
from captioner.frameworks import Precision, computing_in
from captioner.vocabulary import PAD
from training.decoder.fast_ops import ByteDropout, inverse_index, move_rows
from training.decoder.lstm import Lstm

GRID_DROPOUT = 0.1
WORD_DROPOUT = 0.1
OUTPUT_DROPOUT = 0.25
SPREAD = keras.initializers.RandomNormal(stddev=0.15)
"""Initial word vectors. With a fifth of it, Keras' default, a decoder takes an epoch to tell words apart."""


class DecoderModel(keras.Model):
    """Maps grids (n, cells, channels), words (n, captions, steps) and positions (m,) to logits (m, vocabulary).

    `positions` are the indices of the flattened words whose successors are predicted, so that padding costs nothing
    after the LSTM; the number of all words means none. All captions of a picture share one pass over its grid. The
    layers have the names and shapes of `DecoderConfig.shapes`.
    """

    def __init__(self, config: DecoderConfig, dropout: float = 1.0) -> None:
        """`dropout` is a factor of the default dropout."""
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
        grids, words, positions = inputs
        visual = self.visual(self.grid_dropout(self.grid_norm(grids), training=training))
        return self.decode(visual, words, positions, training)

    def decode(self, visual: Any, words: Any, positions: Any, training: bool | None = None) -> Any:
        """Return logits as `call` does, from cells (n, cells, attention), which are not negative."""
        _, captions, steps = words.shape
        mean = ops.mean(visual, axis=1)
        hidden, cell = ops.split(ops.repeat(self.initial(mean), captions, axis=0), 2, axis=-1)
        glance = ops.repeat(self.glance(mean), captions, axis=0)[:, None]
        words = ops.reshape(words, (-1, steps))
        embedded = self.word_dropout(self.embedding(words), training=training)
        hidden = self.lstm(embedded + glance, hidden, cell, _lengths(words))
        count = ops.shape(words)[0] * steps
        predicted = _Positions(positions, inverse_index(positions, count), captions * steps)
        hidden = move_rows(ops.reshape(hidden, (-1, self.config.units)), predicted.index, predicted.inverse)
        attended = ops.concatenate([hidden, self._attend(visual, hidden, predicted)], axis=-1)
        output = self.output_layer(self.dropout(attended, training=training))
        output = self.dropout(output, training=training)
        if self.words:
            return self.word_bias(self.words(output))
        return self.word_bias(ops.matmul(output, ops.transpose(self.embedding.embeddings)))

    def _attend(self, visual: Any, hidden: Any, positions: _Positions) -> Any:
        """Attend with hidden states (m, units) at `positions` to cells (n, cells, attention); return (m, attention)."""
        query = self.query(hidden) * self.config.attention**-0.5
        on_cells = positions.flat(ops.matmul(positions.by_picture(query), ops.transpose(visual, (0, 2, 1))))
        if self.sentinel is None:
            return positions.flat(ops.matmul(positions.by_picture(ops.softmax(on_cells)), visual))
        sentinel = self.sentinel(hidden)
        on_sentinel = ops.sum(query * sentinel, axis=-1, keepdims=True)
        share = ops.softmax(ops.concatenate([on_cells, on_sentinel], axis=-1))
        attended = positions.flat(ops.matmul(positions.by_picture(share[:, :-1]), visual))
        return attended + share[:, -1:] * sentinel


class _Positions(NamedTuple):
    """The `index` (m,) of the predicted words among all flattened ones, its `inverse`, and the words of a picture."""

    index: Any
    inverse: Any
    words: int

    def by_picture(self, rows: Any) -> Any:
        """Return rows (m, d) at their positions, (n, words, d), with zeros elsewhere."""
        return ops.reshape(move_rows(rows, self.inverse, self.index), (-1, self.words, rows.shape[-1]))

    def flat(self, by_picture: Any) -> Any:
        """Undo `by_picture`."""
        return move_rows(ops.reshape(by_picture, (-1, by_picture.shape[-1])), self.index, self.inverse)


def _lengths(words: Any) -> Any:
    """Return the length of each row of `words` (rows, steps) without its padding, (rows,)."""
    positions = ops.arange(1, words.shape[1] + 1, dtype="int32")
    return ops.max(ops.where(words == PAD, 0, positions), axis=1)


class _Bias(layers.Layer):
    """A trained bias for each word."""

    def build(self, shape: tuple[int, ...]) -> None:
        self.bias = self.add_weight(name="bias", shape=(shape[-1],), initializer="zeros")

    def call(self, inputs: Any) -> Any:
        return inputs + self.bias


class CaptionLoss(keras.losses.Loss):
    """Label-smoothed cross-entropy of each word, (m,) numbers against (m, vocabulary) logits.

    The losses are summed with the sample weights of the words, which are 0 for padding.
    """

    def __init__(self, smoothing: float, temperature: float = 1.0) -> None:
        super().__init__(name="caption_loss", reduction="sum")
        self.smoothing, self.temperature = smoothing, temperature

    def call(self, y_true: Any, y_pred: Any) -> Any:
        expected = ops.cast(y_true, "int32")
        return ops.custom_gradient(lambda logits: self._losses(expected, logits))(y_pred)

    def _losses(self, expected: Any, logits: Any) -> tuple[Any, Any]:
        """Return the losses and their gradient; written by hand, it takes half the passes over the logits."""
        words, precise = logits.shape[-1], ops.cast(logits, "float32") / self.temperature
        share = ops.softmax(precise)
        # The likeliest word's share never underflows, so the logarithm of the sum of exponentials is computed from it.
        total = ops.max(precise, axis=-1) - ops.log(ops.max(share, axis=-1))
        rows = ops.arange(ops.shape(expected)[0], dtype="int32")
        on_expected = ops.take(ops.reshape(precise, (-1,)), rows * words + expected)
        losses = total - (1 - self.smoothing) * on_expected - self.smoothing * ops.mean(precise, axis=-1)

        def gradient(*given: Any, upstream: Any = None) -> Any:
            upstream = given[0] if upstream is None else upstream
            change = (share - self.smoothing / words) * upstream[:, None]
            there = ops.take(ops.reshape(change, (-1,)), rows * words + expected)
            positions = ops.stack([rows, expected], axis=1)
            change = ops.scatter_update(change, positions, there - (1 - self.smoothing) * upstream)
            return ops.cast(change / self.temperature, logits.dtype)

        return losses, gradient


def build_decoder_model(
    config: DecoderConfig, cells: int, precision: Precision = "float32", dropout: float = 1.0
) -> DecoderModel:
    """Return a built model with the sizes of `config` and grids of `cells` cells. Weights are always float32."""
    with computing_in(precision):
        model = DecoderModel(config, dropout)
        model((np.zeros((1, cells, config.grid_channels), "f4"), np.zeros((1, 1, 2), "i4"), np.zeros(1, "i4")))
    return model


def set_word_priors(model: DecoderModel, counts: np.ndarray) -> None:
    """Set the word bias of an untrained model to the frequencies of words in `counts` (vocabulary,)."""
    model.word_bias.bias.assign(np.log((counts + 0.5) / (counts.sum() + 0.5 * len(counts))))


def get_weights(model: DecoderModel) -> dict[str, np.ndarray]:
    """Return the weights under the names that `captioner.decoder.Decoder` reads, float32."""
    weights = {_name(variable): np.asarray(ops.convert_to_numpy(variable), np.float32) for variable in model.weights}
    return {name: weights[name] for name in model.config.shapes()}


def set_weights(model: DecoderModel, weights: Mapping[str, np.ndarray]) -> None:
    """Load weights under the names of `DecoderConfig.shapes`."""
    for variable in model.weights:
        if _name(variable) in weights:
            variable.assign(weights[_name(variable)])


def _name(variable: Any) -> str:
    """Return `lstm/kernel` for `decoder/lstm/kernel`."""
    parts = variable.path.split("/")
    return f"{parts[1]}/{parts[-1]}"
