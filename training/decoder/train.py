"""Train the decoder on cached features, and keep the epoch with the best dev CIDEr.

First by teacher forcing, then, where asked for, by self-critical training.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from safetensors.numpy import load_file
from tqdm import tqdm

from captioner.beam import beam_search
from captioner.bundle import SearchConfig
from captioner.decoder import Decoder, DecoderConfig, Ensemble, Steps
from captioner.frameworks import best_precision
from captioner.quantise import rounded
from captioner.vocabulary import Vocabulary
from data.errors import RetroflexError
from training.ahead import ahead
from training.config import TrainConfig
from training.decoder.adam import FusedAdamW
from training.decoder.examples import Batch, Split, batch_rows, draw_captions, draw_grids, make_batch
from training.decoder.guesses import mix_in_guesses
from training.decoder.model import (
    CaptionLoss,
    DecoderModel,
    build_decoder_model,
    expect_words,
    get_weights,
    set_weights,
)
from training.decoder.reward import CiderReward
from training.decoder.selfcritical import TEMPERATURE, draw_samples, judge, look_alikes
from training.epochlog import EpochLog
from training.metrics import caption_scores
from training.state import restore_state, save_state, save_tensors

EVALUATION_BATCH = 50
AHEAD = 2
WARM_UP = 200
FLOOR = 0.02
UNTAUGHT = {"loss": math.nan, "reward": math.nan}
"""What an epoch measures of its learning; each kind of epoch fills in its own."""


@dataclass(frozen=True)
class Trained:
    """The best epoch's decoder with its dev scores; where `further` ones caption with it, the scores are of all."""

    config: DecoderConfig
    weights: dict[str, np.ndarray]
    vocabulary: Vocabulary
    scores: dict[str, float]
    further: tuple[dict[str, np.ndarray], ...] = ()

    @property
    def decoder(self) -> Steps:
        """All that caption together, exact."""
        members = [Decoder(self.config, one) for one in (self.weights, *self.further)]
        return members[0] if len(members) == 1 else Ensemble(members)


def train_decoder(
    train: Split, dev: Split, out: Path, config: TrainConfig, start: dict[str, np.ndarray] | None = None
) -> Trained:
    """Train for the epochs of `config`; a run stopped at any instant repeats its unfinished epoch exactly.

    `start` are weights to go on from. Writes `log.csv`, TensorBoard events, `state.safetensors` (the last
    epoch) and `best.safetensors` to `out`.
    """
    out.mkdir(parents=True, exist_ok=True)
    vocabulary = Vocabulary.from_captions((one for picture in train.captions for one in picture), config.min_count)
    lesson = Lesson(train, vocabulary, config)
    if start:
        _check_start(start, lesson.sizes)
        set_weights(lesson.model, start)
    done = restore_state(lesson.model, out / "state.safetensors")
    log = EpochLog(out, done + 1 if start else done)

    def judge_epoch(number: int, learnt: dict[str, float], weights: dict[str, np.ndarray], seconds: float) -> None:
        scores = score_split(Decoder(lesson.sizes, weights), vocabulary, dev, config.search)
        if scores["cider"] > log.best:
            save_tensors(weights, out / "best.safetensors")
        log.add({"epoch": number, **learnt, **scores, "seconds": seconds})

    if start and log.empty:  # Row 0, so that what the training starts from is kept where no epoch is better.
        judge_epoch(0, UNTAUGHT, start, 0.0)
    for epoch in range(done, config.epochs + config.critic_epochs):
        started = time.monotonic()
        learnt = lesson.teach(epoch) if epoch < config.epochs else lesson.criticise(epoch)
        judge_epoch(epoch + 1, learnt, lesson.weights(), time.monotonic() - started)
        save_state(lesson.model, epoch + 1, out / "state.safetensors")
    best = rounded(load_file(out / "best.safetensors"), config.bits)  # as a bundle stores it
    scores = score_split(Decoder(lesson.sizes, best), vocabulary, dev, config.search)
    return Trained(lesson.sizes, best, vocabulary, scores)


def _check_start(start: dict[str, np.ndarray], sizes: DecoderConfig) -> None:
    for name, shape in sizes.shapes().items():
        if name not in start or start[name].shape != shape:
            raise RetroflexError(
                f"the decoder to go on with does not fit: {name} should have shape {shape} for this data set's words; "
                "go on with a bundle that was trained on the same captions"
            )


class Lesson:
    """A decoder model, what it learns from, and the two ways of an epoch."""

    def __init__(self, train: Split, vocabulary: Vocabulary, config: TrainConfig) -> None:
        keras.utils.set_random_seed(config.seed)
        self.sizes = DecoderConfig(len(vocabulary), train.grids.shape[-1], sentinel=config.sentinel, tied=config.tied)
        self.model = build_decoder_model(self.sizes, train.grids.shape[2], best_precision(), config.dropout)
        expect_words(self.model, vocabulary.counts(one for picture in train.captions for one in picture))
        self._optimizer = _optimizer(self.model, config)
        self._train, self._vocabulary, self._config = train, vocabulary, config
        self._steps = -(-len(train.names) // config.batch)
        if config.critic_epochs:
            self._reward = CiderReward(train.captions)
            self._rivals = look_alikes(train.grids[:, 0])

    def teach(self, epoch: int) -> dict[str, float]:
        """One epoch of teacher forcing on the human captions; returns the mean loss of a word."""
        self._compile(CaptionLoss(self._config.smoothing))
        losses = []
        for step, (batch, random) in enumerate(ahead(self._draw, self._rows(epoch, "teaching"), AHEAD)):
            self._optimizer.learning_rate = self._rate(epoch * self._steps + step)
            if self._config.own_words:
                batch = mix_in_guesses(self.model, batch, self._config.own_words * epoch / self._config.epochs, random)
            losses.append(self._learn(batch))
        return {**UNTAUGHT, "loss": float(np.mean(losses))}

    def criticise(self, epoch: int) -> dict[str, float]:
        """One epoch of self-critical training on sampled captions; returns their mean CIDEr."""
        self._compile(CaptionLoss(0.0, TEMPERATURE))
        self._optimizer.learning_rate = self._config.critic_rate
        earned = []
        for rows, random in self._rows(epoch, "self-critical"):
            grids = draw_grids(self._train, rows, random)
            made = draw_samples(Decoder(self.sizes, get_weights(self.model)), self._vocabulary, grids, random)
            worth, mean = judge(self._reward, rows, made, self._rivals[rows], self._config.distinction)
            self._learn(self._batch(grids, made, worth))
            earned.append(mean)
        return {**UNTAUGHT, "reward": float(np.mean(earned))}

    def weights(self) -> dict[str, np.ndarray]:
        """The weights to caption with: the moving average where one is kept."""
        if not self._config.average:
            return get_weights(self.model)
        latest = [variable.numpy() for variable in self.model.trainable_variables]
        self._optimizer.finalize_variable_values(self.model.trainable_variables)
        averaged = get_weights(self.model)
        for variable, value in zip(self.model.trainable_variables, latest, strict=True):
            variable.assign(value)
        return averaged

    def _rows(self, epoch: int, what: str) -> tqdm:
        rows = batch_rows(len(self._train.names), self._config, epoch)
        total = self._config.epochs + self._config.critic_epochs
        return tqdm(rows, total=self._steps, desc=f"epoch {epoch + 1}/{total} {what}", unit="batch", disable=None)

    def _draw(self, rows: np.ndarray, random: np.random.Generator) -> tuple[Batch, np.random.Generator]:
        grids = draw_grids(self._train, rows, random)
        return self._batch(grids, draw_captions(self._train, rows, random)), random

    def _batch(self, grids: np.ndarray, captions: list, worth: np.ndarray | None = None) -> Batch:
        return make_batch(grids, captions, self._vocabulary, self.sizes.max_words + 1, worth)

    def _learn(self, batch: Batch) -> float:
        return float(np.asarray(self.model.train_on_batch(batch.inputs, batch.expected, sample_weight=batch.weights)))

    def _compile(self, loss: CaptionLoss) -> None:
        now = self.model.loss
        # An equal loss is kept, or every epoch would trace its step anew.
        if (now.smoothing, now.temperature) != (loss.smoothing, loss.temperature):
            self.model.compile(self._optimizer, loss=loss, jit_compile=False)

    def _rate(self, step: int) -> float:
        """Linear warm-up, then a cosine down to FLOOR of the highest rate."""
        total = self._config.epochs * self._steps
        warm = min(WARM_UP, total // 10)
        if step < warm:
            return self._config.rate * (step + 1) / warm
        fall = 0.5 * (1 + math.cos(math.pi * (step - warm) / max(total - warm, 1)))
        return self._config.rate * (FLOOR + (1 - FLOOR) * fall)


def _optimizer(model: DecoderModel, config: TrainConfig) -> keras.optimizers.Optimizer:
    optimizer = FusedAdamW(
        config.rate,
        weight_decay=0.01,
        clipnorm=5.0,
        use_ema=bool(config.average),
        ema_momentum=config.average or 0.99,
    )
    model.compile(optimizer, loss=CaptionLoss(config.smoothing), jit_compile=False)
    optimizer.build(model.trainable_variables)
    return optimizer


def caption_split(decoder: Steps, vocabulary: Vocabulary, split: Split, search: SearchConfig) -> list[list[str]]:
    """Caption a split by free-running beam search: each picture's captions, best first."""
    made: list[list[str]] = []
    for start in tqdm(range(0, len(split.names), EVALUATION_BATCH), desc="captions", unit="batch", disable=None):
        grids = split.grids[start : start + EVALUATION_BATCH, 0]
        how = (search.beam, search.length_power, search.groups, search.diversity)
        found = beam_search(decoder, *decoder.look(grids), *how)
        made += [[" ".join(vocabulary.decode(words)) for words in beams] for beams in found.words]
    return made


def score_split(decoder: Steps, vocabulary: Vocabulary, split: Split, search: SearchConfig) -> dict[str, float]:
    """Caption a split by free-running beam search and score it by the coco-caption definitions."""
    best = [captions[0] for captions in caption_split(decoder, vocabulary, split, search)]
    made = dict(zip(split.names, best, strict=True))
    references = {
        name: [" ".join(words) for words in captions]
        for name, captions in zip(split.names, split.captions, strict=True)
    }
    return caption_scores(references, made)
