"""Batches for training: data sets as splits, captions as word ids, and the order in which pictures are drawn."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np

from captioner.vocabulary import PAD, Vocabulary
from data.text import tokenize
from training.config import TrainConfig

CAPTIONS = 5
ROUND = 256
"""Positions are padded to a multiple of this, so that few batch shapes occur and are compiled."""


@dataclass(frozen=True)
class Split:
    """Pictures with their grids, float16 (n, crops, cells, channels), and the words of their captions."""

    names: Sequence[str]
    grids: np.ndarray
    captions: Sequence[Sequence[Sequence[str]]]


class Batch(NamedTuple):
    """The inputs of `DecoderModel` (grids, words, positions), the expected words there, and their weights."""

    inputs: tuple[np.ndarray, np.ndarray, np.ndarray]
    expected: np.ndarray
    weights: np.ndarray


def split_words(captions: Sequence[Sequence[str]]) -> list[list[list[str]]]:
    """Split every caption of every picture into words."""
    return [[tokenize(caption) for caption in picture] for picture in captions]


def batch_rows(count: int, config: TrainConfig, epoch: int) -> Iterator[tuple[np.ndarray, np.random.Generator]]:
    """Yield the rows of each batch, with a random generator of its own; each picture occurs once.

    The order depends on (seed, epoch) only. The last batch is filled up with its own pictures.
    """
    order = np.random.default_rng((config.seed, epoch)).permutation(count)
    for start in range(0, count, config.batch):
        rows = np.resize(order[start : start + config.batch], config.batch)
        yield rows, np.random.default_rng((config.seed, epoch, start))


def whole_batches(count: int, batch: int, epochs: int, seed: int) -> Iterator[tuple[np.ndarray, np.random.Generator]]:
    """Yield the rows of full batches only, with a random generator of each batch's own, in an order by (seed, epoch).

    In contrastive learning the pictures of a batch are each other's negatives, so none may occur in it twice.
    """
    for epoch in range(epochs):
        order = np.random.default_rng((seed, epoch)).permutation(count)
        for start in range(0, count - batch + 1, batch):
            yield order[start : start + batch], np.random.default_rng((seed, epoch, start))


def draw_grids(split: Split, rows: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Draw a crop of each picture, float32 (n, cells, channels)."""
    crops = random.integers(split.grids.shape[1], size=len(rows))
    return split.grids[rows, crops].astype(np.float32)


def draw_captions(split: Split, rows: np.ndarray, random: np.random.Generator) -> list[Sequence[Sequence[str]]]:
    """Draw CAPTIONS captions of each picture, without repetition if it has as many."""
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
    advantage: np.ndarray | None = None,
) -> Batch:
    """Build a batch of n pictures with equally many captions each.

    Positions are padded with the number of all words. The weights of the words add up to one; with `advantage`
    (n, captions) they are multiplied by that of the caption.
    """
    fed, expected = vocabulary.teacher_forcing([one for picture in captions for one in picture], steps)
    positions = np.flatnonzero(expected.ravel() != PAD).astype(np.int32)
    padded = np.full(-(-len(positions) // ROUND) * ROUND, expected.size, np.int32)
    padded[: len(positions)] = positions
    there = np.minimum(padded, expected.size - 1)
    weights = np.zeros(len(padded), np.float32)
    weights[: len(positions)] = 1 / len(positions)
    if advantage is not None:
        weights *= advantage.ravel()[there // steps]
    shape = (len(captions), len(captions[0]), steps)
    return Batch((grids, fed.reshape(shape), padded), expected.ravel()[there], weights)


T = TypeVar("T")


def prefetch(work: Callable[..., T], jobs: Iterable[tuple], count: int) -> Iterator[T]:
    """Yield `work(*job)` of each job in order, computing up to `count` results ahead in threads."""
    futures: list[Future[T]] = []
    with ThreadPoolExecutor(min(count, os.cpu_count() or 1)) as pool:
        for job in jobs:
            futures.append(pool.submit(work, *job))
            if len(futures) > count:
                yield futures.pop(0).result()
        yield from (future.result() for future in futures)
