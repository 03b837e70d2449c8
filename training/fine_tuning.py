"""Fine-tune the last block of VGG16 jointly with the networks on its grids, and keep it only if dev improves.

The earlier blocks encode each picture once. The last block is trained by two losses at once: the decoder's captions,
and the text encoders' matching of sentences and pictures. The learning rate falls to the end, so the last epochs are
the best and none is skipped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from safetensors.numpy import load_file

from captioner.decoder import Decoder
from captioner.encoders.keras_network import named_weights
from captioner.encoders.vgg16 import BEFORE_LAST_BLOCK, LAST_BLOCK, VGG16Config
from captioner.frameworks import best_precision, computing_in, variable_name
from data.errors import RetroflexError
from data.progress import progress_bar
from training.batches import Split, batch_rows, make_batch, prefetch
from training.checkpoints import EpochLog, restore_state, save_state, save_tensors
from training.config import TrainConfig
from training.decoder.fast_ops import FusedAdamW
from training.decoder.model import CaptionLoss, DecoderModel, build_decoder_model, get_weights, set_weights
from training.decoder.trainer import TrainedDecoder, score_split
from training.embedding.model import ContrastiveLoss, EmbeddingModel
from training.embedding.trainer import SentenceSampler
from training.inputs import EncoderSource

TAIL_BATCH = 32


def before_tail(source: EncoderSource) -> EncoderSource:
    """Return the blocks before the last, whose output is the input of the last. Raise RetroflexError."""
    config = source.config
    if not isinstance(config, VGG16Config):
        raise RetroflexError(f"--fine-tune trains the last block of VGG16 only; leave it out for {config.name}")
    if config.layer != LAST_BLOCK[-1]:
        raise RetroflexError(f"fine-tuning needs an encoder whose grid is that of {LAST_BLOCK[-1]}, not {config.layer}")
    return replace(source, config=replace(config, layer=BEFORE_LAST_BLOCK))


def build_tail(source: EncoderSource) -> keras.Model:
    """Return the last block of `source`, which maps (n, edge, edge, channels) to grids of that shape."""
    edge = source.config.side // 16
    channels = source.weights[f"{LAST_BLOCK[0]}/bias"].size
    with computing_in(best_precision()):
        inputs = x = keras.Input((edge, edge, channels))
        for name in LAST_BLOCK:
            x = layers.Conv2D(channels, 3, padding="same", activation="relu", name=name)(x)
        model = keras.Model(inputs, x)
    for variable in model.weights:
        variable.assign(source.weights[variable_name(variable)])
    return model


def with_tail(source: EncoderSource, weights: Mapping[str, np.ndarray], name: str) -> EncoderSource:
    """Return the encoder with other `weights` in its last block, called `name`."""
    return replace(source, name=name, weights={**source.weights, **weights})


def through_tail(tail: keras.Model, before: np.ndarray) -> np.ndarray:
    """Map the output `before` of the earlier blocks, float16 (n, crops, cells, channels), to grids of that shape."""
    pictures, crops, cells, channels = before.shape
    edge = round(cells**0.5)
    grids = np.empty(before.shape, np.float16)
    with progress_bar(total=pictures, desc="last block", unit="pic") as bar:
        for start in range(0, pictures, TAIL_BATCH):
            inputs = np.asarray(before[start : start + TAIL_BATCH], np.float32).reshape(-1, edge, edge, channels)
            outputs = np.asarray(tail.predict_on_batch(inputs), np.float32)
            grids[start : start + TAIL_BATCH] = outputs.reshape(-1, crops, cells, channels)
            bar.update(len(outputs) // crops)
    return grids


PREFETCHED = 2
BATCH = 64
CAPTIONS_DRAWN = 3
"""Captions of a picture, drawn again in each epoch."""
HEAD_RATE = 5.0
"""The learning rate of the layers after the grids, as a factor of the encoder's."""
LOSS_WEIGHTS = {"captions": 1.0, "pictures": 0.5, "texts": 0.25}


@dataclass(frozen=True)
class Tuned:
    """The best epoch: the weights of the last block under Keras' names, those of the decoder, and the dev scores."""

    encoder_weights: dict[str, np.ndarray]
    decoder_weights: dict[str, np.ndarray]
    scores: dict[str, float]


class EndToEnd(keras.Model):
    """Maps the output of the blocks before the last, (n, edge, edge, channels), to `captions`, `pictures`, `texts`.

    The other inputs are those of `DecoderModel` and of `EmbeddingModel` after their grids.
    """

    def __init__(self, tail: keras.Model, decoder: DecoderModel, embedding: EmbeddingModel) -> None:
        super().__init__(name="captioner")
        self.tail, self.decoder, self.embedding = tail, decoder, embedding
        self.coarse = layers.AveragePooling2D(embedding.config.pool)

    def call(self, inputs: tuple[Any, ...], training: bool | None = None) -> dict[str, Any]:
        before, words, positions, *sentences = inputs
        grids = self.tail(before, training=training)
        cosines = self.embedding((_flat(self.coarse(grids)), *sentences), training=training)
        return {"captions": self.decoder((_flat(grids), words, positions), training=training), **cosines}


def _flat(grids: Any) -> Any:
    """Reshape (n, edge, edge, channels) to (n, cells, channels)."""
    return ops.reshape(grids, (-1, grids.shape[1] * grids.shape[2], grids.shape[3]))


class TwoRateAdamW(FusedAdamW):
    """Uses HEAD_RATE times the learning rate for the layers after the grids."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        path = self._trainable_variables[self._get_variable_index(variable)].path
        own = any(name in path for name in LAST_BLOCK)
        super().update_step(gradient, variable, learning_rate if own else learning_rate * HEAD_RATE)


def fine_tune(
    tail: keras.Model,
    embedding: EmbeddingModel,
    trained: TrainedDecoder,
    before: Sequence[Split],
    sampler: SentenceSampler,
    out: Path,
    config: TrainConfig,
) -> Tuned | None:
    """Train `tail`, `embedding` and the decoder of `trained` jointly. Return None if dev CIDEr never improves.

    `before` are train and dev with the output of the blocks before the tail, (n, crops, edge * edge, channels). A
    stopped run repeats its unfinished epoch.
    """
    train, dev = before
    config = replace(config, batch=min(BATCH, len(train.names)))
    model = _compiled(tail, embedding, trained, train.grids.shape[2], config)
    out.mkdir(parents=True, exist_ok=True)
    done = restore_state(model, out / "state.safetensors")
    log = EpochLog(out, done)
    best = max(log.best, trained.scores["cider"])
    for epoch in range(done, config.tune_epochs):
        loss = _run_epoch(model, train, trained, sampler, config, epoch)
        weights = get_weights(model.decoder)
        tuned = replace(dev, grids=through_tail(tail, dev.grids))
        scores = score_split(Decoder(trained.config, weights), trained.vocabulary, tuned, config.search)
        if scores["cider"] > best:
            best = scores["cider"]
            save_tensors({**named_weights(tail), **weights}, out / "best.safetensors")
        log.add({"epoch": epoch + 1, "loss": loss, **scores})
        save_state(model, epoch + 1, out / "state.safetensors")
    return _best(out, trained, log)


def _compiled(
    tail: keras.Model, embedding: EmbeddingModel, trained: TrainedDecoder, cells: int, config: TrainConfig
) -> EndToEnd:
    keras.utils.set_random_seed(config.seed)
    decoder = build_decoder_model(trained.config, cells, best_precision(), config.dropout)
    set_weights(decoder, trained.weights)
    model = EndToEnd(tail, decoder, embedding)
    optimizer = TwoRateAdamW(config.tune_rate, weight_decay=0.01, clipnorm=5.0)
    losses = {
        "captions": CaptionLoss(config.smoothing),
        "pictures": ContrastiveLoss(CAPTIONS_DRAWN),
        "texts": ContrastiveLoss(),
    }
    model.compile(optimizer, loss=losses, loss_weights=LOSS_WEIGHTS, jit_compile=False)
    optimizer.build(model.trainable_variables)
    return model


def _run_epoch(
    model: EndToEnd, train: Split, trained: TrainedDecoder, sampler: SentenceSampler, config: TrainConfig, epoch: int
) -> float:
    edge, total = model.tail.input_shape[1], -(-len(train.names) // config.batch)

    def make(rows: np.ndarray, random: np.random.Generator) -> tuple[Any, Any, Any]:
        crops = random.integers(train.grids.shape[1], size=len(rows))
        before = train.grids[rows, crops].astype(np.float32).reshape(len(rows), edge, edge, -1)
        captions = [_draw_captions(train.captions[int(row)], random) for row in rows]
        batch = make_batch(before, captions, trained.vocabulary, trained.config.max_words + 1)
        sentences, expected = sampler.sentences(rows, CAPTIONS_DRAWN, random)
        weights = {name: np.ones(len(one), np.float32) for name, one in expected.items()}
        return (
            (*batch.inputs, *sentences),
            {"captions": batch.expected, **expected},
            {"captions": batch.weights, **weights},
        )

    losses = []
    jobs = batch_rows(len(train.names), config, epoch)
    bar = progress_bar(prefetch(make, jobs, PREFETCHED), total=total, desc=f"fine-tuning {epoch + 1}", unit="batch")
    for step, (inputs, expected, weights) in enumerate(bar):
        share = (epoch * total + step) / (config.tune_epochs * total)
        model.optimizer.learning_rate = config.tune_rate * _rate_factor(share)
        losses.append(float(np.ravel(model.train_on_batch(inputs, expected, sample_weight=weights))[0]))
    return float(np.mean(losses))


def _draw_captions(captions: Sequence[Sequence[str]], random: np.random.Generator) -> list[Sequence[str]]:
    order = random.permutation(max(CAPTIONS_DRAWN, len(captions)))[:CAPTIONS_DRAWN]
    return [captions[index % len(captions)] for index in order]


def _rate_factor(share: float) -> float:
    """Return the factor of the learning rate after `share` of training: warm-up, times a cosine down to zero."""
    return min(1.0, 20 * share + 0.01) * 0.5 * (1 + math.cos(share * math.pi))


def _best(out: Path, trained: TrainedDecoder, log: EpochLog) -> Tuned | None:
    if log.best <= trained.scores["cider"]:
        return None
    saved = load_file(out / "best.safetensors")
    decoder = {name: saved[name] for name in trained.config.shapes()}
    return Tuned({name: one for name, one in saved.items() if name not in decoder}, decoder, log.best_row)
