"""The NumPy decoder against its Keras twin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from captioner.beam import sentence_logprob
from captioner.decoder import Decoder, DecoderConfig, State
from tests.conftest import random_decoder
from training.decoder.model import build_decoder_model, get_weights, set_weights

CONFIG = DecoderConfig(vocabulary=17, grid_channels=6, embedding=5, units=8, attention=4, max_words=7)


@pytest.mark.parametrize("change", [{}, {"sentinel": False}, {"tied": False}], ids=str)
def test_every_step_equals_keras(change: dict[str, bool]) -> None:
    from keras import ops

    config = replace(CONFIG, **change)
    model = build_decoder_model(config, cells=4)
    set_weights(model, random_decoder(config, spread=0.4))
    random = np.random.default_rng(0)
    grids = random.normal(size=(3, 4, 6)).astype(np.float32)
    words = random.integers(4, 17, (3, 2, 6)).astype(np.int32)
    every = np.arange(words.size, dtype=np.int32)
    expected = np.asarray(ops.log_softmax(model((grids, words, every)))).reshape(6, 6, 17)

    decoder = Decoder(config, get_weights(model))
    views, state = decoder.look(grids)
    state = State(*(np.repeat(part, 2, axis=0) for part in state))
    for step in range(6):
        found, state = decoder.step(views, state, words[:, :, step].ravel())
        np.testing.assert_allclose(found, expected[:, step], atol=1e-4)


def test_probabilities_of_all_one_word_sentences_and_longer_sum_to_one() -> None:
    decoder = Decoder(CONFIG, random_decoder(CONFIG))
    grids = np.random.default_rng(1).normal(size=(2, 4, 6)).astype(np.float32)
    views, state = decoder.look(grids)
    first, _ = decoder.step(views, state, np.asarray([1, 1]))
    np.testing.assert_allclose(np.exp(first).sum(axis=1), 1, atol=1e-5)
    assert (sentence_logprob(decoder, grids, [5]) < first[:, 5]).all()


def test_a_misshapen_weight_is_named() -> None:
    weights = random_decoder(CONFIG)
    weights["query/kernel"] = weights["query/kernel"][:-1]
    with pytest.raises(ValueError, match="query/kernel should have shape"):
        Decoder(CONFIG, weights)
