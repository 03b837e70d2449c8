"""One pair of encoders of `captioner.embedding` as it is trained: the Keras twin, over padded words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from captioner.embedding import EmbeddingConfig
from captioner.encoder import Precision, computing_in, variable_name
from captioner.vocabulary import PAD

GRID_DROPOUT = 0.2
WORD_DROPOUT = 0.2
POOLED_DROPOUT = 0.2
TEMPERATURE = 0.05


class EmbeddingModel(keras.Model):
    """Grids (n, cells, channels) and words (n, captions, steps) to cosines (n, n * captions), float32."""

    def __init__(self, config: EmbeddingConfig) -> None:
        super().__init__(name="embedding")
        self.config = config
        self.grid_norm = layers.LayerNormalization(epsilon=1e-3, name="grid_norm")
        self.cells = layers.Dense(config.units, activation="relu", name="cells")
        self.attention = layers.Dense(config.heads, use_bias=False, name="attention")
        self.picture = layers.Dense(config.dimensions, name="picture")
        self.words = layers.Embedding(config.vocabulary, config.word, name="words")
        self.single = layers.Dense(config.units, activation="relu", name="single")
        self.first = layers.Dense(config.units, name="first")
        self.second = layers.Dense(config.units, use_bias=False, name="second")
        self.sentence = layers.Dense(config.dimensions, name="sentence")
        self.grid_dropout = layers.Dropout(GRID_DROPOUT)
        self.word_dropout = layers.Dropout(WORD_DROPOUT)
        self.pooled_dropout = layers.Dropout(POOLED_DROPOUT)

    def call(self, inputs: tuple[Any, Any], training: bool | None = None) -> Any:
        grids, words = inputs
        pictures = self.embed_pictures(grids, training)
        sentences = self.embed_words(ops.reshape(words, (-1, words.shape[-1])), training)
        return ops.matmul(pictures, ops.transpose(sentences))

    def embed_pictures(self, grids: Any, training: bool | None = None) -> Any:
        """Return unit vectors, float32 (n, dimensions), of grids (n, cells, channels)."""
        normed = self.grid_dropout(self.grid_norm(grids), training=training)
        seen, heads = self.cells(normed), self.config.heads
        share = ops.cast(ops.softmax(ops.cast(self.attention(normed), "float32"), axis=1), seen.dtype)
        by_head = ops.reshape(seen, (-1, seen.shape[1], heads, self.config.units // heads))
        attended = ops.reshape(ops.sum(by_head * share[..., None], axis=1), (-1, self.config.units))
        pooled = ops.concatenate([attended, ops.mean(seen, axis=1)], axis=-1)
        return _unit(self.picture(self.pooled_dropout(pooled, training=training)))

    def embed_words(self, words: Any, training: bool | None = None) -> Any:
        """Return unit vectors, float32 (m, dimensions), of padded words (m, steps)."""
        there = ops.cast(ops.expand_dims(words != PAD, -1), self.compute_dtype)
        read = self.word_dropout(self.words(words), training=training) * there
        single = ops.max(self.single(read) * there, axis=1)
        following = ops.pad(self.second(read)[:, 1:], ((0, 0), (0, 1), (0, 0)))
        pairs = ops.max(ops.relu(self.first(read) + following) * there, axis=1)
        whole = ops.sum(read, axis=1) / ops.sqrt(ops.maximum(ops.sum(there, axis=1), 1))
        pooled = ops.concatenate([whole, single, pairs], axis=-1)
        return _unit(self.sentence(self.pooled_dropout(pooled, training=training)))

    def meet(self, weights: Mapping[str, np.ndarray]) -> None:
        """Take over a trained pair's `weights`, without the member's number; only pictures go on learning."""
        for variable in self.weights:
            variable.assign(weights[variable_name(variable)])
        for layer in (self.words, self.single, self.first, self.second, self.sentence):
            layer.trainable = False


def _unit(x: Any) -> Any:
    x = ops.cast(x, "float32")
    return x / (ops.norm(x, axis=-1, keepdims=True) + 1e-6)


class ContrastiveLoss(keras.losses.Loss):
    """Symmetric softmax loss (Radford et al. 2021, InfoNCE) of cosines (n, n * captions), (n,).

    The captions of picture i are the columns i * captions and on. A picture is picked among all by each of its
    captions; a caption, beside the captions of other pictures only, by its picture. Hard negatives weigh most by
    themselves, as the softmax is sharp.
    """

    def __init__(self) -> None:
        super().__init__(name="contrastive_loss", reduction="mean_with_sample_weight")

    def call(self, y_true: Any, y_pred: Any) -> Any:
        scores = y_pred / TEMPERATURE
        pictures = scores.shape[0]
        captions = scores.shape[1] // pictures
        own = ops.repeat(ops.eye(pictures), captions, axis=1)
        of_pictures = ops.sum(own * ops.log_softmax(scores, axis=0), axis=1)
        others = ops.logsumexp(scores - 1e9 * own, axis=1, keepdims=True)
        of_captions = ops.sum(own * (scores - ops.logaddexp(scores, others)), axis=1)
        return -(of_pictures + of_captions) / captions


def build_embedding_model(config: EmbeddingConfig, cells: int, precision: Precision = "float32") -> EmbeddingModel:
    """Return a built model; the grid has `cells` cells. Weights are float32 in any case."""
    with computing_in(precision):
        model = EmbeddingModel(config)
        model((np.zeros((2, cells, config.channels), "f4"), np.ones((2, 1, 3), "i4")))
    return model


def get_embedding_weights(model: EmbeddingModel) -> dict[str, np.ndarray]:
    """The weights under the names that `captioner.embedding` reads, without the member's number."""
    found = {variable_name(one): np.asarray(ops.convert_to_numpy(one), np.float32) for one in model.weights}
    return {name: found[name] for name in {**model.config.picture_shapes(), **model.config.text_shapes()}}
