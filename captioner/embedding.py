"""The space that pictures and sentences share, in NumPy: a sentence lies near the pictures that it describes.

A picture's grid of VGG features is pooled by attention, a sentence's words by maxima over single words and pairs, and
both are projected to one sphere (two-branch embedding, after Wang, Li and Lazebnik 2016). Several such pairs of
encoders, trained from different seeds, stand side by side; the cosine of the whole is the mean of theirs. They are
trained by `training.embedding_model`, whose Keras layers bear the same names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from captioner.vocabulary import UNKNOWN, Vocabulary

MAX_WORDS = 40
"""Further words of a query are not read."""


@dataclass(frozen=True)
class EmbeddingConfig:
    """Sizes of `members` pairs of encoders; `dimensions` are each member's, `heads` must divide `units`."""

    vocabulary: int
    members: int = 3
    channels: int = 512
    word: int = 200
    units: int = 384
    heads: int = 8
    dimensions: int = 192

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
    """Both encoders of every member at rest, weights named MEMBER/NAME, and the words that sentences are read by."""

    config: EmbeddingConfig
    weights: Mapping[str, np.ndarray]
    vocabulary: Vocabulary


class PictureEmbedder:
    """Grids to places in the shared space."""

    def __init__(self, config: EmbeddingConfig, weights: Mapping[str, np.ndarray]) -> None:
        """`weights` are named MEMBER/NAME, see `EmbeddingConfig.picture_shapes`. Raises ValueError on a misfit."""
        self._config = config
        self._members = [_member(weights, member, config.picture_shapes()) for member in range(config.members)]

    def embed(self, grids: np.ndarray) -> np.ndarray:
        """Return L2-normalised float32 (n, members * dimensions) of `grids` (n, cells, channels)."""
        normed = _normalise(grids.astype(np.float32), 1e-3)
        return _join([self._one(member, normed) for member in self._members])

    def _one(self, w: Mapping[str, np.ndarray], normed: np.ndarray) -> np.ndarray:
        heads, (pictures, cells, _) = self._config.heads, normed.shape
        normed = normed * w["grid_norm/gamma"] + w["grid_norm/beta"]
        seen = np.maximum(normed @ w["cells/kernel"] + w["cells/bias"], 0)
        share = np.exp(normed @ w["attention/kernel"])
        share /= share.sum(axis=1, keepdims=True)
        by_head = seen.reshape(pictures, cells, heads, -1).transpose(0, 2, 3, 1)
        attended = (by_head @ share.transpose(0, 2, 1)[..., None]).reshape(pictures, -1)
        pooled = np.concatenate([attended, seen.mean(axis=1)], axis=1)
        return pooled @ w["picture/kernel"] + w["picture/bias"]


class TextEmbedder:
    """Sentences to places in the shared space."""

    def __init__(self, config: EmbeddingConfig, weights: Mapping[str, np.ndarray], vocabulary: Vocabulary) -> None:
        """`weights` are named MEMBER/NAME, see `EmbeddingConfig.text_shapes`. Raises ValueError on a misfit."""
        self._members = [_member(weights, member, config.text_shapes()) for member in range(config.members)]
        self._vocabulary = vocabulary

    def share_known(self, tokens: Sequence[str]) -> float:
        """Return how much of a sentence is known, from 0 to 1; common words such as "a" count for little.

        A word weighs as much as the logarithm of its place among the words by frequency (Zipf: about minus the
        logarithm of its frequency); an unknown word weighs most.
        """
        numbers = np.array(self._vocabulary.encode(tokens), np.float64)
        known = numbers != UNKNOWN
        weights = np.log(np.where(known, numbers, len(self._vocabulary)))
        return float(weights[known].sum() / weights.sum()) if len(weights) else 0.0

    def embed(self, tokens: Sequence[str]) -> np.ndarray | None:
        """Return L2-normalised float32 (members * dimensions,) of a sentence cut into words, None if none is known."""
        numbers = [number for number in self._vocabulary.encode(tokens) if number != UNKNOWN][:MAX_WORDS]
        if not numbers:
            return None
        return _join([_read(member, numbers)[None] for member in self._members])[0]


def _read(w: Mapping[str, np.ndarray], numbers: Sequence[int]) -> np.ndarray:
    words = w["words/embeddings"][numbers]
    single = np.maximum(words @ w["single/kernel"] + w["single/bias"], 0)
    pairs = words @ w["first/kernel"] + w["first/bias"]
    pairs[:-1] += words[1:] @ w["second/kernel"]
    whole = words.sum(axis=0) / np.sqrt(len(numbers))
    pooled = np.concatenate([whole, single.max(axis=0), np.maximum(pairs, 0).max(axis=0)])
    return np.asarray(pooled @ w["sentence/kernel"] + w["sentence/bias"])


def _member(weights: Mapping[str, np.ndarray], member: int, shapes: Mapping[str, tuple[int, ...]]) -> dict:
    own = {name: weights.get(f"{member}/{name}") for name in shapes}
    for name, shape in shapes.items():
        found = own[name]
        if found is None or found.shape != shape:
            there = "nothing" if found is None else found.shape
            raise ValueError(f"embedding weight {member}/{name} should have shape {shape}, found {there}")
    return own


def _normalise(x: np.ndarray, epsilon: float) -> np.ndarray:
    x = x - x.mean(axis=-1, keepdims=True)
    return np.asarray(x / np.sqrt(np.mean(np.square(x), axis=-1, keepdims=True) + epsilon))


def _join(members: Sequence[np.ndarray]) -> np.ndarray:
    """Put the members' unit vectors side by side and bring the whole to length 1."""
    units = [one / np.maximum(np.linalg.norm(one, axis=1, keepdims=True), 1e-12) for one in members]
    return np.concatenate(units, axis=1).astype(np.float32) / np.float32(len(members) ** 0.5)
