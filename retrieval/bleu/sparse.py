"""N-grams as sparse vectors: an inner product that ranks about as BLEU does, for databases that find by products.

A picture's vector has a dimension for each n-gram that BLEU counts, and one more where a caption repeats it. So a
product counts an n-gram as often as both sides have it, twice at most, which are the matches of BLEU. Each word has
another dimension with the share of the picture's captions that have it, which is its agreement.

A query weighs them so that the product is its score to first order. The score is

    (1 - agreement) * BLEU + agreement * (mean share of captions with each distinct word),

and its second part is a sum already. BLEU is `prod(precision[n] ** weight[n])`; one more match adds to its logarithm
`weight[n] / precision[n] / total[n]`, where `total[n]` is the number of the query's n-grams of order n. The precisions
differ from picture to picture. Only the order of the best pictures matters, and these have nearly all words, fewer of
the pairs, still fewer of the triples: about `1 / n` of each order. So a match weighs `n * weight[n] / total[n]`.

What the product leaves out: BLEU is not linear, and its brevity penalty depends on the lengths of captions. Therefore
candidates are more than the pictures that are wanted, and their scores are computed exactly; `python -m
bench.sparse_bleu` counts how many of the true best are kept.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from retrieval.bleu.score import INDEXED_ORDER, BleuVariant

DIMENSIONS = 2**31 - 1
"""N-grams are numbered by a checksum, so that no table has to be kept; two with one number only add a candidate."""
NOTHING = {0: 1.0}
"""The vector of a picture whose captions have no words: databases refuse empty ones."""

SparseVector = dict[int, float]
"""Values by dimension."""


class CandidateSource(Protocol):
    """Finds pictures that BLEU may rank among the best, without reading all that share a word."""

    def find(self, query: Sequence[str], variant: BleuVariant, count: int) -> np.ndarray | None:
        """Return the ids, rising int64, of about the `count` best; fewer if no more share a word; None if it cannot."""


def picture_vector(captions: Sequence[Sequence[str]]) -> SparseVector:
    """Return the vector of a picture by the folded words of its captions, at least one."""
    orders = range(1, INDEXED_ORDER + 1)
    matching = {name for caption in captions for order in orders for name in _matching(caption, order)}
    containing = Counter(word for caption in captions for word in set(caption))
    vector = dict.fromkeys(map(_dimension, matching), 1.0)
    vector |= {_dimension(_agreeing(word)): count / len(captions) for word, count in containing.items()}
    return vector or NOTHING


def query_vector(query: Sequence[str], variant: BleuVariant) -> SparseVector:
    """Return the vector of a query of folded words; its product with a picture's is about the score of `variant`."""
    vector: SparseVector = {}
    for order, weight in enumerate(variant.weights, 1):
        worth = (1 - variant.agreement) * order * weight / max(1, len(query) - order + 1)
        vector |= dict.fromkeys(map(_dimension, _matching(query, order)), worth)
    if variant.agreement:
        vector |= {_dimension(_agreeing(word)): variant.agreement / len(set(query)) for word in query}
    return vector


def _matching(words: Sequence[str], order: int) -> set[str]:
    """Return a name for each n-gram of `order` words, and one more for each that comes again."""
    ngrams = list(map(" ".join, zip(*(words[start:] for start in range(order)), strict=False)))
    names = set(ngrams)
    return names | {f"{one} / again" for one in ngrams if ngrams.count(one) > 1} if len(names) < len(ngrams) else names


def _agreeing(word: str) -> str:
    return f"{word} / captions"


def _dimension(name: str) -> int:
    return 1 + zlib.crc32(name.encode()) % DIMENSIONS
