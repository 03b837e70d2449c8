"""Pretrain the decoder on captions without pictures, by paraphrasing.

Words of other captions of a picture replace its cells, and the decoder learns to generate the remaining captions from
them. So it learns the language and attention to cells before it sees pictures; it learns what the cells of pictures
look like afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers

from captioner.decoder import DecoderConfig
from captioner.frameworks import best_precision, computing_in
from captioner.vocabulary import UNKNOWN, Vocabulary
from data.progress import progress_bar
from data.text import STOP_WORDS
from training.batches import Batch, make_batch, prefetch, whole_batches
from training.config import TrainConfig
from training.decoder.fast_ops import FusedAdamW
from training.decoder.model import CaptionLoss, DecoderModel, build_decoder_model, get_weights, set_word_priors

HINTS = 24
"""The number of words that replace the cells of a picture."""
HINT_CAPTIONS = 2
"""Captions whose words are the hints; the others are targets."""
HINT_DROPOUT = 0.2
TARGET_CAPTIONS = 3
BATCH = 64
RATE = 1.5e-3
PREFETCHED = 3

Captions = Sequence[Sequence[str]]
"""The captions of a picture, split into words."""


class Paraphraser(keras.Model):
    """Maps hints (n, HINTS), words (n, captions, steps) and positions (m,) to logits, like `DecoderModel`."""

    def __init__(self, decoder: DecoderModel) -> None:
        super().__init__(name="paraphraser")
        self.decoder = decoder
        for layer in (decoder.grid_norm, decoder.visual):  # the layers for pictures are trained later
            layer.trainable = False
        sizes = decoder.config
        self.hints = layers.Embedding(sizes.vocabulary, sizes.attention, name="hints")
        self.hints_out = layers.Dense(sizes.attention, activation="relu", name="hints_out")

    def call(self, inputs: tuple[Any, Any, Any], training: bool | None = None) -> Any:
        hints, words, positions = inputs
        return self.decoder.decode(self.hints_out(self.hints(hints)), words, positions, training)


def pretrain(
    pictures: Sequence[Captions], own: Sequence[Captions], channels: int, config: TrainConfig
) -> dict[str, np.ndarray]:
    """Train a decoder on the captions of `pictures`, with the vocabulary of `own`; return its weights.

    `channels` are those of the grids of pictures. Pictures with fewer than HINT_CAPTIONS + 1 captions are left out.
    """
    keras.utils.set_random_seed(config.seed)
    vocabulary = Vocabulary.from_captions((one for picture in own for one in picture), config.min_count)
    sizes = DecoderConfig(len(vocabulary), channels, sentinel=config.sentinel, tied=config.tied)
    with computing_in(best_precision()):
        model = Paraphraser(build_decoder_model(sizes, HINTS, best_precision()))
    examples = [captions for captions in pictures if len(captions) > HINT_CAPTIONS]
    set_word_priors(model.decoder, vocabulary.counts(caption for captions in examples for caption in captions))
    batch = min(BATCH, len(examples))
    steps = config.text_epochs * (len(examples) // batch)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps, alpha=0.05, warmup_target=RATE, warmup_steps=min(200, steps // 10)
    )
    model.compile(FusedAdamW(rate, weight_decay=0.01, clipnorm=5.0), CaptionLoss(config.smoothing), jit_compile=False)
    with progress_bar(total=steps, desc="decoder, texts alone", unit="batch") as bar:
        for made in prefetch(
            _BatchMaker(examples, vocabulary, sizes.max_words).make,
            whole_batches(len(examples), batch, config.text_epochs, config.seed),
            PREFETCHED,
        ):
            loss = model.train_on_batch(made.inputs, made.expected, sample_weight=made.weights)
            bar.set_postfix(loss=f"{float(np.asarray(loss)):.2f}", refresh=False)
            bar.update()
    return get_weights(model.decoder)


class _BatchMaker:
    """Draws which captions of a picture are hints and which are targets."""

    def __init__(self, pictures: Sequence[Captions], vocabulary: Vocabulary, max_words: int) -> None:
        self._pictures, self._vocabulary, self._steps = pictures, vocabulary, max_words + 1
        self._not_hints = {UNKNOWN, *vocabulary.encode(sorted(STOP_WORDS))}

    def make(self, rows: np.ndarray, random: np.random.Generator) -> Batch:
        """Return a batch of the pictures in `rows`, whose grids are hints (n, HINTS)."""
        hints, targets = [], []
        for row in rows:
            captions = self._pictures[row]
            order = random.permutation(len(captions))
            hints.append(self._hints([captions[int(index)] for index in order[:HINT_CAPTIONS]], random))
            rest = order[HINT_CAPTIONS : HINT_CAPTIONS + TARGET_CAPTIONS]
            targets.append([captions[int(index)] for index in np.resize(rest, TARGET_CAPTIONS)])
        return make_batch(np.stack(hints), targets, self._vocabulary, self._steps)

    def _hints(self, captions: Captions, random: np.random.Generator) -> np.ndarray:
        """Return the content words of the captions in random order, some left out."""
        numbers = {number for caption in captions for number in self._vocabulary.encode(caption)}
        content = sorted(numbers - self._not_hints) or [UNKNOWN]
        kept = [number for number in content if random.random() > HINT_DROPOUT] or content
        return np.resize(random.permutation(kept), HINTS).astype(np.int32)
