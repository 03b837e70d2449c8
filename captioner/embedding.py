"""The space that pictures and sentences share, in NumPy: a sentence lies near the pictures that it describes.

A picture's grid of VGG features is pooled by attention, a sentence's words by maxima over single words and pairs, and
both are projected to one sphere (two-branch embedding, after Wang, Li and Lazebnik 2016). Several such pairs of
encoders, trained from different seeds, are joined; the cosine of the whole is the mean of theirs.
`training.embedding.model` trains them, with Keras layers of the same names.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from captioner.arithmetic import Arithmetic, Exact, centred, inverse_deviation, unit
from captioner.vocabulary import SPECIAL, UNKNOWN, Vocabulary

TABLES = "/embeddings"
"""The end of the names of tables with a row for each word or piece."""
MAX_WORDS = 40
"""Words of a query that are read."""


@dataclass(frozen=True)
class EmbeddingConfig:
    """Sizes of `members` pairs of encoders; `dimensions` are each member's, `heads` must divide `units`.

    `pool` says how many cells of a grid's edge are averaged to one first: 2 makes 5 x 5 cells of 10 x 10.
    """

    vocabulary: int
    channels: int
    members: int = 3
    word: int = 200
    units: int = 384
    heads: int = 8
    dimensions: int = 192
    pool: int = 1
    buckets: int = 0

    def picture_shapes(self) -> dict[str, tuple[int, ...]]:
        """The name and shape of every weight of one member's picture encoder."""
        return {
            "grid_norm/gamma": (self.channels,),
            "grid_norm/beta": (self.channels,),
            "cells/kernel": (self.channels, self.units),
            "cells/bias": (self.units,),
            "attention/kernel": (self.channels, self.heads),
            "picture/kernel": (2 * self.units, self.dimensions),
            "picture/bias": (self.dimensions,),
        }

    def text_shapes(self) -> dict[str, tuple[int, ...]]:
        """The name and shape of every weight of one member's text encoder."""
        return {
            "words/embeddings": (self.vocabulary, self.word),
            **({"grams/embeddings": (self.buckets, self.word)} if self.buckets else {}),
            "single/kernel": (self.word, self.units),
            "single/bias": (self.units,),
            "first/kernel": (self.word, self.units),
            "first/bias": (self.units,),
            "second/kernel": (self.word, self.units),
            "sentence/kernel": (self.word + 2 * self.units, self.dimensions),
            "sentence/bias": (self.dimensions,),
        }


@dataclass(frozen=True)
class Embedding:
    """The weights of both encoders of every member, named MEMBER/NAME, and the words of the text encoder.

    Those whose names end with TABLES may be `captioner.quantise.Rows`.
    `sentences` (m, members * dimensions): vectors of usual sentences, see `hubness`. `synonyms` uint16 (vocabulary, k):
    for each word the numbers of words of captions that mean nearly the same, nearest first, filled up with 0.
    """

    config: EmbeddingConfig
    weights: Mapping[str, Any]
    vocabulary: Vocabulary
    sentences: np.ndarray
    synonyms: np.ndarray | None = None


NEIGHBOURS = 10


def hubness(vectors: np.ndarray, sentences: np.ndarray) -> np.ndarray:
    """Return float32 (n,): how near the usual `sentences` (m, e) come to pictures, by their `vectors` (n, e).

    This is the mean cosine of the NEIGHBOURS nearest. A picture near many sentences is a hub, so its cosine to one
    sentence says less (cross-domain similarity local scaling, Conneau et al. 2018).
    """
    cosines = vectors.astype(np.float32) @ sentences.T
    nearest = np.partition(cosines, -min(NEIGHBOURS, len(sentences)), axis=1)[:, -NEIGHBOURS:]
    return np.asarray(nearest.mean(axis=1))


def coarsen(grids: np.ndarray, pool: int) -> np.ndarray:
    """Average squares of `pool` x `pool` cells of square grids (n, cells, channels), float32; odd edges are cut."""
    pictures, cells, channels = grids.shape
    edge, coarse = int(cells**0.5), int(cells**0.5) // pool
    squares = grids.reshape(pictures, edge, edge, channels)[:, : coarse * pool, : coarse * pool]
    squares = squares.reshape(pictures, coarse, pool, coarse, pool, channels)
    return np.asarray(squares.mean(axis=(2, 4), dtype=np.float32).reshape(pictures, coarse**2, channels))


class PictureEmbedder:
    """Grids to vectors in the shared space."""

    def __init__(
        self, config: EmbeddingConfig, weights: Mapping[str, np.ndarray], arithmetic: Arithmetic | None = None
    ) -> None:
        """`weights` are named MEMBER/NAME, see `EmbeddingConfig.picture_shapes`; products are exact by default.

        Raises ValueError on a misfit.
        """
        self._config, self._arithmetic = config, arithmetic or Exact()
        members = [member_weights(weights, member, config.picture_shapes()) for member in range(config.members)]
        # One product serves all members and includes the mean, gain and offset of the normalisation.
        gains = [(w["grid_norm/gamma"], np.concatenate([w["cells/kernel"], w["attention/kernel"]], 1)) for w in members]
        kernels = [gain[:, None] * kernel for gain, kernel in gains]
        self._kernel = self._arithmetic.prepare(centred(np.concatenate(kernels, axis=1)))
        self._bias = np.concatenate([_bias(w, kernel) for w, (_, kernel) in zip(members, gains, strict=True)])
        self._out = [(w["picture/kernel"], w["picture/bias"]) for w in members]

    def embed(self, grids: np.ndarray) -> np.ndarray:
        """Return L2-normalised float32 (n, members * dimensions) of `grids` (n, cells, channels)."""
        coarse = coarsen(grids, self._config.pool)
        pictures, cells, channels = coarse.shape
        flat = coarse.reshape(-1, channels)
        products = self._arithmetic.matmul(flat, self._kernel)
        products *= inverse_deviation(flat)
        products += self._bias
        products = products.reshape(pictures, cells, -1)
        parts = np.split(products, self._config.members, axis=2)
        return join_members(
            [self._pool(part) @ kernel + bias for part, (kernel, bias) in zip(parts, self._out, strict=True)]
        )

    def _pool(self, products: np.ndarray) -> np.ndarray:
        """Return cells pooled by attention, each head for a part of their units, and their mean: (n, 2 * units)."""
        cells, share = np.maximum(products[..., : self._config.units], 0), np.exp(products[..., self._config.units :])
        share /= share.sum(axis=1, keepdims=True)
        by_head = cells.reshape(*cells.shape[:2], self._config.heads, -1)
        attended = np.einsum("nchu,nch->nhu", by_head, share).reshape(len(cells), -1)
        return np.concatenate([attended, cells.mean(axis=1)], axis=1)


PIECES = (3, 4, 5)
MAX_PIECES = 24
"""Pieces of a word that are read."""


@lru_cache(2**16)
def buckets_of(word: str, buckets: int) -> tuple[int, ...]:
    """Return the buckets, from 1 to `buckets` - 1, of a word's pieces; 0 means no piece.

    So an unknown word is read by the spelling that it shares with known ones: Bojanowski and others 2017, "Enriching
    Word Vectors with Subword Information". The ends of the word are marked.
    """
    marked = f"<{word}>"
    pieces = [marked[start : start + size] for size in PIECES for start in range(len(marked) - size + 1)]
    return tuple(1 + zlib.crc32(piece.encode()) % (buckets - 1) for piece in pieces[:MAX_PIECES])


class TextEmbedder:
    """Sentences to vectors in the shared space."""

    def __init__(
        self,
        config: EmbeddingConfig,
        weights: Mapping[str, Any],
        vocabulary: Vocabulary,
        synonyms: np.ndarray | None = None,
    ) -> None:
        """`weights` are named MEMBER/NAME, see `EmbeddingConfig.text_shapes`; `synonyms` as in `Embedding`.

        Raises ValueError on a misfit.
        """
        self._members = [member_weights(weights, member, config.text_shapes()) for member in range(config.members)]
        self._vocabulary, self._buckets, self._synonyms = vocabulary, config.buckets, synonyms

    def synonyms(self, word: str) -> list[str]:
        """Return words of captions that mean nearly the same as `word`, in any language; nearest first."""
        (number,) = self._vocabulary.read([word])
        if self._synonyms is None or number == UNKNOWN:
            return []
        return self._vocabulary.decode(synonym for synonym in self._synonyms[number].tolist() if synonym)

    @property
    def words(self) -> tuple[str, ...]:
        """All words that the encoder met, in any language, most frequent first."""
        return self._vocabulary.words

    def known_share(self, tokens: Sequence[str]) -> float:
        """Return how much of a sentence is known, from 0 to 1; common words such as "a" count for little.

        A word weighs as much as the logarithm of its rank among the words by frequency (Zipf: about minus the
        logarithm of its frequency); an unknown word weighs most.
        """
        numbers = np.array(self._vocabulary.read(tokens), np.float64)
        known = numbers != UNKNOWN
        weights = np.log(np.where(known, numbers, len(self._vocabulary)))
        return float(weights[known].sum() / weights.sum()) if len(weights) else 0.0

    def embed(self, tokens: Sequence[str]) -> np.ndarray | None:
        """Return L2-normalised float32 (members * dimensions,) of a sentence's words, None if none is known.

        Unknown words are read by their spelling, if the members do so.
        """
        read = zip(self._vocabulary.read(tokens), tokens, strict=True)
        words = [(number, word) for number, word in read if number != UNKNOWN or self._buckets][:MAX_WORDS]
        if not words:
            return None
        return join_members([_read(member, self._word_vectors(member, words))[None] for member in self._members])[0]

    def _word_vectors(self, w: Mapping[str, np.ndarray], words: Sequence[tuple[int, str]]) -> np.ndarray:
        """Return a member's vector of each word, (n, word)."""
        vectors = w["words/embeddings"][[number for number, _ in words]]
        for row, (number, word) in enumerate(words):
            if number == UNKNOWN:
                vectors[row] = w["grams/embeddings"][list(buckets_of(word, self._buckets))].mean(axis=0)
        return vectors


def _read(w: Mapping[str, np.ndarray], words: np.ndarray) -> np.ndarray:
    single = np.maximum(words @ w["single/kernel"] + w["single/bias"], 0)
    first, second = words @ w["first/kernel"] + w["first/bias"], words @ w["second/kernel"]
    return np.asarray(pool_words(words, single, first, second) @ w["sentence/kernel"] + w["sentence/bias"])


def pool_words(words: np.ndarray, single: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Pool n words, read `single` and as `first` and `second` of a pair, to one vector of the sentence."""
    pairs = first.copy()
    pairs[:-1] += second[1:]
    whole = words.sum(axis=0) / math.sqrt(len(words))
    return np.concatenate([whole, single.max(axis=0), np.maximum(pairs, 0).max(axis=0)])


def member_weights(weights: Mapping[str, np.ndarray], member: int, shapes: Mapping[str, tuple[int, ...]]) -> dict:
    """Return one member's weights without its number. Raises ValueError on a misfit."""
    own = {name: weights.get(f"{member}/{name}") for name in shapes}
    for name, shape in shapes.items():
        array = own[name]
        if array is None or array.shape != shape:
            actual = "nothing" if array is None else array.shape
            raise ValueError(f"embedding weight {member}/{name} should have shape {shape}, found {actual}")
    return own


def _bias(w: Mapping[str, np.ndarray], kernel: np.ndarray) -> np.ndarray:
    """Return what the offsets of normalisation and cells add to a member's product; attention has no offset."""
    bias = w["grid_norm/beta"] @ kernel
    bias[: len(w["cells/bias"])] += w["cells/bias"]
    return np.asarray(bias)


def join_members(members: Sequence[np.ndarray]) -> np.ndarray:
    """Join the members' unit vectors to one vector of length 1."""
    return np.concatenate([unit(member) for member in members], axis=1).astype(np.float32) / np.float32(
        len(members) ** 0.5
    )


class CaptionEmbedder:
    """Captions, as numbers of the decoder's words, to vectors: `TextEmbedder`, each word read once for all captions.

    The likeliest caption of a beam search often fits many pictures; the shared space favours the one that fits this
    picture (docs/training.md says what that gains).
    """

    def __init__(self, embedding: Embedding, vocabulary: Vocabulary) -> None:
        """`vocabulary` is the decoder's. Raises ValueError where the embedding's weights do not fit."""
        sizes = embedding.config
        self._numbers = np.array([UNKNOWN] * len(SPECIAL) + embedding.vocabulary.read(vocabulary.words))
        self._known = self._numbers != UNKNOWN
        self._members = [
            member_weights(embedding.weights, member, sizes.text_shapes()) for member in range(sizes.members)
        ]
        self._parts = np.cumsum([sizes.word, sizes.units, sizes.units])

    def cosines(self, captions: np.ndarray, pictures: np.ndarray) -> np.ndarray:
        """Cosines float32 (n, h) of captions int (n, h, steps) to their `pictures`, vectors (n, e); 0 for none."""
        rows = captions.reshape(-1, captions.shape[2])
        read = [row[self._known[row]] for row in rows]
        not_empty = np.array([len(words) > 0 for words in read])
        cosines = np.zeros(len(rows), np.float32)
        if not_empty.any():
            own_pictures = np.repeat(pictures, captions.shape[1], axis=0)[not_empty]
            cosines[not_empty] = np.einsum(
                "me,me->m", self._embed([words for words in read if len(words)]), own_pictures
            )
        return cosines.reshape(captions.shape[:2])

    def _embed(self, read: list[np.ndarray]) -> np.ndarray:
        """Vectors (m, e) of captions that say something."""
        distinct, rows = np.unique(np.concatenate(read), return_inverse=True)
        captions = np.split(rows, np.cumsum([len(words) for words in read])[:-1])
        return join_members([self._embed_by(member, self._numbers[distinct], captions) for member in self._members])

    def _embed_by(self, member: dict[str, Any], numbers: np.ndarray, captions: list[np.ndarray]) -> np.ndarray:
        """A member's vectors (m, dimensions) of captions, each the rows of its words among `numbers`."""
        table = _table(member, numbers)
        pooled = np.stack([pool_words(*np.split(table[words], self._parts, axis=1)) for words in captions])
        return np.asarray(pooled @ member["sentence/kernel"] + member["sentence/bias"])


def _table(w: dict[str, np.ndarray], numbers: np.ndarray) -> np.ndarray:
    """Return what `pool_words` takes of each word, joined: (words, word + 3 units)."""
    words = w["words/embeddings"][numbers]
    single = np.maximum(words @ w["single/kernel"] + w["single/bias"], 0)
    return np.concatenate(
        [words, single, words @ w["first/kernel"] + w["first/bias"], words @ w["second/kernel"]], axis=1
    )
