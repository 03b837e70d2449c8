"""Fine-tune the last block of VGG16 together with what reads its grids, and keep it only where dev improves.

The block learns from two teachers at once: the decoder that has to caption the pictures, and the encoders that have to
tell which sentence belongs to which picture. The rate falls to the end, so the last epochs are the good ones and
none is skipped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from safetensors.numpy import load_file
from tqdm import tqdm

from captioner.decoder import Decoder
from captioner.encoders.vgg16 import LAST_BLOCK, encoder_weights
from captioner.frameworks import best_precision
from training.ahead import ahead
from training.config import TrainConfig
from training.decoder.adam import FusedAdamW
from training.decoder.examples import Split, batch_rows, make_batch
from training.decoder.model import CaptionLoss, DecoderModel, build_decoder_model, get_weights, set_weights
from training.decoder.train import Trained, score_split
from training.embedding.model import ContrastiveLoss, EmbeddingModel
from training.embedding.train import Meetings
from training.epochlog import EpochLog
from training.state import restore_state, save_state, save_tensors
from training.tail import through_tail

AHEAD = 2
BATCH = 64
CAPTIONS_SEEN = 3
"""Of a picture's captions, drawn anew each epoch."""
READERS_RATE = 5.0
"""The rate of what reads the grids, times that of the encoder."""
LOSS_WEIGHTS = {"captions": 1.0, "pictures": 0.5, "texts": 0.25}


@dataclass(frozen=True)
class Tuned:
    """The best epoch: the last block's weights under Keras' names, the decoder's under its own, and dev's scores."""

    encoder_weights: dict[str, np.ndarray]
    decoder_weights: dict[str, np.ndarray]
    scores: dict[str, float]


class EndToEnd(keras.Model):
    """What the blocks before the last make of pictures (n, edge, edge, channels) to `captions`, `pictures`, `texts`.

    The further inputs are those of `DecoderModel` and of `EmbeddingModel` after their grids.
    """

    def __init__(self, tail: keras.Model, decoder: DecoderModel, embedding: EmbeddingModel) -> None:
        super().__init__(name="captioner")
        self.tail, self.decoder, self.embedding = tail, decoder, embedding
        self.coarse = layers.AveragePooling2D(embedding.config.pool)

    def call(self, inputs: tuple[Any, ...], training: bool | None = None) -> dict[str, Any]:
        before, words, places, *sentences = inputs
        grids = self.tail(before, training=training)
        found = self.embedding((_flat(self.coarse(grids)), *sentences), training=training)
        return {"captions": self.decoder((_flat(grids), words, places), training=training), **found}


def _flat(grids: Any) -> Any:
    """(n, edge, edge, channels) as (n, cells, channels)."""
    return ops.reshape(grids, (-1, grids.shape[1] * grids.shape[2], grids.shape[3]))


class TailRate(FusedAdamW):
    """Takes READERS_RATE times the rate for what reads the grids."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        path = self._trainable_variables[self._get_variable_index(variable)].path
        own = any(name in path for name in LAST_BLOCK)
        super().update_step(gradient, variable, learning_rate if own else learning_rate * READERS_RATE)


def fine_tune(
    tail: keras.Model,
    embedding: EmbeddingModel,
    trained: Trained,
    before: Sequence[Split],
    meetings: Meetings,
    out: Path,
    config: TrainConfig,
) -> Tuned | None:
    """Train `tail`, `embedding` and the decoder of `trained` together; None where dev's CIDEr never improves.

    `before` are train and dev as the blocks before the tail see them, (n, views, edge * edge, channels). A stopped run
    repeats its unfinished epoch.
    """
    train, dev = before
    config = replace(config, batch=min(BATCH, len(train.names)))
    model = _compiled(tail, embedding, trained, train.grids.shape[2], config)
    out.mkdir(parents=True, exist_ok=True)
    done = restore_state(model, out / "state.safetensors")
    log = EpochLog(out, done)
    best = max(log.best, trained.scores["cider"])
    for epoch in range(done, config.tune_epochs):
        loss = _run_epoch(model, train, trained, meetings, config, epoch)
        weights = get_weights(model.decoder)
        seen = replace(dev, grids=through_tail(tail, dev.grids))
        scores = score_split(Decoder(trained.config, weights), trained.vocabulary, seen, config.search)
        if scores["cider"] > best:
            best = scores["cider"]
            save_tensors({**encoder_weights(tail), **weights}, out / "best.safetensors")
        log.add({"epoch": epoch + 1, "loss": loss, **scores})
        save_state(model, epoch + 1, out / "state.safetensors")
    return _best(out, trained, log)


def _compiled(
    tail: keras.Model, embedding: EmbeddingModel, trained: Trained, cells: int, config: TrainConfig
) -> EndToEnd:
    keras.utils.set_random_seed(config.seed)
    decoder = build_decoder_model(trained.config, cells, best_precision(), config.dropout)
    set_weights(decoder, trained.weights)
    model = EndToEnd(tail, decoder, embedding)
    optimizer = TailRate(config.tune_rate, weight_decay=0.01, clipnorm=5.0)
    losses = {
        "captions": CaptionLoss(config.smoothing),
        "pictures": ContrastiveLoss(CAPTIONS_SEEN),
        "texts": ContrastiveLoss(),
    }
    model.compile(optimizer, loss=losses, loss_weights=LOSS_WEIGHTS, jit_compile=False)
    optimizer.build(model.trainable_variables)
    return model


def _run_epoch(
    model: EndToEnd, train: Split, trained: Trained, meetings: Meetings, config: TrainConfig, epoch: int
) -> float:
    edge, total = model.tail.input_shape[1], -(-len(train.names) // config.batch)

    def make(rows: np.ndarray, random: np.random.Generator) -> tuple[Any, Any, Any]:
        views = random.integers(train.grids.shape[1], size=len(rows))
        seen = train.grids[rows, views].astype(np.float32).reshape(len(rows), edge, edge, -1)
        captions = [_some(train.captions[int(row)], random) for row in rows]
        batch = make_batch(seen, captions, trained.vocabulary, trained.config.max_words + 1)
        sentences, expected = meetings.sentences(rows, CAPTIONS_SEEN, random)
        weights = {name: np.ones(len(one), np.float32) for name, one in expected.items()}
        return (
            (*batch.inputs, *sentences),
            {"captions": batch.expected, **expected},
            {"captions": batch.weights, **weights},
        )

    losses = []
    jobs = batch_rows(len(train.names), config, epoch)
    bar = tqdm(ahead(make, jobs, AHEAD), total=total, desc=f"fine-tuning {epoch + 1}", unit="batch", disable=None)
    for step, (inputs, expected, weights) in enumerate(bar):
        share = (epoch * total + step) / (config.tune_epochs * total)
        model.optimizer.learning_rate = config.tune_rate * _slope(share)
        losses.append(float(np.ravel(model.train_on_batch(inputs, expected, sample_weight=weights))[0]))
    return float(np.mean(losses))


def _some(captions: Sequence[Sequence[str]], random: np.random.Generator) -> list[Sequence[str]]:
    order = random.permutation(max(CAPTIONS_SEEN, len(captions)))[:CAPTIONS_SEEN]
    return [captions[place % len(captions)] for place in order]


def _slope(share: float) -> float:
    """The learning rate after `share` of the training: a twentieth of it to warm up, then a cosine down to zero."""
    return min(1.0, 20 * share + 0.01) * 0.5 * (1 + math.cos(share * math.pi))


def _best(out: Path, trained: Trained, log: EpochLog) -> Tuned | None:
    if log.best <= trained.scores["cider"]:
        return None
    saved = load_file(out / "best.safetensors")
    decoder = {name: saved[name] for name in trained.config.shapes()}
    return Tuned({name: one for name, one in saved.items() if name not in decoder}, decoder, log.best_row)
