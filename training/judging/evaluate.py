"""The two judgements of a captioner: are its captions good, and are pictures found by them?"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from tqdm import tqdm

from captioner.types import SearchDescriber, StagedDescriber
from data.captioned import Dataset
from data.errors import RetroflexError
from retrieval.bleu.score import TYPED_VARIANT
from retrieval.search.query import Query, QueryError
from retrieval.search.search import Searcher
from training.judging.gallery import BATCH, Described, describe_pictures, searchable
from training.judging.protocol import ranks_of_queries, summarise
from training.metrics import caption_scores


class EvaluationError(RetroflexError):
    """There is nothing to evaluate; the message says why."""


def evaluate_captions(captioner: StagedDescriber, dataset: Dataset, batch: int = BATCH) -> dict[str, Any]:
    """Judge the best generated caption of each picture by its human captions.

    Returns the facts of the run and `scores`, see `training.metrics.caption_scores`. Nothing is drawn at
    random. Raises EvaluationError when no picture can be read.
    """
    started = time.monotonic()
    described = describe_split(captioner, dataset, batch)
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
    captioner: SearchDescriber, dataset: Dataset, seed: int, captions: int | None = None, batch: int = BATCH
) -> dict[str, Any]:
    """Search the split's pictures, known by generated captions only, with every human caption.

    A picture without human captions is in the gallery and not asked for.
    Returns the facts of the run, `rankings` with `r1`, `r5`, `r10` (percent) and `median` rank for BLEU alone
    and for the fused score that the product ranks by, and `ms_per_query`. `seed` decides ties; of a picture's
    captions the best `captions` are kept. Raises EvaluationError when no picture can be read or there is no query.
    """
    started = time.monotonic()
    described = describe_split(captioner, dataset, batch).with_captions(captions)
    with searchable(described, captioner) as (searcher, rows):
        scorer = _Scorer(
            searcher, ("bleu", "cosine", "fused") if captioner.search_model.embedder else ("bleu", "fused")
        )
        queries = queries_of(described, rows)
        ranks = ranks_of_queries(tqdm(queries, desc="searching", unit="query", disable=None), scorer, seed)
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
    """Asks the product's searcher, and keeps the time and the numbers of hits."""

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
    """Ask the searcher; return the scores (gallery size,) under each of the `rankings`, and the number of hits.

    A ranking is a part of the relevance, such as "cosine", or "fused" for the whole. Pictures that are no candidates
    share the last place, with -1. A query without a word, as some human captions are, finds nothing.
    """
    scores = {name: np.full(len(searcher.index), -1.0) for name in rankings}
    try:
        found = searcher.rank(Query(query))
    except QueryError:
        return scores, 0
    rows = np.searchsorted(searcher.index.ids, found.ids)
    for name, values in {**found.parts, "fused": found.scores}.items():
        if name in scores:
            scores[name][rows] = values
    return scores, found.hits


def describe_split(captioner: StagedDescriber, dataset: Dataset, batch: int) -> Described:
    """Describe the split's pictures. Raises EvaluationError when none can be read."""
    described = describe_pictures(captioner, dataset.pictures, batch)
    if not described.pictures:
        reason = f" (the first: {described.problems[0]})" if described.problems else ""
        raise EvaluationError(f"no picture of the {dataset.split} split can be read{reason}")
    return described


def queries_of(described: Described, rows: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return every human caption with the row of its picture. Raises EvaluationError where there is none."""
    queries = [(caption, rows[picture.name]) for picture in described.pictures for caption in picture.captions]
    if not queries:
        raise EvaluationError("no picture that can be read has a human caption to ask by; give more pictures")
    return queries


def run_facts(captioner: StagedDescriber, dataset: Dataset, described: Described) -> dict[str, Any]:
    """What every result tells of its run: split, model, counts, and what was left out."""
    return {
        "split": dataset.split,
        "model_version": captioner.model_version,
        "pictures": len(described.pictures),
        "captions_per_picture": round(described.captions_per_picture, 2),
        "problems": [*dataset.problems, *described.problems],
    }
