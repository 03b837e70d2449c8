"""Samples follow the model's probabilities; advantages are CIDEr above the other samples; CIDEr is coco-caption's."""

from __future__ import annotations

import numpy as np
import pytest
from pycocoevalcap.cider.cider import Cider

from captioner.decoder import Decoder, DecoderConfig
from captioner.vocabulary import END, PAD, START, UNKNOWN
from tests.conftest import random_decoder
from training.decoder.self_critical import TEMPERATURE, CiderReward, advantages, nearest_pictures, sample_sentences

CONFIG = DecoderConfig(vocabulary=8, grid_channels=6, embedding=5, units=8, attention=4, max_words=3)
RIVALS = np.asarray([[1, 2], [0, 2], [0, 1]])
REFERENCES = [[["a", "red", "dog"]], [["a", "blue", "cat"]], [["one", "green", "bird"]]]


def test_samples_follow_the_distribution_of_the_model() -> None:
    decoder = Decoder(CONFIG, random_decoder(CONFIG, seed=1))
    grid = np.random.default_rng(0).normal(size=(1, 4, 6)).astype(np.float32)
    drawn = sample_sentences(decoder, grid, 4000, np.random.default_rng(2))[0]
    ended = [tuple(int(word) for word in words if word != PAD) for words in drawn]
    assert all(word > UNKNOWN or word == END for words in ended for word in words)
    begun = [words[0] for words in ended if words[0] != END]
    shares = {word: begun.count(word) / len(begun) for word in range(4, 8)}
    prepared, state = decoder.prepare(grid)
    first, _ = decoder.step(prepared, state, np.asarray([START]))
    likely = {word: float(np.exp(first[0, word] / TEMPERATURE)) for word in range(4, 8)}
    for word, share in shares.items():
        assert share == pytest.approx(likely[word] / sum(likely.values()), abs=0.04)


def test_nearest_pictures_are_others() -> None:
    grids = np.random.default_rng(3).normal(size=(20, 4, 6)).astype(np.float16)
    grids[7] = grids[11]
    near = nearest_pictures(grids)
    assert near.shape == (20, 4)
    assert near[7, 0] == 11
    assert all(row not in near[row] for row in range(20))


def test_advantages_are_zero_on_average_and_highest_for_the_truth() -> None:
    captions = [[["a", "red", "dog"], ["a", "red", "cat"], ["a", "bird"]]] * 3
    worth, mean = advantages(CiderReward(REFERENCES), np.arange(3), captions, RIVALS, distinction=0.0)
    np.testing.assert_allclose(worth.sum(axis=1), 0, atol=1e-9)
    assert worth[0].argmax() == 0
    assert mean > 0


def test_distinction_penalises_captions_that_fit_other_pictures() -> None:
    references = [[["a", "man", "walks"], ["a", "dog", "sits"]], [["a", "man", "walks"], ["two", "cats"]]] * 3
    captions = [[["a", "man", "walks"], ["a", "dog", "sits"]]] * 6
    rivals = np.asarray([[(row + 1) % 6] for row in range(6)])
    reward = CiderReward([*references, [["one", "bird"]]])
    plain, _ = advantages(reward, np.arange(6), captions, rivals, distinction=0.0)
    distinct, _ = advantages(reward, np.arange(6), captions, rivals, distinction=1.0)
    assert distinct[0, 1] > plain[0, 1]


WORDS = ["a", "dog", "runs", "on", "the", "grass", "with", "two", "men", "in", "red", "and", "a", "ball"]


def sentences(random: np.random.Generator, count: int) -> list[list[str]]:
    return [list(random.choice(WORDS, random.integers(1, 12))) for _ in range(count)]


@pytest.mark.parametrize("seed", range(5))
def test_equals_coco_caption(seed: int) -> None:
    random = np.random.default_rng(seed)
    references = [sentences(random, 5) for _ in range(12)]
    made = sentences(random, 12)
    truth = {number: [" ".join(one) for one in picture] for number, picture in enumerate(references)}
    _, expected = Cider().compute_score(truth, {number: [" ".join(one)] for number, one in enumerate(made)})
    reward = CiderReward(references)
    found = [reward.score(number, one) for number, one in enumerate(made)]
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_an_empty_caption_scores_zero() -> None:
    assert CiderReward([[["a", "dog"]], [["a", "cat"]]]).score(0, []) == 0
