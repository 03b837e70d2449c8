"""Batched beam search against a slow plain one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from captioner.beam import beam_search, sentence_logprob
from captioner.decoder import Decoder, DecoderConfig, State
from captioner.vocabulary import END, PAD, START, UNKNOWN
from tests.conftest import random_decoder

CONFIG = DecoderConfig(vocabulary=17, grid_channels=6, embedding=5, units=8, attention=4, max_words=7)


@pytest.fixture(params=range(4))
def decoder(request: pytest.FixtureRequest) -> Decoder:
    return Decoder(CONFIG, random_decoder(CONFIG, seed=request.param))


def plain_beam_search(
    decoder: Decoder, grid: np.ndarray, width: int, length_power: float
) -> list[tuple[list[int], float]]:
    """One picture, one hypothesis at a time, in Python."""
    prepared, state = decoder.prepare(grid[None])
    beam: list[tuple[list[int], float, State]] = [([], 0.0, state)]
    for step in range(CONFIG.max_words + 1):
        grown = []
        for words, logprob, state in beam:
            if words and words[-1] == END:
                grown.append((words, logprob, state))
                continue
            scores, after = decoder.step(prepared, state, np.asarray([words[-1] if words else START]))
            allowed = [END] if step == CONFIG.max_words else [END, *range(UNKNOWN + 1, CONFIG.vocabulary)]
            grown += [([*words, word], logprob + float(scores[0, word]), after) for word in allowed]
        beam = sorted(grown, key=lambda one: -one[1])[:width]
    found = sorted(beam, key=lambda one: -one[1] / len(one[0]) ** length_power)
    return [(words, logprob) for words, logprob, _ in found]


@pytest.mark.parametrize("width", [1, 3, 5])
@pytest.mark.parametrize("length_power", [0.0, 0.7])
def test_equals_plain_beam_search(decoder: Decoder, width: int, length_power: float) -> None:
    grids = np.random.default_rng(1).normal(size=(5, 4, 6)).astype(np.float32)
    found = beam_search(decoder, *decoder.prepare(grids), width, length_power)
    for picture, grid in enumerate(grids):
        expected = plain_beam_search(decoder, grid, width, length_power)
        sentences = [[int(word) for word in words if word != PAD] for words in found.words[picture]]
        assert sentences == [words for words, _ in expected]
        np.testing.assert_allclose(found.logprob[picture], [logprob for _, logprob in expected], atol=1e-4)


@pytest.mark.parametrize(("end", "used"), [(-1, [END, 4, 5, 6]), (0, [PAD, END, 4])])
def test_of_equal_words_the_first_is_taken(end: float, used: list[int]) -> None:
    # Nothing but the words' bias counts: a product of matrices may round equal columns differently.
    weights = {name: np.zeros(shape, np.float32) for name, shape in CONFIG.shapes().items()}
    weights["word_bias/bias"][END] = end
    decoder = Decoder(CONFIG, weights)
    grids = np.random.default_rng(6).normal(size=(5, 4, 6)).astype(np.float32)
    found = beam_search(decoder, *decoder.prepare(grids), 3, 0.0)
    assert np.unique(found.words).tolist() == used
    for picture, grid in enumerate(grids):
        expected = plain_beam_search(decoder, grid, 3, 0.0)
        sentences = [[int(word) for word in words if word != PAD] for words in found.words[picture]]
        assert sentences == [words for words, _ in expected]


def test_a_sentence_that_does_not_end_is_ended_at_the_longest() -> None:
    weights = random_decoder(CONFIG)
    weights["word_bias/bias"][END] = -1e4
    decoder = Decoder(CONFIG, weights)
    found = beam_search(decoder, *decoder.prepare(np.ones((2, 4, 6), np.float32)), 3, 0.7)
    assert ((found.words == END) == (np.arange(CONFIG.max_words + 1) == CONFIG.max_words)).all()


def test_a_vocabulary_narrower_than_the_beam() -> None:
    config = replace(CONFIG, vocabulary=6, max_words=2)
    decoder = Decoder(config, random_decoder(config))
    found = beam_search(decoder, *decoder.prepare(np.ones((2, 4, 6), np.float32)), 9, 0.0)
    sentences = {tuple(words) for words in found.words[0][np.isfinite(found.logprob[0])]}
    both = {(END, PAD, PAD)} | {(a, END, PAD) for a in (4, 5)} | {(a, b, END) for a in (4, 5) for b in (4, 5)}
    assert sentences == both
    assert np.exp(found.logprob[0]).sum() <= 1


def plain_diverse_search(decoder: Decoder, grid: np.ndarray, width: int, groups: int, diversity: float) -> set:
    """One picture, beam after beam at every step, in Python."""
    prepared, state = decoder.prepare(grid[None])
    beams: list[list[tuple[list[int], float, State]]] = [[([], 0.0, state)] for _ in range(groups)]
    for step in range(CONFIG.max_words + 1):
        chosen: list[int] = []
        for number, beam in enumerate(beams):
            grown = []
            for words, logprob, state in beam:
                if words and words[-1] == END:
                    grown.append((words, logprob, state, logprob))
                    continue
                scores, after = decoder.step(prepared, state, np.asarray([words[-1] if words else START]))
                for word in [END] if step == CONFIG.max_words else [END, *range(UNKNOWN + 1, CONFIG.vocabulary)]:
                    total = logprob + float(scores[0, word])
                    grown.append(([*words, word], total, after, total - diversity * chosen.count(word)))
            beams[number] = [one[:3] for one in sorted(grown, key=lambda one: -one[3])[:width]]
            chosen += [words[step] for words, _, _ in beams[number] if len(words) > step]
    return {(tuple(words), round(logprob, 3)) for beam in beams for words, logprob, _ in beam}


@pytest.mark.parametrize("groups", [2, 4])
def test_equals_plain_diverse_beam_search(decoder: Decoder, groups: int) -> None:
    grids = np.random.default_rng(5).normal(size=(5, 4, 6)).astype(np.float32)
    found = beam_search(decoder, *decoder.prepare(grids), 2, 0.7, groups, diversity=0.6)
    for picture, grid in enumerate(grids):
        sentences = [tuple(int(word) for word in words if word != PAD) for words in found.words[picture]]
        logprobs = [round(float(one), 3) for one in found.logprob[picture]]
        assert set(zip(sentences, logprobs, strict=True)) == plain_diverse_search(decoder, grid, 2, groups, 0.6)


def test_emits_no_marks_and_always_ends(decoder: Decoder) -> None:
    grids = np.random.default_rng(2).normal(size=(20, 4, 6)).astype(np.float32)
    for words in beam_search(decoder, *decoder.prepare(grids), 4, 0.7).words.reshape(-1, CONFIG.max_words + 1):
        sentence = [word for word in words if word != PAD]
        assert sentence[-1] == END
        assert all(word > UNKNOWN for word in sentence[:-1])


def test_score_of_a_found_sentence_is_its_logprob(decoder: Decoder) -> None:
    grids = np.random.default_rng(3).normal(size=(3, 4, 6)).astype(np.float32)
    found = beam_search(decoder, *decoder.prepare(grids), 3, 0.7)
    for picture in range(3):
        for words, logprob in zip(found.words[picture], found.logprob[picture], strict=True):
            sentence = [int(word) for word in words if word not in (PAD, END)]
            score = sentence_logprob(decoder, grids[picture : picture + 1], sentence)
            assert score[0] == pytest.approx(logprob, abs=1e-4)


def test_a_wider_beam_never_finds_a_less_likely_sentence() -> None:
    decoder = Decoder(CONFIG, random_decoder(CONFIG, seed=9))
    grids = np.random.default_rng(4).normal(size=(10, 4, 6)).astype(np.float32)
    narrow = beam_search(decoder, *decoder.prepare(grids), 1, 0.0).logprob[:, 0]
    wide = beam_search(decoder, *decoder.prepare(grids), 200, 0.0).logprob[:, 0]
    assert (wide >= narrow - 1e-4).all()
