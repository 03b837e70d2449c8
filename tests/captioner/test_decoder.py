"""The NumPy decoder against its Keras twin."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from captioner.beam import beam_search, sentence_logprob
from captioner.bundle import load_bundle, save_bundle
from captioner.captioner import Captioner
from captioner.decoder import Decoder, DecoderConfig, Ensemble, State
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
    prepared, state = decoder.prepare(grids)
    state = State(*(np.repeat(part, 2, axis=0) for part in state))
    for step in range(6):
        found, state = decoder.step(prepared, state, words[:, :, step].ravel())
        np.testing.assert_allclose(found, expected[:, step], atol=1e-4)


def test_probabilities_of_all_one_word_sentences_and_longer_sum_to_one() -> None:
    decoder = Decoder(CONFIG, random_decoder(CONFIG))
    grids = np.random.default_rng(1).normal(size=(2, 4, 6)).astype(np.float32)
    prepared, state = decoder.prepare(grids)
    first, _ = decoder.step(prepared, state, np.asarray([1, 1]))
    np.testing.assert_allclose(np.exp(first).sum(axis=1), 1, atol=1e-5)
    assert (sentence_logprob(decoder, grids, [5]) < first[:, 5]).all()


def test_a_misshapen_weight_is_named() -> None:
    weights = random_decoder(CONFIG)
    weights["query/kernel"] = weights["query/kernel"][:-1]
    with pytest.raises(ValueError, match="query/kernel should have shape"):
        Decoder(CONFIG, weights)


TOGETHER = DecoderConfig(vocabulary=16, grid_channels=7, embedding=6, units=8, attention=5, max_words=6)


@pytest.fixture
def grids() -> np.ndarray:
    return np.random.default_rng(0).normal(1, 1, (3, 9, 7)).astype(np.float32)


@pytest.fixture
def members() -> list[Decoder]:
    return [Decoder(TOGETHER, random_decoder(TOGETHER, seed)) for seed in (0, 1)]


def test_a_sentence_is_as_likely_as_the_mean_of_their_logarithms(grids: np.ndarray, members: list[Decoder]) -> None:
    words = [5, 9, 4]
    apart = [sentence_logprob(one, grids, words) for one in members]
    np.testing.assert_allclose(sentence_logprob(Ensemble(members), grids, words), np.mean(apart, axis=0), atol=1e-4)


def test_twice_the_same_is_the_same(grids: np.ndarray, members: list[Decoder]) -> None:
    alone = beam_search(members[0], *members[0].prepare(grids), 3, 0.5)
    twice = Ensemble([members[0], members[0]])
    together = beam_search(twice, *twice.prepare(grids), 3, 0.5)
    np.testing.assert_array_equal(together.words, alone.words)
    np.testing.assert_allclose(together.logprob, alone.logprob, atol=1e-4)


def test_beam_search_finds_what_is_likely_to_both(grids: np.ndarray, members: list[Decoder]) -> None:
    together = Ensemble(members)
    found = beam_search(together, *together.prepare(grids), 3, 0.0)
    best = [int(one) for one in found.words[0, 0] if one > 2]
    np.testing.assert_allclose(found.logprob[0, 0], sentence_logprob(together, grids[:1], best)[0], atol=1e-4)


def test_a_bundle_carries_further_decoders(tiny_bundle: Path, tmp_path: Path) -> None:
    bundle = load_bundle(tiny_bundle)
    other = random_decoder(bundle.decoder, seed=5)
    save_bundle(replace(bundle, further_decoders=[other], version=""), tmp_path / "two", lambda _: "card")
    (again,) = load_bundle(tmp_path / "two").further_decoders
    for name, value in other.items():
        np.testing.assert_allclose(again[name], value, atol=np.abs(value).max() / 100)
    picture = np.random.default_rng(1).integers(0, 256, (1, 32, 32, 3)).astype(np.uint8)
    save_bundle(replace(bundle, further_decoders=(), version=""), tmp_path / "one", lambda _: "card")
    one, two = (Captioner.load(tmp_path / name).describe(picture)[0] for name in ("one", "two"))
    assert one.captions != two.captions
    np.testing.assert_array_equal(one.vectors["vgg16"], two.vectors["vgg16"])
