"""Batches have every word once and weight captions by their advantage."""

from __future__ import annotations

import numpy as np

from captioner.vocabulary import END, Vocabulary
from training.batches import ROUND, make_batch

VOCABULARY = Vocabulary(["a", "dog", "cat"])
CAPTIONS = [[["a", "dog"], ["cat"]], [["a", "cat"], ["dog", "a", "cat"]]]


def test_positions_cover_every_word_and_the_end() -> None:
    batch = make_batch(np.zeros((2, 4, 6), "f4"), CAPTIONS, VOCABULARY, steps=5)
    _, fed, positions = batch.inputs
    valid = batch.weights > 0
    assert valid.sum() == 3 + 2 + 3 + 4
    assert len(positions) == ROUND
    assert (batch.expected[valid] == END).sum() == 4
    fed_there = fed.ravel()[positions[valid]]
    assert VOCABULARY.decode(fed_there[1:3]) == ["a", "dog"]
    assert batch.weights.sum() == np.float32(1)


def test_advantages_weight_the_words_of_a_caption() -> None:
    advantage = np.asarray([[1.0, -1.0], [0.0, 2.0]])
    batch = make_batch(np.zeros((2, 4, 6), "f4"), CAPTIONS, VOCABULARY, steps=5, advantage=advantage)
    np.testing.assert_allclose(batch.weights[:12] * 12, [1] * 3 + [-1] * 2 + [0] * 3 + [2] * 4, atol=1e-6)
