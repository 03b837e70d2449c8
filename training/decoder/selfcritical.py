"""Self-critical training: captions the model samples are pushed by how much CIDEr they earn.

Rennie et al. 2017, with the other samples of a picture as the baseline (Luo 2020). What many pictures could
be told by earns less where `distinction` is positive: the mean CIDEr that the sample would earn for the pictures
that look most alike is taken off (after Wang et al. 2020, "Compare and Reweight"), against captions that all
become the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from captioner.decoder import Decoder, State
from captioner.vocabulary import END, PAD, START, UNKNOWN, Vocabulary
from training.decoder.reward import CiderReward

SAMPLES = 5
RIVALS = 4
TEMPERATURE = 0.6
"""Of the policy that is sampled and taught alike: near what beam search would say, as the rest of a label-smoothed
distribution is noise. Sampled at one temperature and taught at another, captions fall apart."""


def sample_sentences(decoder: Decoder, grids: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """Draw `count` sentences a picture, words by p ** (1 / TEMPERATURE): int (n, count, steps), END, then PAD."""
    views, state = decoder.look(grids)
    state = State(*(np.repeat(part, count, axis=0) for part in state))
    words = np.full((len(grids) * count, decoder.config.max_words + 1), PAD, np.int32)
    last = np.full(len(words), START, np.int32)
    for step in range(words.shape[1]):
        scores, state = decoder.step(views, state, last)
        scores[:, (PAD, START, UNKNOWN)] = -np.inf
        drawn = _draw(scores, random)
        over = np.isin(last, (END, PAD))
        last = np.where(over, PAD, drawn).astype(np.int32)
        words[:, step] = last
        if over.all():
            break
    return words.reshape(len(grids), count, -1)


def _draw(scores: np.ndarray, random: np.random.Generator) -> np.ndarray:
    share = np.cumsum(np.exp(scores / TEMPERATURE), axis=1)
    return (share < random.random((len(scores), 1)) * share[:, -1:]).sum(axis=1)


def draw_samples(
    decoder: Decoder, vocabulary: Vocabulary, grids: np.ndarray, random: np.random.Generator
) -> list[list[list[str]]]:
    """SAMPLES sampled captions a picture, as words."""
    sampled = sample_sentences(decoder, grids, SAMPLES, random)
    return [[vocabulary.decode(sentence) for sentence in picture] for picture in sampled]


def look_alikes(grids: np.ndarray) -> np.ndarray:
    """The RIVALS pictures nearest to each by cosine of their mean features, int (n, RIVALS); grids (n, cells, d)."""
    means = np.stack([grid.mean(axis=0, dtype=np.float32) for grid in grids])
    means -= means.mean(axis=0)
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)
    near = means @ means.T
    np.fill_diagonal(near, -np.inf)
    return np.argsort(-near, axis=1, kind="stable")[:, :RIVALS]


def judge(
    reward: CiderReward,
    rows: np.ndarray,
    captions: Sequence[Sequence[Sequence[str]]],
    rivals: np.ndarray,
    distinction: float,
) -> tuple[np.ndarray, float]:
    """What each caption is worth, (n, samples), zero on average for a picture; and the mean CIDEr.

    `rivals` (n, r) are the pictures whose CIDEr counts against a caption, `distinction` times their mean.
    """
    earned = _earned(reward, rows, captions)
    worth = earned.copy()
    if distinction:
        others = [_earned(reward, column, captions) for column in rivals.T]
        worth -= distinction * np.mean(others, axis=0)
    baseline = (worth.sum(axis=1, keepdims=True) - worth) / (worth.shape[1] - 1)
    return worth - baseline, float(earned.mean())


def _earned(reward: CiderReward, rows: np.ndarray, captions: Sequence[Sequence[Sequence[str]]]) -> np.ndarray:
    return np.asarray([[reward.score(int(row), one) for one in made] for row, made in zip(rows, captions, strict=True)])
