"""A batch asks for every word once and weighs captions by their worth."""

from __future__ import annotations

import numpy as np

from captioner.vocabulary import END, Vocabulary
from training.decoder.examples import ROUND, make_batch

VOCABULARY = Vocabulary(["a", "dog", "cat"])
CAPTIONS = [[["a", "dog"], ["cat"]], [["a", "cat"], ["dog", "a", "cat"]]]


def test_places_point_at_every_word_and_the_end() -> None:
    batch = make_batch(np.zeros((2, 4, 6), "f4"), CAPTIONS, VOCABULARY, steps=5)
    _, fed, places = batch.inputs
    asked = batch.weights > 0
    assert asked.sum() == 3 + 2 + 3 + 4
    assert len(places) == ROUND
    assert (batch.expected[asked] == END).sum() == 4
    fed_there = fed.ravel()[places[asked]]
    assert VOCABULARY.decode(fed_there[1:3]) == ["a", "dog"]
    assert batch.weights.sum() == np.float32(1)


def test_worth_weighs_a_captions_words() -> None:
    worth = np.asarray([[1.0, -1.0], [0.0, 2.0]])
    batch = make_batch(np.zeros((2, 4, 6), "f4"), CAPTIONS, VOCABULARY, steps=5, worth=worth)
    np.testing.assert_allclose(batch.weights[:12] * 12, [1] * 3 + [-1] * 2 + [0] * 3 + [2] * 4, atol=1e-6)
