"""Sentence BLEU of a query against a picture's captions, with the numbers of NLTK's `sentence_bleu`.

The captions are the references and the query is the hypothesis. Papineni, Roukos, Ward and Zhu (2002), "BLEU: a
Method for Automatic Evaluation of Machine Translation"; the smoothing methods are numbered as in Chen and Cherry
(2014), "A Systematic Comparison of Smoothing Techniques for Sentence-Level BLEU", with NLTK's constants.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

SMOOTHINGS = range(5)
EPSILON = 0.1  # Method 1 replaces a count of 0 by this.
METHOD_4_K = 5.0  # Chen and Cherry's K, which scales how fast method 4 falls with the sentence's length.


@dataclass(frozen=True)
class BleuVariant:
    """Which BLEU: n-gram orders 1 to `max_order`, a weight for each, and the smoothing method's number (0 to 4).

    Without `brevity` there is no penalty for a query that is shorter than the captions. `agreement`, 0 to 1, is the
    share of the score that is not BLEU against all captions together but the mean BLEU-1 of the query's distinct words
    against each caption alone, without brevity penalty: words in many captions count more than words in one. Raise
    ValueError when these do not fit together.
    """

    max_order: int
    weights: tuple[float, ...]
    smoothing: int
    brevity: bool = True
    agreement: float = 0.0

    def __post_init__(self) -> None:
        if self.max_order < 1 or len(self.weights) != self.max_order:
            raise ValueError(f"BLEU of orders 1 to {self.max_order} has {len(self.weights)} weights: give one for each")
        if not all(math.isfinite(weight) and weight >= 0 for weight in self.weights):
            raise ValueError(f"BLEU weights {self.weights} must be numbers of 0 or more")
        if self.smoothing not in SMOOTHINGS:
            raise ValueError(f"BLEU smoothing method {self.smoothing} is not one of {list(SMOOTHINGS)}")
        if not 0 <= self.agreement <= 1:
            raise ValueError(f"the share of agreement is {self.agreement}: give a number from 0 to 1")


TYPED_VARIANT = BleuVariant(max_order=2, weights=(0.9, 0.1), smoothing=1, brevity=False, agreement=0.5)
"""For typed words, see docs/ranking.md."""

CAPTION_VARIANT = BleuVariant(max_order=3, weights=(1 / 3, 1 / 3, 1 / 3), smoothing=1)
"""For captions as queries, see docs/ranking.md."""

INDEXED_ORDER = max(TYPED_VARIANT.max_order, CAPTION_VARIANT.max_order)


def score(query: Sequence[str], captions: Sequence[Sequence[str]], variant: BleuVariant = TYPED_VARIANT) -> float:
    """Return the score of one tokenised query against one picture's tokenised captions; 0.0 if either is empty."""
    if not query or not captions:
        return 0.0
    matches = [[_clipped_matches(query, captions, order)] for order in range(1, variant.max_order + 1)]
    closest = min((len(caption) for caption in captions), key=lambda length: (abs(length - len(query)), length))
    bleu = from_counts(np.array(matches), len(query), np.array([closest]), variant)
    words = set(query)
    containing = sum(len(words.intersection(caption)) for caption in captions)
    return float(with_agreement(bleu, np.array([containing]), len(words) * np.array([len(captions)]), variant)[0])


def with_agreement(bleu: np.ndarray, containing: np.ndarray, possible: np.ndarray, variant: BleuVariant) -> np.ndarray:
    """Return the score of one query for n pictures, float64 (n,), from their BLEU (n,) and their captions' agreement.

    `containing` (n,): the number of captions with a query word, summed over its distinct words; `possible` (n,): the
    largest possible such number.
    """
    return bleu_share(bleu, variant) + agreement_share(containing, possible, variant)


def bleu_share(bleu: np.ndarray, variant: BleuVariant) -> np.ndarray:
    """Return the part of `with_agreement` that comes from BLEU."""
    return (1 - variant.agreement) * bleu


def agreement_share(containing: np.ndarray, possible: np.ndarray, variant: BleuVariant) -> np.ndarray:
    """Return the part of `with_agreement` that comes from agreement."""
    return variant.agreement * (containing / possible)


def from_counts(matches: np.ndarray, length: int, closest: np.ndarray, variant: BleuVariant) -> np.ndarray:
    """Return the BLEU of one query for n pictures at once, float64 of shape (n,).

    `matches`: whole numbers of shape (max_order, n), the query's n-grams of each order that the captions have, clipped;
    `length`: words in the query, at least 1; `closest`: (n,) length of each picture's caption closest to it.
    """
    log_score = np.minimum(0.0, 1.0 - closest / length) if variant.brevity else np.zeros(len(closest))
    halvings = np.cumsum(matches == 0, axis=0) if _halves(variant.smoothing, length) else None
    for place, weight in enumerate(variant.weights):
        log_precision = _log_precisions(place + 1, length, variant.smoothing)[matches[place]]
        if halvings is not None:
            log_precision -= math.log(2) * np.where(matches[place] == 0, halvings[place], 0)
        log_score += weight * log_precision
    return np.where(matches[0] > 0, np.exp(log_score), 0.0)


def ngram_counts(words: Sequence[str], order: int) -> Counter[tuple[str, ...]]:
    """Return how often each n-gram of `order` words occurs in `words`."""
    return Counter(zip(*(words[start:] for start in range(order)), strict=False))


def _clipped_matches(query: Sequence[str], captions: Iterable[Sequence[str]], order: int) -> int:
    """Count the query's n-grams that the captions have, each at most as often as in any one caption."""
    allowed: Counter[tuple[str, ...]] = Counter()
    for caption in captions:
        allowed |= ngram_counts(caption, order)
    return (ngram_counts(query, order) & allowed).total()


def _halves(smoothing: int, length: int) -> bool:
    """Return whether each further order without a match counts half of the previous one (methods 3 and 4)."""
    return smoothing == 3 or (smoothing == 4 and length > 1)


def _log_precisions(order: int, length: int, smoothing: int) -> np.ndarray:
    """Return the log of the smoothed precision for 0, 1, ... matches of `order`, before any halving."""
    total = max(1, length - order + 1)
    added = 1 if smoothing == 2 and order > 1 else 0
    precisions = (np.arange(total + 1) + added) / (total + added)
    precisions[0] = precisions[0] if added else _precision_without_match(total, length, smoothing)
    return np.log(precisions)


def _precision_without_match(total: int, length: int, smoothing: int) -> float:
    if smoothing == 0:
        return sys.float_info.min
    if smoothing == 1:
        return EPSILON / total
    if smoothing == 3:
        return 1 / total
    if smoothing == 4 and length > 1:
        return math.log(length) / METHOD_4_K / total
    return 1.0  # NLTK leaves such an order out of the product.
