"""A decoder pretrained on texts alone."""

from __future__ import annotations

import numpy as np

from captioner.decoder import Decoder, DecoderConfig
from captioner.vocabulary import START, Vocabulary
from training.config import TrainConfig
from training.decoder.pretraining import HINTS, _BatchMaker, pretrain

SAID = ("the {} runs fast", "a fast {}", "a {} runs")
CAPTIONS = [[pattern.format(one).split() for pattern in SAID] for one in ("dog", "cat")]


def test_hints_are_content_words_of_the_captions_that_are_no_targets() -> None:
    words = Vocabulary.from_captions([one for picture in CAPTIONS for one in picture], 1)
    maker = _BatchMaker([[["a", "dog"], ["a", "dog"], ["a", "cat"]]], words, max_words=6)
    for seed in range(8):
        hints, fed, _ = maker.make(np.array([0]), np.random.default_rng(seed)).inputs
        assert hints.shape == (1, HINTS)
        assert (fed[..., 0] == START).all()
        (target,) = {words.decode(row[1:])[1] for row in fed[0]}
        given = set(words.decode(hints[0]))
        assert given == {"dog"} if target == "cat" else given <= {"dog", "cat"}


def test_pretraining_learns_the_order_of_words() -> None:
    weights = pretrain(CAPTIONS * 80, CAPTIONS, 6, TrainConfig(text_epochs=8, min_count=1, smoothing=0.0))
    vocabulary = Vocabulary.from_captions((one for picture in CAPTIONS for one in picture), 1)
    config = DecoderConfig(len(vocabulary), 6)
    decoder = Decoder(config, weights)
    prepared, state = decoder.prepare(np.zeros((1, 4, config.grid_channels), np.float32))
    scores, state = decoder.step(prepared, state, np.array([START]))
    assert vocabulary.decode([int(scores[0].argmax())]) in (["a"], ["the"])
    scores, _ = decoder.step(prepared, state, np.array(vocabulary.encode(["fast"])))
    assert vocabulary.decode([int(scores[0].argmax())]) in (["dog"], ["cat"])
