from itertools import pairwise

import numpy as np
import pytest

from captioner.cells import CoarseCells
from captioner.decoder import Decoder, DecoderConfig
from captioner.likelihood import MAX_WORDS, Likelihood
from captioner.vocabulary import START, Vocabulary
from tests.conftest import WORDS, random_decoder

VOCABULARY = Vocabulary(WORDS)


def begins_logprob(decoder: Decoder, grids: np.ndarray, words: list[int]) -> np.ndarray:
    """log P(a sentence begins with the words | picture), step by step."""
    cells, state = decoder.prepare(grids)
    total = np.zeros(len(grids))
    for fed, expected in pairwise([START, *words]):
        scores, state = decoder.step(cells, state, np.full(len(grids), fed))
        total += scores[:, expected]
    return total


@pytest.mark.parametrize("sentinel", [True, False])
@pytest.mark.parametrize("tied", [True, False])
def test_equals_the_decoder_step_by_step(sentinel: bool, tied: bool) -> None:
    config = DecoderConfig(len(VOCABULARY), 7, 12, 16, 8, sentinel=sentinel, tied=tied)
    weights = random_decoder(config)
    decoder = Decoder(config, weights)
    grids = np.random.default_rng(0).normal(size=(3, 9, 7)).astype(np.float32)
    cells, _ = decoder.prepare(grids)
    likelihood = Likelihood(config, weights, VOCABULARY)
    for sentence in (["a", "red", "boat"], ["zebra", "runs"], ["dog"], []):
        expected = begins_logprob(decoder, grids, VOCABULARY.encode(sentence))
        np.testing.assert_allclose(likelihood.logprob(sentence, CoarseCells(cells.cells, 1)), expected, atol=1e-4)


def test_a_coarse_cell_counts_as_often_as_the_equal_cells_it_stands_for() -> None:
    config = DecoderConfig(len(VOCABULARY), 7, 12, 16, 8)
    likelihood = Likelihood(config, random_decoder(config), VOCABULARY)
    cells = np.abs(np.random.default_rng(1).normal(size=(2, 4, 8))).astype(np.float32)
    fine = CoarseCells(np.repeat(cells, 4, axis=1), 1)
    sentence = ["the", "dog", "sits"]
    found = likelihood.logprob(sentence, CoarseCells(cells, 4))
    np.testing.assert_allclose(found, likelihood.logprob(sentence, fine), atol=1e-4)


def test_a_very_long_sentence_is_read_in_part() -> None:
    config = DecoderConfig(len(VOCABULARY), 7, 12, 16, 8)
    likelihood = Likelihood(config, random_decoder(config), VOCABULARY)
    cells = CoarseCells(np.ones((1, 4, 8), np.float32), 4)
    assert likelihood.logprob(["dog"] * (MAX_WORDS + 1), cells) == likelihood.logprob(["dog"] * 900, cells)


def test_rare_words_count_only_in_their_sentence() -> None:
    """Oracle: the decoder's own steps, renormalised over the frequent words and those of the sentence."""
    config = DecoderConfig(len(VOCABULARY), 7, 12, 16, 8)
    weights = random_decoder(config)
    sentence = ["dog", "water", "the", "water"]
    said = VOCABULARY.encode(sentence)
    cells = CoarseCells(np.abs(np.random.default_rng(1).normal(size=(2, 4, 8))).astype(np.float32), 4)
    every = Likelihood(config, weights, VOCABULARY)
    hidden = every._run([START, *said[:-1]], cells.values.mean(axis=1))
    logits = every._output(hidden, cells) @ weights["embedding/embeddings"].T + weights["word_bias/bias"]
    logits = logits.reshape(len(said), 2, -1)
    counted = sorted({*range(6), *said})
    assert len(counted) < len(VOCABULARY)
    total = np.log(np.exp(logits[:, :, counted]).sum(axis=2))
    expected = sum(logits[step, :, word] - total[step] for step, word in enumerate(said))
    found = Likelihood(config, weights, VOCABULARY, frequent=6).logprob(sentence, cells)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_share_of_known_words() -> None:
    config = DecoderConfig(len(VOCABULARY), 7, 12, 16, 8)
    likelihood = Likelihood(config, random_decoder(config), VOCABULARY)
    assert likelihood.share_read(["a", "red", "zebra", "boat"]) == 0.75
    assert likelihood.share_read([]) == 0


@pytest.mark.parametrize("sentinel", [True, False])
def test_attention_is_shared_out_among_cells_and_follows_them(sentinel: bool) -> None:
    """What the decoder attends to, computed from its shares, is what goes into its words; cells may change places."""
    config = DecoderConfig(len(VOCABULARY), 7, 12, 16, 8, sentinel=sentinel)
    likelihood = Likelihood(config, random_decoder(config), VOCABULARY)
    values = np.abs(np.random.default_rng(1).normal(size=(1, 9, 8))).astype(np.float32)
    shares = likelihood.attention(["a", "red", "boat"], CoarseCells(values, 4))
    assert shares.shape == (3, 9)
    totals = shares.sum(axis=1)
    assert (shares >= 0).all()
    assert (totals < 1).all() if sentinel else np.allclose(totals, 1, atol=1e-5)
    order = np.random.default_rng(2).permutation(9)
    moved = likelihood.attention(["a", "red", "boat"], CoarseCells(values[:, order], 4))
    np.testing.assert_allclose(moved, shares[:, order], atol=1e-5)
    hidden = likelihood._run([START, *VOCABULARY.encode(["a", "red"])], values.mean(axis=1))
    query = hidden @ likelihood._weights["query/kernel"] * 8**-0.5
    loudest = (query @ values[0].T).argmax(axis=1)
    assert shares.argmax(axis=1).tolist() == loudest.tolist()
