"""Sampling follows the model's probabilities; worth is CIDEr above what the other samples earn."""

from __future__ import annotations

import numpy as np
import pytest

from captioner.beam import sentence_logprob
from captioner.decoder import Decoder, DecoderConfig
from captioner.vocabulary import END, PAD, UNKNOWN
from tests.conftest import random_decoder
from training.reward import CiderReward
from training.selfcritical import judge, sample_sentences

CONFIG = DecoderConfig(vocabulary=8, grid_channels=6, embedding=5, units=8, attention=4, max_words=3)
REFERENCES = [[["a", "red", "dog"]], [["a", "blue", "cat"]], [["one", "green", "bird"]]]


def test_samples_are_drawn_as_often_as_the_model_says() -> None:
    decoder = Decoder(CONFIG, random_decoder(CONFIG, seed=1))
    grid = np.random.default_rng(0).normal(size=(1, 4, 6)).astype(np.float32)
    drawn = sample_sentences(decoder, grid, 4000, np.random.default_rng(2))[0]
    ended = [tuple(int(word) for word in words if word != PAD) for words in drawn]
    assert all(word > UNKNOWN or word == END for words in ended for word in words)
    of_one_word = [words for words in ended if len(words) == 2 and words[1] == END]
    shares = {word: sum(words[0] == word for words in of_one_word) / len(of_one_word) for word in range(4, 8)}
    likely = {word: float(np.exp(sentence_logprob(decoder, grid, [word])[0])) for word in range(4, 8)}
    # Marks are never drawn, which raises every sentence of one word by nearly the same factor.
    for word, share in shares.items():
        assert share == pytest.approx(likely[word] / sum(likely.values()), abs=0.08)


def test_worth_is_zero_on_average_and_highest_for_the_truth() -> None:
    captions = [[["a", "red", "dog"], ["a", "red", "cat"], ["a", "bird"]]] * 3
    worth, mean = judge(CiderReward(REFERENCES), np.arange(3), captions, modesty=0.0)
    np.testing.assert_allclose(worth.sum(axis=1), 0, atol=1e-9)
    assert worth[0].argmax() == 0
    assert mean > 0


def test_modesty_takes_off_what_fits_other_pictures() -> None:
    references = [[["a", "man", "walks"], ["a", "dog", "sits"]], [["a", "man", "walks"], ["two", "cats"]]] * 3
    captions = [[["a", "man", "walks"], ["a", "dog", "sits"]]] * 6
    reward = CiderReward([*references, [["one", "bird"]]])
    plain, _ = judge(reward, np.arange(6), captions, modesty=0.0)
    modest, _ = judge(reward, np.arange(6), captions, modesty=1.0)
    assert modest[0, 1] > plain[0, 1]
