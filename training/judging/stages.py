"""The product's ranking, stage by stage, beside other rankers: same pictures, same captions, same queries."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from captioner.types import SearchDescriber, SearchModel
from data.captioned import Dataset
from data.text import tokenize
from retrieval.bleu.score import TYPED_VARIANT
from retrieval.search.search import Searcher
from training.judging.baselines import Ranker, baselines, difference_from_nltk
from training.judging.evaluate import describe_split, gallery_scores, queries_of, run_facts
from training.judging.gallery import BATCH, searchable
from training.judging.protocol import ranks_of, summarise


def evaluate_stages(
    captioner: SearchDescriber, dataset: Dataset, seed: int, captions: int | None = None, batch: int = BATCH
) -> dict[str, Any]:
    """Search the split's pictures, known by generated captions only, with every human caption.

    Returns the facts of the run, `largest_difference_from_nltk`, held against NLTK for the BLEU-4 of some queries, and
    `stages`: by name `r1`, `r5`, `r10` (percent), `median` rank and `ms` a query, scores spread over the whole gallery.
    `seed` decides ties; of a picture's captions the best `captions` are kept.
    Raises EvaluationError when no picture can be read or there is no query.
    """
    started = time.monotonic()
    described = describe_split(captioner, dataset, batch).with_captions(captions)
    with searchable(described, captioner) as (searcher, rows):
        gallery: list[list[str]] = [[]] * len(searcher.index)
        for picture, texts in zip(described.pictures, described.texts, strict=True):
            gallery[rows[picture.name]] = texts
        queries = queries_of(described, rows)
        rankers = {**baselines(gallery), **_own(searcher, captioner.search_model)}
        difference = difference_from_nltk(gallery, [query for query, _ in queries])
        stages = {name: _judge(name, ranker, queries, seed) for name, ranker in rankers.items()}
    return {
        "task": "search",
        **run_facts(captioner, dataset, described),
        "seed": seed,
        "queries": len(queries),
        "largest_difference_from_nltk": difference,
        "stages": stages,
        "seconds": round(time.monotonic() - started, 1),
    }


def _judge(name: str, ranker: Ranker, queries: Sequence[tuple[str, int]], seed: int) -> dict[str, float]:
    seconds = 0.0

    def scores() -> Iterator[np.ndarray]:
        nonlocal seconds
        for query, _ in tqdm(queries, desc=name, unit="query", disable=None):
            started = time.perf_counter()
            found = ranker(query)
            seconds += time.perf_counter() - started
            yield found

    ranks = ranks_of(scores(), [target for _, target in queries], seed)
    return {**summarise(ranks), "ms": 1000 * seconds / len(queries)}


def _own(searcher: Searcher, model: SearchModel) -> dict[str, Ranker]:
    """The product's stages, as far as the `model` of sentences goes; without one there is only the first.

    Cosine exists only inside the whole search, so that is what its time is.
    """

    every = searcher.index.ids

    def bleu(query: str) -> np.ndarray:
        return searcher.index.captions.scores(tokenize(query), TYPED_VARIANT, every)

    if model.embedder is None:
        return {"BLEU": bleu}
    hasty = searcher.without_reranker()
    stages = {
        "BLEU": bleu,
        "cosine alone": _ranked(hasty, "cosine"),
        "BLEU + cosine": _ranked(hasty, "fused"),
    }
    looked = {"BLEU + cosine + reranker": _ranked(searcher, "fused")}
    return stages | looked if model.likelihood else stages


def _ranked(searcher: Searcher, ranking: str) -> Ranker:
    """Rank the gallery by one of the searcher's rankings."""
    return lambda query: gallery_scores(searcher, query, (ranking,))[0][ranking]
