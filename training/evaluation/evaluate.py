"""Evaluate a captioner: the quality of its captions, and the search with them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from captioner.types import SearchDescriber, StagedDescriber
from data.captioned import Dataset
from data.errors import RetroflexError
from data.progress import progress_bar
from retrieval.bleu.score import TYPED_VARIANT
from retrieval.search.query import Query, QueryError
from retrieval.search.search import Searcher
from training.evaluation.gallery import Described, describe_pictures, searchable
from training.metrics import caption_scores, ranks_of_queries, summarise


class EvaluationError(RetroflexError):
    """There is nothing to evaluate; the message says why."""


def evaluate_captions(captioner: StagedDescriber, dataset: Dataset) -> dict[str, Any]:
    """Score the best generated caption of each picture against its human captions.

    Return the facts of the run and `scores`, see `training.metrics.caption_scores`. Nothing is random. Raise
    EvaluationError when no picture can be read.
    """
    started = time.monotonic()
    described = describe_split(captioner, dataset)
    references = {picture.name: picture.captions for picture in described.pictures}
    hypotheses = {
        picture.name: description.captions[0].text if description.captions else ""
        for picture, description in zip(described.pictures, described.descriptions, strict=True)
    }
    return {
        "task": "captions",
        **run_facts(captioner, dataset, described),
        "seed": None,
        "references": sum(len(captions) for captions in references.values()),
        "scores": caption_scores(references, hypotheses),
        "seconds": round(time.monotonic() - started, 1),
    }


def evaluate_search(
    captioner: SearchDescriber, dataset: Dataset, seed: int, captions: int | None = None
) -> dict[str, Any]:
    """Search the split's pictures, indexed with generated captions only, with every human caption as a query.

    A picture without human captions is in the gallery, but is no target. Return the facts of the run, `rankings` with
    `r1`, `r5`, `r10` (percent) and `median` rank for BLEU alone and for the product's fused score, and `ms_per_query`.
    `seed` breaks ties; the best `captions` of each picture are kept. Raise EvaluationError when no picture can be read
    or there is no query.
    """
    started = time.monotonic()
    described = describe_split(captioner, dataset).with_captions(captions)
    with searchable(described, captioner) as (searcher, rows):
        scorer = _Scorer(
            searcher, ("bleu", "cosine", "fused") if captioner.search_model.embedder else ("bleu", "fused")
        )
        queries = queries_of(described, rows)
        ranks = ranks_of_queries(progress_bar(queries, desc="searching", unit="query"), scorer, seed)
    return {
        "task": "search",
        **run_facts(captioner, dataset, described),
        "seed": seed,
        "queries": len(queries),
        "bleu_variant": asdict(TYPED_VARIANT),
        "relevance": captioner.search_model.calibration.to_json(),
        "rankings": {name: summarise(values) for name, values in ranks.items()},
        "mean_hits": round(float(np.mean(scorer.hits)), 2),
        "percent_without_hit": round(100 * float(np.mean(np.array(scorer.hits) == 0)), 2),
        "ms_per_query": round(1000 * scorer.seconds / len(queries), 3),
        "seconds": round(time.monotonic() - started, 1),
    }


class _Scorer:
    """Searches with the product's searcher, and records the time and the numbers of hits."""

    def __init__(self, searcher: Searcher, rankings: Sequence[str]) -> None:
        self._searcher, self._rankings = searcher, rankings
        self.seconds = 0.0
        self.hits: list[int] = []

    def __call__(self, query: str) -> dict[str, np.ndarray]:
        started = time.perf_counter()
        scores, hits = gallery_scores(self._searcher, query, self._rankings)
        self.seconds += time.perf_counter() - started
        self.hits.append(hits)
        return scores


def gallery_scores(searcher: Searcher, query: str, rankings: Sequence[str]) -> tuple[dict[str, np.ndarray], int]:
    """Search; return the scores (gallery size,) by each of the `rankings`, and the number of hits.

    A ranking is a part of the relevance, such as "cosine", or "fused" for the whole. Pictures that are no candidates
    have the score -1. A query without a word, as some human captions are, has no hits.
    """
    scores = {name: np.full(len(searcher.index), -1.0) for name in rankings}
    try:
        ranked = searcher.rank(Query(query))
    except QueryError:
        return scores, 0
    rows = np.searchsorted(searcher.index.ids, ranked.ids)
    for name, values in {**ranked.parts, "fused": ranked.scores}.items():
        if name in scores:
            scores[name][rows] = values
    return scores, ranked.hits


def describe_split(captioner: StagedDescriber, dataset: Dataset) -> Described:
    """Describe the split's pictures. Raise EvaluationError when none can be read."""
    described = describe_pictures(captioner, dataset.pictures)
    if not described.pictures:
        reason = f" (the first: {described.problems[0]})" if described.problems else ""
        raise EvaluationError(f"no picture of the {dataset.split} split can be read{reason}")
    return described


def queries_of(described: Described, rows: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return every human caption with the row of its picture. Raise EvaluationError when there is none."""
    queries = [(caption, rows[picture.name]) for picture in described.pictures for caption in picture.captions]
    if not queries:
        raise EvaluationError("no readable picture has a human caption to use as a query; give more pictures")
    return queries


def run_facts(captioner: StagedDescriber, dataset: Dataset, described: Described) -> dict[str, Any]:
    """Return the facts of a run that every result has: split, model, counts, and problems."""
    return {
        "split": dataset.split,
        "model_version": captioner.model_version,
        "pictures": len(described.pictures),
        "captions_per_picture": round(described.captions_per_picture, 2),
        "problems": [*dataset.problems, *described.problems],
    }
