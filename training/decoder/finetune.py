"""Fine-tune the encoder end to end with its decoder on captioned pictures, and keep it only where dev improves.

Every epoch sees each picture once, cropped, mirrored and relit at random. The epoch with the best dev CIDEr is
kept. The learning rate falls to the end, so the last epochs are the good ones and none is skipped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from safetensors.numpy import load_file
from tqdm import tqdm

from captioner.decoder import Decoder
from captioner.encoder import best_precision, encoder_weights
from captioner.vgg16 import preprocess
from data.captioned import CaptionedPicture
from data.pictures import read_square
from training.ahead import ahead
from training.config import TrainConfig
from training.decoder.examples import Batch, Split, batch_rows, draw_captions, make_batch
from training.decoder.model import CaptionLoss, DecoderModel, build_decoder_model, get_weights, set_weights
from training.decoder.train import Trained, score_split
from training.distillation.crops import cut, draw_boxes
from training.epochlog import EpochLog
from training.features import AREA, MARGIN
from training.state import restore_state, save_state, save_tensors

LIGHT = (0.75, 1.25)
AHEAD = 3
ENCODED = 32
CAPTIONS_SEEN = 3
"""Of a picture's five captions, drawn anew each epoch: here the pictures are dear, and seldom seen twice alike."""


@dataclass(frozen=True)
class Tuned:
    """The best epoch: the encoder's weights under Keras' names, the decoder's under its own, and dev's scores."""

    encoder_weights: dict[str, np.ndarray]
    decoder_weights: dict[str, np.ndarray]
    scores: dict[str, float]


class EndToEnd(keras.Model):
    """Prepared pictures, words and places to logits: an encoder model, then a decoder model."""

    def __init__(self, encoder: keras.Model, decoder: DecoderModel) -> None:
        super().__init__(name="captioner")
        self.encoder = encoder
        self.decoder = decoder

    def call(self, inputs: tuple[Any, Any, Any], training: bool | None = None) -> Any:
        pictures, words, places = inputs
        grids = self.encoder(pictures, training=training)
        cells = keras.ops.reshape(grids, (-1, grids.shape[1] * grids.shape[2], grids.shape[3]))
        return self.decoder((cells, words, places), training=training)


def fine_tune(
    encoder: keras.Model,
    trained: Trained,
    pictures: Sequence[Sequence[CaptionedPicture]],
    splits: Sequence[Split],
    out: Path,
    config: TrainConfig,
    epochs: int,
) -> Tuned | None:
    """Train `encoder` and the decoder of `trained` together for `epochs`; None where dev never improves.

    `pictures` are those of the two `splits`, train and dev, in their order; of the grids only the shape is used.
    A stopped run repeats its unfinished epoch.
    """
    side, (train, dev) = encoder.input_shape[1], splits
    model = _compiled(encoder, trained, train.grids.shape[2], config)
    out.mkdir(parents=True, exist_ok=True)
    done = restore_state(model, out / "state.safetensors")
    log = EpochLog(out, done)
    best = max(log.best, trained.scores["cider"])
    squares, dev_squares = _read_all(pictures[0], int(side * MARGIN)), _read_all(pictures[1], side)
    for epoch in range(done, epochs):
        loss = _run_epoch(model, squares, train, trained, config, epoch, epochs)
        weights = get_weights(model.decoder)
        seen = replace(dev, grids=_encode(encoder, dev_squares))
        scores = score_split(Decoder(trained.config, weights), trained.vocabulary, seen, config.search)
        if scores["cider"] > best:
            best = scores["cider"]
            save_tensors({**encoder_weights(encoder), **weights}, out / "best.safetensors")
        log.add({"epoch": epoch + 1, "loss": loss, **scores})
        save_state(model, epoch + 1, out / "state.safetensors")
    return _best(out, trained, log)


def _compiled(encoder: keras.Model, trained: Trained, cells: int, config: TrainConfig) -> EndToEnd:
    keras.utils.set_random_seed(config.seed)
    decoder = build_decoder_model(trained.config, cells, best_precision(), config.dropout)
    set_weights(decoder, trained.weights)
    model = EndToEnd(encoder, decoder)
    optimizer = keras.optimizers.AdamW(config.tune_rate, weight_decay=0.01, clipnorm=5.0)
    model.compile(optimizer, loss=CaptionLoss(config.smoothing), jit_compile=False)
    optimizer.build(model.trainable_variables)
    return model


def _run_epoch(
    model: EndToEnd, squares: np.ndarray, train: Split, trained: Trained, config: TrainConfig, epoch: int, epochs: int
) -> float:
    total = -(-len(squares) // config.batch)
    losses = []
    batches = _batches(model.encoder.input_shape[1], squares, train, trained, config, epoch)
    for step, batch in enumerate(tqdm(batches, total=total, desc=f"fine-tuning {epoch + 1}", unit="batch")):
        model.optimizer.learning_rate = config.tune_rate * _slope((epoch * total + step) / (epochs * total))
        loss = model.train_on_batch(batch.inputs, batch.expected, sample_weight=batch.weights)
        losses.append(float(np.asarray(loss)))
    return float(np.mean(losses))


def _slope(share: float) -> float:
    """The learning rate after `share` of the training: a twentieth of it to warm up, then a cosine down to zero."""
    return min(1.0, 20 * share + 0.01) * 0.5 * (1 + math.cos(share * math.pi))


def _batches(
    side: int, squares: np.ndarray, train: Split, trained: Trained, config: TrainConfig, epoch: int
) -> Iterator[Batch]:
    """Batches in the order of the epoch, made ahead of the model by threads."""

    def make(rows: np.ndarray, random: np.random.Generator) -> Batch:
        seen = np.stack([alter(squares[row], side, random) for row in rows])
        captions = [_some(one, random) for one in draw_captions(train, rows, random)]
        return make_batch(preprocess(seen), captions, trained.vocabulary, trained.config.max_words + 1)

    return ahead(make, batch_rows(len(squares), config, epoch), AHEAD)


def alter(picture: np.ndarray, side: int, random: np.random.Generator) -> np.ndarray:
    """A random crop of uint8 (s, s, 3), mirrored half the time, brighter or darker: uint8 (side, side, 3)."""
    seen = cut(picture, draw_boxes(random, 1, len(picture), AREA)[0], side)
    if random.random() < 0.5:
        seen = seen[:, ::-1]
    light = random.uniform(*LIGHT) * random.uniform(0.9, 1.1, 3)
    return np.clip(seen * light, 0, 255).astype(np.uint8)


def _some(captions: Sequence[Sequence[str]], random: np.random.Generator) -> list[Sequence[str]]:
    return [captions[place] for place in random.permutation(len(captions))[:CAPTIONS_SEEN]]


def _read_all(pictures: Sequence[CaptionedPicture], side: int) -> np.ndarray:
    with ThreadPoolExecutor(2) as pool:
        read = pool.map(lambda one: read_square(one.path, side), pictures)
        return np.stack(list(tqdm(read, total=len(pictures), desc="reading", unit="pic")))


def _encode(encoder: keras.Model, squares: np.ndarray) -> np.ndarray:
    """Grids float32 (n, 1, cells, channels) of uint8 pictures (n, side, side, 3)."""
    parts = [
        np.asarray(encoder.predict_on_batch(preprocess(squares[start : start + ENCODED])), np.float32)
        for start in range(0, len(squares), ENCODED)
    ]
    grids = np.concatenate(parts)
    return grids.reshape(len(grids), 1, -1, grids.shape[-1])


def _best(out: Path, trained: Trained, log: EpochLog) -> Tuned | None:
    if log.best <= trained.scores["cider"]:
        return None
    saved = load_file(out / "best.safetensors")
    decoder = {name: saved[name] for name in trained.config.shapes()}
    return Tuned({name: one for name, one in saved.items() if name not in decoder}, decoder, log.best_row)
