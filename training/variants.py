"""Which BLEU ranks best? Every variant on the same generated captions, for whole sentences and short queries."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from captioner.types import Describes
from data.captioned import Dataset
from data.text import tokenize
from retrieval.bleu import BleuVariant
from retrieval.postings import BleuPostings
from training.evaluate import describe_split, run_facts
from training.gallery import BATCH
from training.protocol import ranks_of_queries, summarise

SHORT = 3
VARIANTS = {
    "BLEU-4, unsmoothed": BleuVariant(4, (0.25,) * 4, 0),
    "BLEU-4, method 1": BleuVariant(4, (0.25,) * 4, 1),
    "BLEU-4, method 2": BleuVariant(4, (0.25,) * 4, 2),
    "BLEU-4, method 3": BleuVariant(4, (0.25,) * 4, 3),
    "BLEU-4, method 4": BleuVariant(4, (0.25,) * 4, 4),
    "BLEU-3, method 1": BleuVariant(3, (0.4, 0.3, 0.3), 1),
    "BLEU-2, method 1": BleuVariant(2, (0.5, 0.5), 1),
    "BLEU-2, method 2": BleuVariant(2, (0.5, 0.5), 2),
    "BLEU-2, 0.7/0.3, method 1": BleuVariant(2, (0.7, 0.3), 1),
    "BLEU-2, 0.7/0.3, method 2": BleuVariant(2, (0.7, 0.3), 2),
    "BLEU-2, 0.9/0.1, method 1": BleuVariant(2, (0.9, 0.1), 1),
    "BLEU-1": BleuVariant(1, (1.0,), 0),
}


def evaluate_variants(captioner: Describes, dataset: Dataset, seed: int, batch: int = BATCH) -> dict[str, Any]:
    """Rank the split's pictures by each variant, for every human caption and for its three rarest words.

    Returns the facts of the run and `rankings`, recall and median by "<variant>, sentences" or ", three words".
    """
    started = time.monotonic()
    described = describe_split(captioner, dataset, batch)
    texts = [[caption.text for caption in one.captions] for one in described.descriptions]
    scorer = _Scorer(BleuPostings.build(texts, max_order=4), len(texts))
    sentences = [(caption, row) for row, picture in enumerate(described.pictures) for caption in picture.captions]
    rankings: dict[str, dict[str, float]] = {}
    for title, queries in (("sentences", sentences), ("three words", _short(sentences))):
        for name, ranks in ranks_of_queries(queries, scorer, seed).items():
            rankings[f"{name}, {title}"] = summarise(ranks)
    return {
        "task": "variants",
        **run_facts(captioner, dataset, described),
        "seed": seed,
        "queries": len(sentences),
        "rankings": rankings,
        "seconds": round(time.monotonic() - started, 1),
    }


class _Scorer:
    def __init__(self, postings: BleuPostings, gallery: int) -> None:
        self._postings, self._gallery = postings, gallery

    def __call__(self, query: str) -> dict[str, np.ndarray]:
        words, scores = tokenize(query), {}
        for name, variant in VARIANTS.items():
            scores[name] = np.zeros(self._gallery)
            rows, found = self._postings.scores(words, variant)
            scores[name][rows] = found
        return scores


def _short(queries: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    """The three words of each query that are rarest among all queries, in their order: what people type."""
    counts = Counter(word for query, _ in queries for word in set(tokenize(query)))
    shortened = []
    for query, target in queries:
        words = tokenize(query)
        rare = set(sorted(set(words), key=lambda word: (counts[word], word))[:SHORT])
        shortened.append((" ".join(word for word in words if word in rare), target))
    return shortened
