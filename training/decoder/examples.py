"""Batches for the decoder: pictures' grids, captions as numbers, and what each word counts for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from captioner.vocabulary import PAD, Vocabulary
from data.text import tokenize
from training.config import TrainConfig

CAPTIONS = 5
ROUND = 256
"""Places are filled up to a multiple of this, so that few batch shapes are met and compiled for."""


@dataclass(frozen=True)
class Split:
    """Pictures with their grids, float16 (n, views, cells, channels), and their captions' words."""

    names: Sequence[str]
    grids: np.ndarray
    captions: Sequence[Sequence[Sequence[str]]]


class Batch(NamedTuple):
    """What `DecoderModel` reads (grids, words, places), the words expected there, and what each counts for."""

    inputs: tuple[np.ndarray, np.ndarray, np.ndarray]
    expected: np.ndarray
    weights: np.ndarray


def split_words(captions: Sequence[Sequence[str]]) -> list[list[list[str]]]:
    """Cut every caption of every picture into words."""
    return [[tokenize(caption) for caption in picture] for picture in captions]


def batch_rows(count: int, config: TrainConfig, epoch: int) -> Iterator[tuple[np.ndarray, np.random.Generator]]:
    """Every picture once, in an order that (seed, epoch) fixes; the last batch is filled up from the first.

    Yields the rows with the batch's own source of random numbers.
    """
    order = np.random.default_rng((config.seed, epoch)).permutation(count)
    for start in range(0, count, config.batch):
        rows = np.resize(order[start : start + config.batch], config.batch)
        yield rows, np.random.default_rng((config.seed, epoch, start))


def whole_batches(count: int, batch: int, epochs: int, seed: int) -> Iterator[tuple[np.ndarray, np.random.Generator]]:
    """Rows in an order that (seed, epoch) fixes, whole batches only, with each batch's own source of random numbers.

    In contrastive learning each picture of a batch is the others' wrong answer, so none may stand in it twice.
    """
    for epoch in range(epochs):
        order = np.random.default_rng((seed, epoch)).permutation(count)
        for start in range(0, count - batch + 1, batch):
            yield order[start : start + batch], np.random.default_rng((seed, epoch, start))


def draw_grids(split: Split, rows: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """One view of each picture, float32 (n, cells, channels)."""
    views = random.integers(split.grids.shape[1], size=len(rows))
    return split.grids[rows, views].astype(np.float32)


def draw_captions(split: Split, rows: np.ndarray, random: np.random.Generator) -> list[Sequence[Sequence[str]]]:
    """Five captions of each picture, without repetition as far as there are five."""
    return [_five(split.captions[int(row)], random) for row in rows]


def _five(captions: Sequence[Sequence[str]], random: np.random.Generator) -> Sequence[Sequence[str]]:
    if len(captions) == CAPTIONS:
        return captions
    repeated = list(captions) * -(-CAPTIONS // len(captions))
    return [repeated[index] for index in random.permutation(len(repeated))[:CAPTIONS]]


def make_batch(
    grids: np.ndarray,
    captions: Sequence[Sequence[Sequence[str]]],
    vocabulary: Vocabulary,
    steps: int,
    worth: np.ndarray | None = None,
) -> Batch:
    """Turn n pictures' equally many captions into a batch.

    Places are filled up with the number of all words. The words' weights add up to one; with `worth` (n, captions) a
    caption's words are weighed by its worth.
    """
    fed, expected = vocabulary.teacher_forcing([one for picture in captions for one in picture], steps)
    places = np.flatnonzero(expected.ravel() != PAD).astype(np.int32)
    filled = np.full(-(-len(places) // ROUND) * ROUND, expected.size, np.int32)
    filled[: len(places)] = places
    there = np.minimum(filled, expected.size - 1)
    weights = np.zeros(len(filled), np.float32)
    weights[: len(places)] = 1 / len(places)
    if worth is not None:
        weights *= worth.ravel()[there // steps]
    shape = (len(captions), len(captions[0]), steps)
    return Batch((grids, fed.reshape(shape), filled), expected.ravel()[there], weights)
