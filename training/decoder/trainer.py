"""Train the decoder on cached features, and keep the epoch with the best dev CIDEr.

Teacher forcing comes first, with scheduled sampling if configured, then self-critical training.
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
from captioner.vocabulary import PAD, Vocabulary
from data.errors import RetroflexError
from data.progress import progress_bar
from training.batches import Batch, Split, batch_rows, draw_captions, draw_grids, make_batch, prefetch
from training.checkpoints import EpochLog, restore_state, save_state, save_tensors
from training.config import TrainConfig
from training.decoder.fast_ops import FusedAdamW
from training.decoder.model import (
    CaptionLoss,
    DecoderModel,
    build_decoder_model,
    get_weights,
    set_weights,
    set_word_priors,
)
from training.decoder.self_critical import TEMPERATURE, CiderReward, advantages, draw_samples, nearest_pictures
from training.metrics import caption_scores


def sample_words(model: DecoderModel, batch: Batch, chance: float, random: np.random.Generator) -> Batch:
    """Replace each fed word but the first, with probability `chance`, by the model's likeliest word there.

    Scheduled sampling (Bengio et al. 2015) in two parallel passes (Mihaylova and Martins 2019).
    """
    grids, fed, positions = batch.inputs
    predicted = np.asarray(model.predict_on_batch(batch.inputs)).argmax(axis=-1).astype(np.int32)
    following = np.full(fed.size + 1, PAD, np.int32)
    following[positions] = predicted
    own = np.roll(following[: fed.size].reshape(fed.shape), 1, axis=-1)
    replaced = (random.random(fed.shape) < chance) & (fed != PAD)
    replaced[..., 0] = False
    return batch._replace(inputs=(grids, np.where(replaced, own, fed), positions))


EVALUATION_BATCH = 50
PREFETCHED = 2
WARM_UP = 200
FLOOR = 0.02
NO_FIGURES = {"loss": math.nan, "reward": math.nan}
"""The training figures of an epoch; each kind of epoch sets its own."""


@dataclass(frozen=True)
class TrainedDecoder:
    """The best epoch's decoder with its dev scores; with `further` decoders, the scores of the ensemble."""

    config: DecoderConfig
    weights: dict[str, np.ndarray]
    vocabulary: Vocabulary
    scores: dict[str, float]
    further: tuple[dict[str, np.ndarray], ...] = ()

    @property
    def decoder(self) -> Steps:
        """The decoder, or the ensemble of all, in float32."""
        members = [Decoder(self.config, weights) for weights in (self.weights, *self.further)]
        return members[0] if len(members) == 1 else Ensemble(members)


def train_decoder(
    train: Split, dev: Split, out: Path, config: TrainConfig, start: dict[str, np.ndarray] | None = None
) -> TrainedDecoder:
    """Train for the epochs of `config`; a run stopped at any time repeats its unfinished epoch exactly.

    `start` are the initial weights. Write `log.csv`, TensorBoard events, `state.safetensors` (the last epoch) and
    `best.safetensors` to `out`.
    """
    out.mkdir(parents=True, exist_ok=True)
    vocabulary = Vocabulary.from_captions((one for picture in train.captions for one in picture), config.min_count)
    trainer = Trainer(train, vocabulary, config)
    if start:
        _check_start(start, trainer.sizes)
        set_weights(trainer.model, start)
    done = restore_state(trainer.model, out / "state.safetensors")
    log = EpochLog(out, done + 1 if start else done)

    def validate_epoch(number: int, figures: dict[str, float], weights: dict[str, np.ndarray], seconds: float) -> None:
        scores = score_split(Decoder(trainer.sizes, weights), vocabulary, dev, config.search)
        if scores["cider"] > log.best:
            save_tensors(weights, out / "best.safetensors")
        log.add({"epoch": number, **figures, **scores, "seconds": seconds})

    if start and log.empty:  # Row 0, so that the initial weights are kept if no epoch is better.
        validate_epoch(0, NO_FIGURES, start, 0.0)
    for epoch in range(done, config.epochs + config.critic_epochs):
        started = time.monotonic()
        figures = trainer.train_teacher_forcing(epoch) if epoch < config.epochs else trainer.train_self_critical(epoch)
        validate_epoch(epoch + 1, figures, trainer.weights(), time.monotonic() - started)
        save_state(trainer.model, epoch + 1, out / "state.safetensors")
    best = rounded(load_file(out / "best.safetensors"), config.bits)  # as a bundle stores it
    scores = score_split(Decoder(trainer.sizes, best), vocabulary, dev, config.search)
    return TrainedDecoder(trainer.sizes, best, vocabulary, scores)


def _check_start(start: dict[str, np.ndarray], sizes: DecoderConfig) -> None:
    for name, shape in sizes.shapes().items():
        if name not in start or start[name].shape != shape:
            raise RetroflexError(
                f"the decoder of --go-on does not fit: {name} should have shape {shape} for this data set's words; "
                "choose a bundle that was trained on the same captions"
            )


class Trainer:
    """A decoder model with its training data, and the two kinds of epochs."""

    def __init__(self, train: Split, vocabulary: Vocabulary, config: TrainConfig) -> None:
        keras.utils.set_random_seed(config.seed)
        self.sizes = DecoderConfig(len(vocabulary), train.grids.shape[-1], sentinel=config.sentinel, tied=config.tied)
        self.model = build_decoder_model(self.sizes, train.grids.shape[2], best_precision(), config.dropout)
        set_word_priors(self.model, vocabulary.counts(one for picture in train.captions for one in picture))
        self._optimizer = _optimizer(self.model, config)
        self._train, self._vocabulary, self._config = train, vocabulary, config
        self._steps = -(-len(train.names) // config.batch)
        if config.critic_epochs:
            self._reward = CiderReward(train.captions)
            self._nearest = nearest_pictures(train.grids[:, 0])

    def train_teacher_forcing(self, epoch: int) -> dict[str, float]:
        """Train an epoch by teacher forcing on the human captions; return the mean loss of a word."""
        self._compile(CaptionLoss(self._config.smoothing))
        losses = []
        for step, (batch, random) in enumerate(prefetch(self._draw, self._rows(epoch, "teacher forcing"), PREFETCHED)):
            self._optimizer.learning_rate = self._rate(epoch * self._steps + step)
            if self._config.own_words:
                batch = sample_words(self.model, batch, self._config.own_words * epoch / self._config.epochs, random)
            losses.append(self._train_on(batch))
        return {**NO_FIGURES, "loss": float(np.mean(losses))}

    def train_self_critical(self, epoch: int) -> dict[str, float]:
        """Train an epoch on sampled captions, self-critically; return their mean CIDEr."""
        self._compile(CaptionLoss(0.0, TEMPERATURE))
        self._optimizer.learning_rate = self._config.critic_rate
        rewards = []
        for rows, random in self._rows(epoch, "self-critical"):
            grids = draw_grids(self._train, rows, random)
            samples = draw_samples(Decoder(self.sizes, get_weights(self.model)), self._vocabulary, grids, random)
            advantage, mean = advantages(self._reward, rows, samples, self._nearest[rows], self._config.distinction)
            self._train_on(self._batch(grids, samples, advantage))
            rewards.append(mean)
        return {**NO_FIGURES, "reward": float(np.mean(rewards))}

    def weights(self) -> dict[str, np.ndarray]:
        """Return the weights for captioning: the moving average if there is one."""
        if not self._config.average:
            return get_weights(self.model)
        latest = [variable.numpy() for variable in self.model.trainable_variables]
        self._optimizer.finalize_variable_values(self.model.trainable_variables)
        averaged = get_weights(self.model)
        for variable, value in zip(self.model.trainable_variables, latest, strict=True):
            variable.assign(value)
        return averaged

    def _rows(self, epoch: int, kind: str) -> tqdm:
        rows = batch_rows(len(self._train.names), self._config, epoch)
        total = self._config.epochs + self._config.critic_epochs
        return progress_bar(rows, total=self._steps, desc=f"epoch {epoch + 1}/{total} {kind}", unit="batch")

    def _draw(self, rows: np.ndarray, random: np.random.Generator) -> tuple[Batch, np.random.Generator]:
        grids = draw_grids(self._train, rows, random)
        return self._batch(grids, draw_captions(self._train, rows, random)), random

    def _batch(self, grids: np.ndarray, captions: list, advantage: np.ndarray | None = None) -> Batch:
        return make_batch(grids, captions, self._vocabulary, self.sizes.max_words + 1, advantage)

    def _train_on(self, batch: Batch) -> float:
        return float(np.asarray(self.model.train_on_batch(batch.inputs, batch.expected, sample_weight=batch.weights)))

    def _compile(self, loss: CaptionLoss) -> None:
        current = self.model.loss
        # An equal loss is kept, since a new one would make every epoch trace its step again.
        if (current.smoothing, current.temperature) != (loss.smoothing, loss.temperature):
            self.model.compile(self._optimizer, loss=loss, jit_compile=False)

    def _rate(self, step: int) -> float:
        """Return the learning rate: linear warm-up, then a cosine down to FLOOR of the highest rate."""
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
    """Caption a split by beam search; return the captions of each picture, best first."""
    captions: list[list[str]] = []
    for start in progress_bar(range(0, len(split.names), EVALUATION_BATCH), desc="captions", unit="batch"):
        grids = split.grids[start : start + EVALUATION_BATCH, 0]
        options = (search.beam, search.length_power, search.groups, search.diversity)
        beams = beam_search(decoder, *decoder.prepare(grids), *options).words
        captions += [[" ".join(vocabulary.decode(words)) for words in sentences] for sentences in beams]
    return captions


def score_split(decoder: Steps, vocabulary: Vocabulary, split: Split, search: SearchConfig) -> dict[str, float]:
    """Caption a split by beam search and score the best captions by the coco-caption definitions."""
    best = [captions[0] for captions in caption_split(decoder, vocabulary, split, search)]
    hypotheses = dict(zip(split.names, best, strict=True))
    references = {
        name: [" ".join(words) for words in captions]
        for name, captions in zip(split.names, split.captions, strict=True)
    }
    return caption_scores(references, hypotheses)
