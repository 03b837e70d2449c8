"""Train the decoder on cached features, by teacher forcing, and keep the epoch with the best dev CIDEr."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from safetensors.numpy import load_file
from tqdm import tqdm

from captioner.beam import beam_search
from captioner.bundle import SearchConfig
from captioner.decoder import Decoder, DecoderConfig
from captioner.encoder import best_precision
from captioner.quantise import quantise, restore
from captioner.vocabulary import Vocabulary
from data.text import tokenize
from training.config import TrainConfig
from training.decoder_model import CaptionLoss, DecoderModel, build_decoder_model, get_weights
from training.metrics import caption_scores
from training.state import restore_state, save_state, save_tensors, save_text

EVALUATION_BATCH = 50
CAPTIONS = 5


@dataclass(frozen=True)
class Split:
    """Pictures with their grids, float16 (n, views, cells, channels), and their captions' words."""

    names: Sequence[str]
    grids: np.ndarray
    captions: Sequence[Sequence[Sequence[str]]]


@dataclass(frozen=True)
class Trained:
    """The best epoch's decoder with its dev scores."""

    config: DecoderConfig
    weights: dict[str, np.ndarray]
    vocabulary: Vocabulary
    scores: dict[str, float]


def train_decoder(train: Split, dev: Split, out: Path, config: TrainConfig) -> Trained:
    """Train for `config.epochs`; a run stopped at any instant repeats its unfinished epoch exactly.

    Writes `log.csv`, TensorBoard events, `state.safetensors` (the last epoch) and `best.safetensors` to `out`.
    """
    out.mkdir(parents=True, exist_ok=True)
    vocabulary = Vocabulary.from_captions((one for picture in train.captions for one in picture), config.min_count)
    sizes = DecoderConfig(vocabulary=len(vocabulary), grid_channels=train.grids.shape[-1])
    model = _compiled(sizes, train, config)
    done = restore_state(model, out / "state.safetensors")
    log = EpochLog(out, done)
    for epoch in range(done, config.epochs):
        started = time.monotonic()
        loss = _run_epoch(model, train, vocabulary, config, epoch)
        decoder = Decoder(sizes, get_weights(model))
        scores = score_split(decoder, vocabulary, dev, config.search)
        if scores["cider"] > log.best:
            save_tensors(get_weights(model), out / "best.safetensors")
        log.add({"epoch": epoch + 1, "loss": loss, **scores, "seconds": time.monotonic() - started})
        save_state(model, epoch + 1, out / "state.safetensors")
    best = restore(quantise(load_file(out / "best.safetensors")))  # as a bundle stores it
    return Trained(sizes, best, vocabulary, score_split(Decoder(sizes, best), vocabulary, dev, config.search))


def score_split(decoder: Decoder, vocabulary: Vocabulary, split: Split, search: SearchConfig) -> dict[str, float]:
    """Caption a split by free-running beam search and score it by the coco-caption definitions."""
    made: dict[str, str] = {}
    for start in range(0, len(split.names), EVALUATION_BATCH):
        rows = slice(start, start + EVALUATION_BATCH)
        found = beam_search(decoder, split.grids[rows, 0], search.beam, search.length_power)
        sentences = [" ".join(vocabulary.decode(words[0])) for words in found.words]
        made.update(zip(split.names[rows], sentences, strict=True))
    references = {
        name: [" ".join(words) for words in captions]
        for name, captions in zip(split.names, split.captions, strict=True)
    }
    return caption_scores(references, made)


def _compiled(sizes: DecoderConfig, train: Split, config: TrainConfig) -> DecoderModel:
    keras.utils.set_random_seed(config.seed)
    model = build_decoder_model(sizes, cells=train.grids.shape[2], precision=best_precision())
    steps = config.epochs * (-(-len(train.names) // config.batch))
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps, alpha=0.02, warmup_target=config.rate, warmup_steps=min(200, steps // 10)
    )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=0.01, clipnorm=5.0)
    model.compile(optimizer, loss=CaptionLoss(config.smoothing), jit_compile=False)
    optimizer.build(model.trainable_variables)
    return model


def _run_epoch(model: DecoderModel, train: Split, vocabulary: Vocabulary, config: TrainConfig, epoch: int) -> float:
    batches = -(-len(train.names) // config.batch)
    losses = []
    examples = _batches(train, vocabulary, model.config.max_words + 1, config, epoch)
    for inputs, targets in tqdm(examples, total=batches, desc=f"epoch {epoch + 1}/{config.epochs}", unit="batch"):
        losses.append(float(np.asarray(model.train_on_batch(inputs, targets))))
    return float(np.mean(losses))


def _batches(
    train: Split, vocabulary: Vocabulary, steps: int, config: TrainConfig, epoch: int
) -> Iterator[tuple[tuple[np.ndarray, np.ndarray], np.ndarray]]:
    """Every picture once, in an order that (seed, epoch) fixes; the last batch is filled up from the first pictures."""
    random = np.random.default_rng((config.seed, epoch))
    order = random.permutation(len(train.names))
    for start in range(0, len(order), config.batch):
        rows = np.resize(order[start : start + config.batch], config.batch)
        views = random.integers(train.grids.shape[1], size=len(rows))
        chosen = [_five(train.captions[int(row)], random) for row in rows]
        fed, expected = vocabulary.teacher_forcing([caption for picture in chosen for caption in picture], steps)
        shape = (len(rows), CAPTIONS, steps)
        yield (train.grids[rows, views].astype(np.float32), fed.reshape(shape)), expected.reshape(shape)


def _five(captions: Sequence[Sequence[str]], random: np.random.Generator) -> list[Sequence[str]]:
    """Five captions of a picture, drawn without repetition as far as there are five."""
    if len(captions) == CAPTIONS:
        return list(captions)
    repeated = list(captions) * -(-CAPTIONS // len(captions))
    return [repeated[index] for index in random.permutation(len(repeated))[:CAPTIONS]]


class EpochLog:
    """`log.csv` and TensorBoard events, one row an epoch; rows after `done` epochs are dropped on resume."""

    def __init__(self, out: Path, done: int) -> None:
        self._path = out / "log.csv"
        self._events = out / "tensorboard"
        self._rows = self._read()[:done]

    @property
    def best(self) -> float:
        """The highest dev CIDEr so far, or minus infinity."""
        return max((row["cider"] for row in self._rows), default=-np.inf)

    def add(self, row: dict[str, float]) -> None:
        """Append an epoch's figures to the file and to TensorBoard."""
        self._rows.append(row)
        lines = io.StringIO()
        writer = csv.DictWriter(lines, fieldnames=list(row))
        writer.writeheader()
        writer.writerows(self._rows)
        save_text(lines.getvalue(), self._path)
        self._write_events(row)

    def _read(self) -> list[dict[str, float]]:
        if not self._path.exists():
            return []
        with self._path.open(newline="") as file:
            return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]

    def _write_events(self, row: dict[str, float]) -> None:
        import tensorflow as tf

        with tf.summary.create_file_writer(str(self._events)).as_default():
            for name, value in row.items():
                tf.summary.scalar(name, value, step=int(row["epoch"]))


def split_words(captions: Sequence[Sequence[str]]) -> list[list[list[str]]]:
    """Cut every caption of every picture into words."""
    return [[tokenize(caption) for caption in picture] for picture in captions]
