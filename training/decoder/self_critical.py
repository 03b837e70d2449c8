"""Self-critical training: sampled captions are weighted by their CIDEr.

Rennie et al. 2017, with the other samples of a picture as the baseline (Luo 2020). With a positive `distinction`, the
mean CIDEr that a sample would earn for the most similar pictures is subtracted (after Wang et al. 2020, "Compare and
Reweight"), so that captions do not all become the same.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from captioner.decoder import Decoder, State
from captioner.vocabulary import END, PAD, START, UNKNOWN, Vocabulary

ORDERS = 4
SIGMA = 6.0

Gram = tuple[str, ...]


class CiderReward:
    """CIDEr (Vedantam et al. 2015) against fixed references, equal to coco-caption's per-caption scores.

    Document frequencies of n-grams are counted over the references of all pictures.
    """

    def __init__(self, references: Sequence[Sequence[Sequence[str]]]) -> None:
        """`references`: the captions of each picture, each a sequence of words."""
        counts = [[_count(words) for words in captions] for captions in references]
        self._documents = Counter(gram for picture in counts for gram in set().union(*picture))
        self._log_pictures = math.log(len(references))
        self._references = [[self._weigh(one) for one in picture] for picture in counts]

    def score(self, picture: int, words: Sequence[str]) -> float:
        """Return the CIDEr of `words` for the picture of that index, on the scale where 0.45 is often printed as 45."""
        vector, norms, length = self._weigh(_count(words))
        total = 0.0
        for reference, reference_norms, reference_length in self._references[picture]:
            shared = [0.0] * ORDERS
            for gram, weight in vector.items():
                if gram in reference:
                    shared[len(gram) - 1] += min(weight, reference[gram]) * reference[gram]
            products = (a * b for a, b in zip(norms, reference_norms, strict=True))
            likeness = sum(one / product for one, product in zip(shared, products, strict=True) if product)
            total += likeness * math.exp(-((length - reference_length) ** 2) / (2 * SIGMA**2))
        return 10 * total / (ORDERS * len(self._references[picture]))

    def _weigh(self, counts: Counter[Gram]) -> tuple[dict[Gram, float], list[float], int]:
        """Return TF-IDF by n-gram, its norm by order, and the number of bigrams, coco-caption's sentence length."""
        vector = {
            gram: count * (self._log_pictures - math.log(max(self._documents[gram], 1)))
            for gram, count in counts.items()
        }
        squares = [0.0] * ORDERS
        for gram, weight in vector.items():
            squares[len(gram) - 1] += weight * weight
        bigrams = sum(count for gram, count in counts.items() if len(gram) == 2)
        return vector, [math.sqrt(one) for one in squares], bigrams


def _count(words: Sequence[str]) -> Counter[Gram]:
    return Counter(gram for order in range(1, ORDERS + 1) for gram in _grams(words, order))


def _grams(words: Sequence[str], order: int) -> Iterable[Gram]:
    return (tuple(words[start : start + order]) for start in range(len(words) - order + 1))


SAMPLES = 5
NEIGHBOURS = 4
TEMPERATURE = 0.6
"""The temperature for sampling and for training alike. It is low because the tail of a label-smoothed distribution is
noise. With different temperatures for sampling and training, captions degenerate."""


def sample_sentences(decoder: Decoder, grids: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """Sample `count` sentences for each picture at TEMPERATURE: int (n, count, steps), ended by END, then PAD."""
    prepared, state = decoder.prepare(grids)
    state = State(*(np.repeat(part, count, axis=0) for part in state))
    words = np.full((len(grids) * count, decoder.config.max_words + 1), PAD, np.int32)
    last = np.full(len(words), START, np.int32)
    for step in range(words.shape[1]):
        scores, state = decoder.step(prepared, state, last)
        scores[:, (PAD, START, UNKNOWN)] = -np.inf
        drawn = _draw(scores, random)
        finished = np.isin(last, (END, PAD))
        last = np.where(finished, PAD, drawn).astype(np.int32)
        words[:, step] = last
        if finished.all():
            break
    return words.reshape(len(grids), count, -1)


def _draw(scores: np.ndarray, random: np.random.Generator) -> np.ndarray:
    share = np.cumsum(np.exp(scores / TEMPERATURE), axis=1)
    return (share < random.random((len(scores), 1)) * share[:, -1:]).sum(axis=1)


def draw_samples(
    decoder: Decoder, vocabulary: Vocabulary, grids: np.ndarray, random: np.random.Generator
) -> list[list[list[str]]]:
    """Sample SAMPLES captions for each picture, as words."""
    sampled = sample_sentences(decoder, grids, SAMPLES, random)
    return [[vocabulary.decode(sentence) for sentence in picture] for picture in sampled]


def nearest_pictures(grids: np.ndarray) -> np.ndarray:
    """Return the NEIGHBOURS nearest pictures of each by cosine of mean features, int (n, NEIGHBOURS).

    `grids` has the shape (n, cells, d).
    """
    means = np.stack([grid.mean(axis=0, dtype=np.float32) for grid in grids])
    means -= means.mean(axis=0)
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)
    near = means @ means.T
    np.fill_diagonal(near, -np.inf)
    return np.argsort(-near, axis=1, kind="stable")[:, :NEIGHBOURS]


def advantages(
    reward: CiderReward,
    rows: np.ndarray,
    captions: Sequence[Sequence[Sequence[str]]],
    neighbours: np.ndarray,
    distinction: float,
) -> tuple[np.ndarray, float]:
    """Return the advantage of each caption, (n, samples), zero on average for a picture, and the mean CIDEr.

    The captions' mean CIDEr for `neighbours` (n, r), other pictures, is subtracted `distinction` times.
    """
    cider = _cider(reward, rows, captions)
    rewards = cider.copy()
    if distinction:
        others = [_cider(reward, column, captions) for column in neighbours.T]
        rewards -= distinction * np.mean(others, axis=0)
    baseline = (rewards.sum(axis=1, keepdims=True) - rewards) / (rewards.shape[1] - 1)
    return rewards - baseline, float(cider.mean())


def _cider(reward: CiderReward, rows: np.ndarray, captions: Sequence[Sequence[Sequence[str]]]) -> np.ndarray:
    return np.asarray(
        [[reward.score(int(row), words) for words in samples] for row, samples in zip(rows, captions, strict=True)]
    )
