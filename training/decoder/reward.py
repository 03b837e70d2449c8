"""CIDEr of single captions, fast enough to be a training signal."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

ORDERS = 4
SIGMA = 6.0

Gram = tuple[str, ...]


class CiderReward:
    """CIDEr (Vedantam et al. 2015) against fixed references, equal to coco-caption's per-caption scores.

    The references of all pictures given make up the corpus that tells rare n-grams from common ones.
    """

    def __init__(self, references: Sequence[Sequence[Sequence[str]]]) -> None:
        """`references`: per picture its captions, each a sequence of words."""
        counts = [[_count(words) for words in captions] for captions in references]
        self._documents = Counter(gram for picture in counts for gram in set().union(*picture))
        self._log_pictures = math.log(len(references))
        self._references = [[self._weigh(one) for one in picture] for picture in counts]

    def score(self, picture: int, words: Sequence[str]) -> float:
        """CIDEr of `words` for the picture of that index, on the scale where 0.45 is usually printed as 45."""
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
        """TF-IDF by n-gram, its norm by order, and the number of bigrams, which coco-caption takes for the length."""
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
