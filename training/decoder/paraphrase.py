"""The decoder learns to speak from captions of pictures that are not here.

Other captions of the same picture stand for the picture: each of their words is a cell, and the decoder learns to say
what they say in one sentence of its own. So it knows the language, and that cells tell what to say, before it sees its
first picture; what pictures' cells look like it learns afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers
from tqdm import tqdm

from captioner.decoder import DecoderConfig
from captioner.frameworks import best_precision, computing_in
from captioner.vocabulary import UNKNOWN, Vocabulary
from data.text import STOP_WORDS
from training.ahead import ahead
from training.config import TrainConfig
from training.decoder.adam import FusedAdamW
from training.decoder.examples import Batch, make_batch, whole_batches
from training.decoder.model import CaptionLoss, DecoderModel, build_decoder_model, expect_words, get_weights

HINTS = 24
"""Words that stand for a picture's cells."""
TOLD = 2
"""Captions whose words are the hints; the others are asked for."""
LEFT_OUT = 0.2
ASKED = 3
BATCH = 64
RATE = 1.5e-3
AHEAD = 3

Captions = Sequence[Sequence[str]]
"""Those of one picture, cut into words."""


class Paraphraser(keras.Model):
    """Hints (n, HINTS), words (n, captions, steps) and places (m,) to logits (m, vocabulary), as `DecoderModel`."""

    def __init__(self, decoder: DecoderModel) -> None:
        super().__init__(name="paraphraser")
        self.decoder = decoder
        for layer in (decoder.grid_norm, decoder.visual):  # what sees pictures learns later
            layer.trainable = False
        sizes = decoder.config
        self.hints = layers.Embedding(sizes.vocabulary, sizes.attention, name="hints")
        self.hints_out = layers.Dense(sizes.attention, activation="relu", name="hints_out")

    def call(self, inputs: tuple[Any, Any, Any], training: bool | None = None) -> Any:
        hints, words, places = inputs
        return self.decoder.say(self.hints_out(self.hints(hints)), words, places, training)


def pretrain(
    pictures: Sequence[Captions], own: Sequence[Captions], channels: int, config: TrainConfig
) -> dict[str, np.ndarray]:
    """Teach a decoder with the words of `own` captions from those of `pictures`; returns its weights.

    `channels` are those of the grids that it sees later.

    Pictures with fewer than TOLD + 1 captions are left out.
    """
    keras.utils.set_random_seed(config.seed)
    vocabulary = Vocabulary.from_captions((one for picture in own for one in picture), config.min_count)
    sizes = DecoderConfig(len(vocabulary), channels, sentinel=config.sentinel, tied=config.tied)
    with computing_in(best_precision()):
        model = Paraphraser(build_decoder_model(sizes, HINTS, best_precision()))
    lessons = [one for one in pictures if len(one) > TOLD]
    expect_words(model.decoder, vocabulary.counts(one for captions in lessons for one in captions))
    batch = min(BATCH, len(lessons))
    steps = config.text_epochs * (len(lessons) // batch)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps, alpha=0.05, warmup_target=RATE, warmup_steps=min(200, steps // 10)
    )
    model.compile(FusedAdamW(rate, weight_decay=0.01, clipnorm=5.0), CaptionLoss(config.smoothing), jit_compile=False)
    with tqdm(total=steps, desc="decoder, texts alone", unit="batch", disable=None) as bar:
        for made in ahead(
            _Lessons(lessons, vocabulary, sizes.max_words).make,
            whole_batches(len(lessons), batch, config.text_epochs, config.seed),
            AHEAD,
        ):
            loss = model.train_on_batch(made.inputs, made.expected, sample_weight=made.weights)
            bar.set_postfix(loss=f"{float(np.asarray(loss)):.2f}", refresh=False)
            bar.update()
    return get_weights(model.decoder)


class _Lessons:
    """Draws for pictures which captions are hints and which are asked for."""

    def __init__(self, pictures: Sequence[Captions], vocabulary: Vocabulary, max_words: int) -> None:
        self._pictures, self._vocabulary, self._steps = pictures, vocabulary, max_words + 1
        self._unsaid = {UNKNOWN, *vocabulary.encode(sorted(STOP_WORDS))}

    def make(self, rows: np.ndarray, random: np.random.Generator) -> Batch:
        """A batch of the pictures in `rows`, whose grids are hints (n, HINTS)."""
        hints, asked = [], []
        for row in rows:
            captions = self._pictures[row]
            order = random.permutation(len(captions))
            hints.append(self._hints([captions[int(one)] for one in order[:TOLD]], random))
            rest = order[TOLD : TOLD + ASKED]
            asked.append([captions[int(one)] for one in np.resize(rest, ASKED)])
        return make_batch(np.stack(hints), asked, self._vocabulary, self._steps)

    def _hints(self, captions: Captions, random: np.random.Generator) -> np.ndarray:
        """What the captions say, some of it left out, in no order."""
        numbers = {number for caption in captions for number in self._vocabulary.encode(caption)}
        said = sorted(numbers - self._unsaid) or [UNKNOWN]
        kept = [one for one in said if random.random() > LEFT_OUT] or said
        return np.resize(random.permutation(kept), HINTS).astype(np.int32)
