"""Compare BLEU variants as rankers on the same generated captions, for typed queries and for captions as queries."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np

from captioner.encoders.base import Features
from captioner.types import Description, SearchDescriber
from data.captioned import Dataset
from data.progress import progress_bar
from data.text import STOP_WORDS, fold, tokenize
from retrieval.bleu.postings import BleuPostings
from retrieval.bleu.score import CAPTION_VARIANT, TYPED_VARIANT, BleuVariant
from training.evaluation.evaluate import describe_split, run_facts
from training.metrics import ranks_of, summarise

Query = tuple[list[str], int]
"""One or more texts for the same picture, and the row of that picture in the gallery."""


def content_words(queries: Sequence[Query], count: int, seed: int) -> list[Query]:
    """Draw `count` words of each text, in their order; stop words only if there are no others."""
    random = Random(seed)
    return [([_draw(text, count, random) for text in texts], target) for texts, target in queries]


def _draw(text: str, count: int, random: Random) -> str:
    words = tokenize(text)
    positions = [index for index, word in enumerate(words) if word not in STOP_WORDS] or list(range(len(words)))
    drawn = random.sample(positions, min(count, len(positions)))
    return " ".join(words[index] for index in sorted(drawn))


TYPED_LENGTHS = (5, 3, 2)
MAX_ORDER = 4


@dataclass(frozen=True)
class Row:
    """A variant of the comparison, on stems if `folded`.

    `reverse`: each caption is the hypothesis and the query its only reference; the picture's best caption counts.
    """

    variant: BleuVariant
    folded: bool = False
    reverse: bool = False


def _uniform(order: int, smoothing: int, brevity: bool = True) -> BleuVariant:
    return BleuVariant(order, (1 / order,) * order, smoothing, brevity)


ROWS = {
    **{f"BLEU-4, method {method}": Row(_uniform(4, method)) for method in range(5)},
    "BLEU-3, method 1": Row(_uniform(3, 1)),
    "BLEU-2, method 1": Row(_uniform(2, 1)),
    "BLEU-2, 0.9/0.1": Row(BleuVariant(2, (0.9, 0.1), 1)),
    "BLEU-1": Row(_uniform(1, 0)),
    "caption as hypothesis, BLEU-2, 0.9/0.1": Row(BleuVariant(2, (0.9, 0.1), 1), reverse=True),
    "BLEU-4, method 1, no penalty": Row(_uniform(4, 1, brevity=False)),
    "BLEU-2, method 1, no penalty": Row(_uniform(2, 1, brevity=False)),
    "BLEU-2, 0.9/0.1, no penalty": Row(BleuVariant(2, (0.9, 0.1), 1, brevity=False)),
    "the same and agreement": Row(TYPED_VARIANT),
    "the same on stems (typed words)": Row(TYPED_VARIANT, folded=True),
    "BLEU-3, method 1, on stems (captions)": Row(CAPTION_VARIANT, folded=True),
}


def evaluate_variants(captioner: SearchDescriber, dataset: Dataset, seed: int) -> dict[str, Any]:
    """Rank the split's pictures by each variant.

    Typed queries are every human caption and some content words of it; caption queries are the generated captions of
    the mirrored picture, whose scores are averaged. Return the facts of the run and `rankings`, recall and median by
    "<variant>, <kind of query>".
    """
    started = time.monotonic()
    described = describe_split(captioner, dataset)
    comparison = _Comparison(described.texts, seed)
    sentences = [([caption], row) for row, picture in enumerate(described.pictures) for caption in picture.captions]
    rankings = comparison.of("sentences", sentences)
    for count in TYPED_LENGTHS:
        rankings |= comparison.of(f"{count} words", content_words(sentences, count, seed))
    mirrored = describe_split(_Mirrored(captioner), dataset)
    rankings |= comparison.of("captions", [(texts, row) for row, texts in enumerate(mirrored.texts)])
    return {
        "task": "variants",
        **run_facts(captioner, dataset, described),
        "seed": seed,
        "queries": len(sentences),
        "rankings": rankings,
        "seconds": round(time.monotonic() - started, 1),
    }


class _Mirrored:
    """Describes the mirror image of every picture."""

    def __init__(self, captioner: SearchDescriber) -> None:
        self.model_version, self.input_side = captioner.model_version, captioner.input_side
        self.search_model = captioner.search_model
        self._captioner = captioner

    def encode(self, pictures: np.ndarray) -> Features:
        return self._captioner.encode(np.ascontiguousarray(pictures[:, :, ::-1]))

    def caption(self, features: Features) -> list[Description]:
        return self._captioner.caption(features)

    def describe(self, pictures: np.ndarray) -> list[Description]:
        return self.caption(self.encode(pictures))


class _Comparison:
    """Ranks a gallery by every row for one kind of queries at a time."""

    def __init__(self, gallery: Sequence[Sequence[str]], seed: int) -> None:
        self._gallery, self._seed = gallery, seed
        self._postings = {form: BleuPostings.build(gallery, MAX_ORDER, form) for form in (str, fold)}

    def of(self, kind: str, queries: Sequence[Query]) -> dict[str, dict[str, float]]:
        """Return recall and median of each row, by "<row>, <kind>"."""
        targets = [target for _, target in queries]
        rankings = {}
        for name, row in progress_bar(ROWS.items(), desc=kind, unit="variant"):
            scores = self._reverse(queries, row) if row.reverse else self._scores(queries, row)
            rankings[f"{name}, {kind}"] = summarise(ranks_of(scores, targets, self._seed))
        return rankings

    def _scores(self, queries: Sequence[Query], row: Row) -> Iterator[np.ndarray]:
        """Yield the scores of all pictures for each query, averaged over its texts."""
        postings = self._postings[fold if row.folded else str]
        for texts, _ in queries:
            total = np.zeros(len(self._gallery))
            for text in texts:
                total += postings.dense(tokenize(text), row.variant) / len(texts)
            yield total

    def _reverse(self, queries: Sequence[Query], row: Row) -> Iterator[np.ndarray]:
        """Return the same with each caption as the hypothesis; the texts of the queries are indexed."""
        form: Callable[[str], str] = fold if row.folded else str
        texts = [(number, text) for number, (texts, _) in enumerate(queries) for text in texts]
        postings = BleuPostings.build(([text] for _, text in texts), row.variant.max_order, form)
        best = np.zeros((len(texts), len(self._gallery)), np.float32)
        for picture, captions in enumerate(self._gallery):
            for caption in captions:
                rows, scores = postings.scores(tokenize(caption), row.variant)
                best[rows, picture] = np.maximum(best[rows, picture], scores)
        owner = np.array([number for number, _ in texts])
        return (best[owner == number].mean(axis=0) for number in range(len(queries)))
