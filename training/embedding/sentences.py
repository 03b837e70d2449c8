"""Sentences for training the text encoders: sampled, shortened, and converted to numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from captioner.embedding import MAX_PIECES, buckets_of
from captioner.vocabulary import PAD, UNKNOWN, Vocabulary
from training.texts import Caption

STEPS = 16
"""The first words of a caption are used; nearly all captions are shorter."""
SHORT = 0.3
"""The share of captions that are reduced to a few of their words, like typed queries."""
SHORT_WORDS = (2, 7)
SPELT_ONLY = 0.1
"""The share of vocabulary words that are read by their pieces alone, to train the pieces for unknown words."""
ROUND = 1024
"""The distinct words of a batch are padded to a multiple of this, so that few shapes occur."""


class WordBatch(NamedTuple):
    """A batch: `words` (..., STEPS) int32 are indices of the distinct words; index 0 is padding.

    The distinct words have `numbers` (u,) and `pieces` (u, MAX_PIECES).
    """

    words: list[np.ndarray]
    numbers: np.ndarray
    pieces: np.ndarray


class Lexicon:
    """All words of the training captions, with their numbers in the vocabulary and their pieces."""

    def __init__(self, vocabulary: Vocabulary, buckets: int) -> None:
        self._vocabulary, self._buckets = vocabulary, buckets
        self._rows: dict[str, int] = {}
        self._numbers: list[int] = [PAD]
        self._pieces: list[tuple[int, ...]] = [()]

    def rows(self, caption: Caption) -> np.ndarray:
        """Return the lexicon's rows of a caption's words, without unknown words that have no pieces."""
        return np.array([row for row in (self._row(word) for word in caption) if row != PAD], np.int32)

    def _row(self, word: str) -> int:
        row = self._rows.get(word)
        if row is None:
            (number,) = self._vocabulary.encode([word])
            row = PAD if number == UNKNOWN and not self._buckets else len(self._numbers)
            if row != PAD:
                self._numbers.append(number)
                self._pieces.append(buckets_of(word, self._buckets) if self._buckets else ())
            self._rows[word] = row
        return row

    def read(self, drawn: Sequence[np.ndarray], random: np.random.Generator) -> WordBatch:
        """Convert the lexicon rows (..., STEPS) of a batch to indices of its distinct words."""
        flat = np.concatenate([[PAD], *(one.ravel() for one in drawn)])
        rows, indices = np.unique(flat, return_inverse=True)
        numbers = np.full(-(-len(rows) // ROUND) * ROUND, PAD, np.int32)
        numbers[: len(rows)] = [self._numbers[row] for row in rows]
        pieces = np.zeros((len(numbers), MAX_PIECES), np.int32)
        if self._buckets:
            for index, row in enumerate(rows):
                own = self._pieces[row]
                pieces[index, : len(own)] = own
            spelt = (random.random(len(numbers)) < SPELT_ONLY) & (numbers != PAD)
            numbers[spelt] = UNKNOWN
        ends = np.cumsum([one.size for one in drawn])[:-1]
        parts = np.split(indices[1:].astype(np.int32), ends)
        return WordBatch([part.reshape(one.shape) for part, one in zip(parts, drawn, strict=True)], numbers, pieces)


def draw(captions: Sequence[np.ndarray], count: int, random: np.random.Generator) -> np.ndarray:
    """Draw lexicon rows of `count` captions of a picture, int32 (count, STEPS), padded; some are shortened."""
    drawn = np.full((count, STEPS), PAD, np.int32)
    for row, index in zip(drawn, random.permutation(max(count, len(captions))), strict=False):
        words = captions[index % len(captions)][:STEPS]
        if random.random() < SHORT:
            words = words[np.sort(random.permutation(len(words))[: random.integers(*SHORT_WORDS)])]
        row[: len(words)] = words
    return drawn
