"""A pair of encoders for training: `captioner.embedding` in Keras, over padded words."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from captioner.embedding import EmbeddingConfig, buckets_of
from captioner.frameworks import Precision, computing_in, variable_name
from captioner.vocabulary import PAD, SPECIAL, UNKNOWN, Vocabulary

GRID_DROPOUT = 0.2
WORD_DROPOUT = 0.2
POOLED_DROPOUT = 0.2
TEMPERATURE = 0.05


class EmbeddingModel(keras.Model):
    """Maps grids and sentences to cosines: `pictures` (n, n * captions + 2 * m) and `texts` (m, m), float32.

    The inputs are grids (n, cells, channels), words (n, captions, steps), pairs of texts without pictures (m, 2,
    steps), and the distinct words of the batch: numbers (u,) and pieces (u, most), see `captioner.embedding`. Words are
    indices of distinct words; index 0 is padding.
    """

    def __init__(self, config: EmbeddingConfig) -> None:
        super().__init__(name="embedding")
        self.config = config
        self.grid_norm = layers.LayerNormalization(epsilon=1e-3, name="grid_norm")
        self.cells = layers.Dense(config.units, activation="relu", name="cells")
        self.attention = layers.Dense(config.heads, use_bias=False, name="attention")
        self.picture = layers.Dense(config.dimensions, name="picture")
        self.words = layers.Embedding(config.vocabulary, config.word, name="words", dtype="float32")
        self.grams = (
            layers.Embedding(config.buckets, config.word, name="grams", dtype="float32") if config.buckets else None
        )
        self.single = layers.Dense(config.units, activation="relu", name="single")
        self.first = layers.Dense(config.units, name="first")
        self.second = layers.Dense(config.units, use_bias=False, name="second")
        self.sentence = layers.Dense(config.dimensions, name="sentence")
        self.grid_dropout = layers.Dropout(GRID_DROPOUT)
        self.word_dropout = layers.Dropout(WORD_DROPOUT)
        self.pooled_dropout = layers.Dropout(POOLED_DROPOUT)

    def call(self, inputs: tuple[Any, ...], training: bool | None = None) -> dict[str, Any]:
        grids, words, pairs, numbers, pieces = inputs
        vectors, steps = self.read_words(numbers, pieces), words.shape[-1]
        texts = ops.concatenate([ops.reshape(words, (-1, steps)), ops.reshape(pairs, (-1, steps))])
        sentences = self.embed_words(texts, vectors, training)
        pictures = self.embed_pictures(grids, training)
        apart = ops.reshape(sentences[words.shape[0] * words.shape[1] :], (-1, 2, self.config.dimensions))
        return {
            "pictures": ops.matmul(pictures, ops.transpose(sentences)),
            "texts": ops.matmul(apart[:, 0], ops.transpose(apart[:, 1])),
        }

    def set_pictures_trainable(self, trainable: bool) -> None:
        """Set whether the layers for pictures are trained."""
        for layer in (self.grid_norm, self.cells, self.attention, self.picture):
            layer.trainable = trainable

    def embed_pictures(self, grids: Any, training: bool | None = None) -> Any:
        """Return unit vectors, float32 (n, dimensions), of grids (n, cells, channels)."""
        normed = self.grid_dropout(self.grid_norm(grids), training=training)
        cells, heads = self.cells(normed), self.config.heads
        share = ops.cast(ops.softmax(ops.cast(self.attention(normed), "float32"), axis=1), cells.dtype)
        by_head = ops.reshape(cells, (-1, cells.shape[1], heads, self.config.units // heads))
        attended = ops.reshape(ops.sum(by_head * share[..., None], axis=1), (-1, self.config.units))
        pooled = ops.concatenate([attended, ops.mean(cells, axis=1)], axis=-1)
        return _unit(self.picture(self.pooled_dropout(pooled, training=training)))

    def read_words(self, numbers: Any, pieces: Any) -> Any:
        """Return vectors, (u, word), of words with `numbers` (u,) and `pieces` (u, most); that of padding is zero."""
        own = ops.cast(ops.expand_dims((numbers != UNKNOWN) & (numbers != PAD), -1), "float32")
        vectors = self.words(numbers) * own
        if self.grams is not None:
            there = ops.cast(ops.expand_dims(pieces != 0, -1), "float32")
            vectors += ops.sum(self.grams(pieces) * there, axis=1) / ops.maximum(ops.sum(there, axis=1), 1)
        return vectors

    def embed_words(self, words: Any, vectors: Any, training: bool | None = None) -> Any:
        """Return unit vectors, float32 (m, dimensions), of padded words (m, steps), indices of `vectors` (u, word)."""
        there = ops.cast(ops.expand_dims(words != PAD, -1), self.compute_dtype)
        read = self.word_dropout(ops.take(vectors, words, axis=0), training=training) * there
        single = ops.max(self.single(read) * there, axis=1)
        following = ops.pad(self.second(read)[:, 1:], ((0, 0), (0, 1), (0, 0)))
        pairs = ops.max(ops.relu(self.first(read) + following) * there, axis=1)
        whole = ops.sum(read, axis=1) / ops.sqrt(ops.maximum(ops.sum(there, axis=1), 1))
        pooled = ops.concatenate([whole, single, pairs], axis=-1)
        return _unit(self.sentence(self.pooled_dropout(pooled, training=training)))


class TextPairs(keras.Model):
    """The text half of an `EmbeddingModel`: maps pairs (m, 2, steps) and distinct words to cosines (m, m)."""

    def __init__(self, whole: EmbeddingModel) -> None:
        super().__init__(name="reading")
        self.whole = whole

    def call(self, inputs: tuple[Any, Any, Any], training: bool | None = None) -> Any:
        pairs, numbers, pieces = inputs
        vectors = self.whole.read_words(numbers, pieces)
        sentences = self.whole.embed_words(ops.reshape(pairs, (-1, pairs.shape[-1])), vectors, training)
        apart = ops.reshape(sentences, (-1, 2, self.whole.config.dimensions))
        return ops.matmul(apart[:, 0], ops.transpose(apart[:, 1]))


def _unit(x: Any) -> Any:
    x = ops.cast(x, "float32")
    return x / (ops.norm(x, axis=-1, keepdims=True) + 1e-6)


class ContrastiveLoss(keras.losses.Loss):
    """Symmetric softmax loss (Radford et al. 2021, InfoNCE) of cosines (n, n * captions + others), (n,).

    The captions of picture i are the columns from i * captions on; the `others` belong to no picture of the batch. Each
    caption has to pick its picture among all pictures, and each picture its caption among those of other pictures. The
    softmax is sharp, so hard negatives have the most weight.
    """

    def __init__(self, captions: int = 1) -> None:
        super().__init__(name="contrastive_loss", reduction="mean_with_sample_weight")
        self.captions = captions

    def call(self, y_true: Any, y_pred: Any) -> Any:
        scores = y_pred / TEMPERATURE
        pictures, columns = scores.shape
        own = ops.repeat(ops.eye(pictures), self.captions, axis=1)
        own = ops.pad(own, ((0, 0), (0, columns - pictures * self.captions)))
        of_pictures = ops.sum(own * ops.log_softmax(scores, axis=0), axis=1)
        others = ops.logsumexp(scores - 1e9 * own, axis=1, keepdims=True)
        of_captions = ops.sum(own * (scores - ops.logaddexp(scores, others)), axis=1)
        return -(of_pictures + of_captions) / self.captions


def build_embedding_model(config: EmbeddingConfig, cells: int, precision: Precision = "float32") -> EmbeddingModel:
    """Return a built model; the grid has `cells` cells. Weights are always float32."""
    with computing_in(precision):
        model = EmbeddingModel(config)
        words, distinct = np.ones((2, 1, 3), "i4"), (np.zeros(2, "i4"), np.zeros((2, 1), "i4"))
        model((np.zeros((2, cells, config.channels), "f4"), words, np.ones((2, 2, 3), "i4"), *distinct))
    return model


def get_embedding_weights(model: EmbeddingModel, vocabulary: Vocabulary) -> dict[str, np.ndarray]:
    """Return the weights under the names that `captioner.embedding` reads, without the member's number.

    The vectors of the pieces of a vocabulary word are added to the vector of the word.
    """
    weights = {variable_name(one): np.asarray(ops.convert_to_numpy(one), np.float32) for one in model.weights}
    if model.grams is not None:
        table = weights["words/embeddings"] = weights["words/embeddings"].copy()
        for number, word in enumerate(vocabulary.words, len(SPECIAL)):
            table[number] += weights["grams/embeddings"][list(buckets_of(word, model.config.buckets))].mean(axis=0)
    return {name: weights[name] for name in {**model.config.picture_shapes(), **model.config.text_shapes()}}
