"""What counts against pictures of which no caption says the word asked for."""

from __future__ import annotations

import numpy as np
import pytest

from captioner.embedding import EmbeddingConfig, TextEmbedder
from captioner.vocabulary import Vocabulary
from retrieval.search.fusion import CLOSE
from retrieval.search.relevance import Relevance
from training.relevance.absent import HITS, USUAL, absent_words, fit_unsaid

WORDS = Vocabulary(["dog", "zebra", "puppy", "the", "hund"])
CONFIG = EmbeddingConfig(len(WORDS), members=1, channels=4, word=5, units=8, heads=2, dimensions=6)


@pytest.fixture
def embedder() -> TextEmbedder:
    random = np.random.default_rng(0)
    weights = {f"0/{name}": random.normal(size=shape) for name, shape in CONFIG.text_shapes().items()}
    synonyms = np.zeros((len(WORDS), 3), np.uint16)
    (dog, puppy, hund) = WORDS.encode(["dog", "puppy", "hund"])
    synonyms[puppy, 0] = synonyms[hund, 0] = dog
    return TextEmbedder(CONFIG, weights, WORDS, synonyms)


def test_usual_words_that_nobody_said_are_absent(embedder: TextEmbedder) -> None:
    texts = [[["the", "zebra"], ["a", "puppy"], ["a", "dog"]]] * USUAL + [[["seldom"]]]
    assert absent_words(texts, [["two", "dogs"]], embedder) == ["zebra"]
    assert absent_words(texts, [["a", "boat"]], embedder) == ["dog", "puppy", "zebra"]


def test_after_it_absent_words_have_so_many_hits(embedder: TextEmbedder) -> None:
    places = np.random.default_rng(1).normal(size=(500, 6))
    places /= np.linalg.norm(places, axis=1, keepdims=True)
    relevance, words = Relevance(-2.0, {"bleu": 1.0, "cosine": 5.0}), ["dog", "zebra", "puppy", "hund"]
    share = fit_unsaid(words, relevance, embedder, places)
    assert share < 0
    cosines = np.stack([embedder.embed([word]) for word in words]) @ places.T
    shifted = Relevance(-2.0 + share, relevance.weights)({"bleu": np.zeros(cosines.shape), "cosine": cosines})
    assert (shifted > CLOSE + 1e-9).sum() == round(HITS * len(words))


def test_where_nothing_is_close_nothing_is_held_against_it(embedder: TextEmbedder) -> None:
    relevance = Relevance(-20.0, {"bleu": 1.0, "cosine": 1.0})
    assert fit_unsaid(["dog"], relevance, embedder, np.ones((9, 6))) == 0
    assert fit_unsaid([], relevance, embedder, np.ones((9, 6))) == 0
