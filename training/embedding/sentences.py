"""Sentences as the text encoders read them while they learn: drawn, cut short, and as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from captioner.embedding import MOST_PIECES, buckets_of
from captioner.vocabulary import PAD, UNKNOWN, Vocabulary
from training.texts import Caption

STEPS = 16
"""Words of a caption that are read; nearly all are shorter."""
SHORT = 0.3
"""The share of captions cut down to a few of their words, as people type them."""
SHORT_WORDS = (2, 7)
SPELT_ONLY = 0.1
"""The share of known words that are read by their spelling alone, so that unknown words can be."""
ROUND = 1024
"""The words of a batch are filled up to a multiple of this, so that few shapes are met."""


class Read(NamedTuple):
    """Places (..., STEPS) int32 in what the words stand for: `numbers` (u,), `pieces` (u, MOST_PIECES); 0 pads."""

    places: list[np.ndarray]
    numbers: np.ndarray
    pieces: np.ndarray


class Lexicon:
    """All words of the training captions with their numbers in the vocabulary and their pieces."""

    def __init__(self, vocabulary: Vocabulary, buckets: int) -> None:
        self._vocabulary, self._buckets = vocabulary, buckets
        self._rows: dict[str, int] = {}
        self._numbers: list[int] = [PAD]
        self._pieces: list[tuple[int, ...]] = [()]

    def rows(self, caption: Caption) -> np.ndarray:
        """The lexicon's rows of a caption's words; what could not be read anyway is left out."""
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

    def read(self, drawn: Sequence[np.ndarray], random: np.random.Generator) -> Read:
        """Bring lexicon rows (..., STEPS) of a batch to the words that it holds."""
        flat = np.concatenate([[PAD], *(one.ravel() for one in drawn)])
        rows, places = np.unique(flat, return_inverse=True)
        numbers = np.full(-(-len(rows) // ROUND) * ROUND, PAD, np.int32)
        numbers[: len(rows)] = [self._numbers[row] for row in rows]
        pieces = np.zeros((len(numbers), MOST_PIECES), np.int32)
        if self._buckets:
            for place, row in enumerate(rows):
                own = self._pieces[row]
                pieces[place, : len(own)] = own
            spelt = (random.random(len(numbers)) < SPELT_ONLY) & (numbers != PAD)
            numbers[spelt] = UNKNOWN
        ends = np.cumsum([one.size for one in drawn])[:-1]
        parts = np.split(places[1:].astype(np.int32), ends)
        return Read([part.reshape(one.shape) for part, one in zip(parts, drawn, strict=True)], numbers, pieces)


def draw(captions: Sequence[np.ndarray], count: int, random: np.random.Generator) -> np.ndarray:
    """Lexicon rows of `count` of a picture's captions, int32 (count, STEPS), padded; some are cut short."""
    drawn = np.full((count, STEPS), PAD, np.int32)
    for row, place in zip(drawn, random.permutation(max(count, len(captions))), strict=False):
        words = captions[place % len(captions)][:STEPS]
        if random.random() < SHORT:
            words = words[np.sort(random.permutation(len(words))[: random.integers(*SHORT_WORDS)])]
        row[: len(words)] = words
    return drawn
