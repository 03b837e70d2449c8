"""Compare the stages of the product's ranking with other rankers: same pictures, same captions, same queries.

Every ranker is a plan: a clause and a pipeline of stages, as in `retrieval.search.pipeline`. The product's own plans
are those that a search runs; the others have scorers of their own.
"""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from captioner.types import SearchDescriber, SearchModel
from data.captioned import Dataset
from data.progress import progress_bar
from data.text import stems, tokenize
from retrieval.bleu.postings import BleuPostings
from retrieval.bleu.score import TYPED_VARIANT, BleuVariant
from retrieval.search.clauses import ClausePlan
from retrieval.search.fusion import BleuFusion
from retrieval.search.pipeline import Candidates, Clause, Fusion, Pipeline
from retrieval.search.query import QueryError
from retrieval.search.scorers import BleuScorer
from retrieval.search.search import Searcher
from training.evaluation.evaluate import describe_split, queries_of, run_facts
from training.evaluation.gallery import searchable
from training.metrics import ranks_of, summarise

Plan = Callable[[str], ClausePlan]
"""Makes the clause and the pipeline for a query."""

CHECKED = 5
"""Queries whose BLEU-4 is compared with NLTK's, which takes 0.1 ms a picture: a second for a gallery of 1,000."""

UNSMOOTHED = BleuVariant(4, (0.25,) * 4, 0)
SMOOTHED = BleuVariant(4, (0.25,) * 4, 1)
SCORE = "score"
Scores = Callable[[str], np.ndarray]
"""Maps a query to the scores of all pictures, float64 (n,); 0 is no hit."""


class Everything:
    """Retrieve every picture."""

    def __init__(self, ids: np.ndarray) -> None:
        self._ids = ids

    def __call__(self, clause: Clause, candidates: Candidates) -> Candidates:
        return candidates.with_ids(self._ids)


class GalleryScorer:
    """Score every picture by a function of the query, which returns float64 (n,) in the order of their ids."""

    def __init__(self, scores: Callable[[str], np.ndarray]) -> None:
        self._scores = scores

    def __call__(self, clause: Clause, candidates: Candidates) -> Candidates:
        return candidates.with_scores(SCORE, self._scores(clause.captions[0]))


class ScoreFusion:
    """Rank by one score alone; -1 where another fusion finds nothing relevant."""

    def __init__(self, name: str, within: Fusion | None = None) -> None:
        self._name, self._within = name, within

    def __call__(self, clause: Clause, candidates: Candidates) -> np.ndarray:
        scores = candidates.scores[self._name]
        if self._within is None:
            return scores
        return np.where(self._within(clause, candidates) > 0, scores, -1.0)


def baselines(gallery: Sequence[Sequence[str]], ids: np.ndarray) -> dict[str, Plan]:
    """Return the other rankers of `gallery`, the caption texts of each picture of rising `ids`, by name.

    BLEU-4 equals NLTK's `sentence_bleu` on words without stemming; BM25 and TF-IDF use stems.
    """
    postings = BleuPostings.build(gallery, UNSMOOTHED.max_order, fold=str)
    scores = {
        "BLEU-4, unsmoothed, as NLTK": _bleu(postings, UNSMOOTHED),
        "BLEU-4, method 1, as NLTK": _bleu(postings, SMOOTHED),
        "BM25 (bm25s)": _bm25([_stems(captions) for captions in gallery]),
        "TF-IDF cosine": _tfidf([_stems(captions) for captions in gallery]),
    }
    pipelines = {
        name: Pipeline([Everything(ids)], [GalleryScorer(one)], ScoreFusion(SCORE), tie_break=SCORE)
        for name, one in scores.items()
    }
    return {name: partial(_plan, pipeline) for name, pipeline in pipelines.items()}


def _plan(pipeline: Pipeline, query: str) -> ClausePlan:
    return ClausePlan(Clause("words", [query], [tokenize(query)]), pipeline)


def difference_from_nltk(gallery: Sequence[Sequence[str]], queries: Sequence[str]) -> float:
    """Return the largest difference of any picture's BLEU-4 from NLTK's own `sentence_bleu`, over CHECKED `queries`."""
    postings = BleuPostings.build(gallery, UNSMOOTHED.max_order, fold=str)
    captions = [[tokenize(text) for text in texts] or [[]] for texts in gallery]
    largest = 0.0
    for query in queries[:: -(-len(queries) // CHECKED) or 1]:
        for variant in (UNSMOOTHED, SMOOTHED):
            expected = _by_nltk(tokenize(query), captions, variant)
            largest = max(largest, float(np.abs(postings.dense(tokenize(query), variant) - expected).max()))
    return largest


def _by_nltk(query: Sequence[str], captions: Sequence[Sequence[Sequence[str]]], variant: BleuVariant) -> np.ndarray:
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu  # over a second to import

    smoothing = getattr(SmoothingFunction(), f"method{variant.smoothing}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about n-grams without overlap, which are common here
        return np.array([sentence_bleu(one, query, variant.weights, smoothing) for one in captions], np.float64)


def _bleu(postings: BleuPostings, variant: BleuVariant) -> Scores:
    return lambda query: postings.dense(tokenize(query), variant)


def _bm25(documents: Sequence[Sequence[str]]) -> Scores:
    """Robertson and Zaragoza (2009), "The Probabilistic Relevance Framework: BM25 and Beyond", in bm25s' defaults."""
    if not any(documents):
        return lambda query: np.zeros(len(documents))
    import bm25s

    index = bm25s.BM25()
    index.index(documents, show_progress=False)

    def rank(query: str) -> np.ndarray:
        words = _stems([query])
        return np.asarray(index.get_scores(words), np.float64) if words else np.zeros(len(documents))

    return rank


def _tfidf(documents: Sequence[Sequence[str]]) -> Scores:
    """Cosine of (1 + log tf) * log(n / df) vectors: "ltc" in Salton and Buckley (1988), "Term-weighting approaches"."""
    counts = [Counter(words) for words in documents]
    frequencies = Counter(word for count in counts for word in count)
    idf = {word: float(np.log(len(documents) / number)) for word, number in frequencies.items()}
    postings: dict[str, tuple[list[int], list[float]]] = {word: ([], []) for word in idf}
    for row, count in enumerate(counts):
        for word, weight in _unit(count, idf).items():
            postings[word][0].append(row)
            postings[word][1].append(weight)

    def rank(query: str) -> np.ndarray:
        scores = np.zeros(len(documents))
        for word, weight in _unit(Counter(_stems([query])), idf).items():
            rows, weights = postings[word]
            scores[rows] += weight * np.asarray(weights)
        return scores

    return rank


def _unit(count: Counter[str], idf: dict[str, float]) -> dict[str, float]:
    """Return the weights of a text's words that have an idf, as a vector of length 1."""
    weights = {word: (1 + np.log(times)) * idf[word] for word, times in count.items() if idf.get(word)}
    length = float(np.sqrt(sum(weight**2 for weight in weights.values())))
    return {word: weight / length for word, weight in weights.items()}


def _stems(texts: Sequence[str]) -> list[str]:
    return [word for text in texts for word in stems(text)]


def evaluate_stages(
    captioner: SearchDescriber, dataset: Dataset, seed: int, captions: int | None = None
) -> dict[str, Any]:
    """Search the split's pictures, indexed with generated captions only, with every human caption as a query.

    Return the facts of the run, `largest_difference_from_nltk` in the BLEU-4 of some queries, and `stages`: by name
    `r1`, `r5`, `r10` (percent), `median` rank, and `ms` a query for scores of the whole gallery. `seed` breaks ties;
    the best `captions` of each picture are kept. Raise EvaluationError when no picture can be read or there is no
    query.
    """
    started = time.monotonic()
    described = describe_split(captioner, dataset).with_captions(captions)
    with searchable(described, captioner) as (searcher, rows):
        gallery: list[list[str]] = [[]] * len(searcher.index)
        for picture, texts in zip(described.pictures, described.texts, strict=True):
            gallery[rows[picture.name]] = texts
        queries = queries_of(described, rows)
        ids = searcher.index.ids
        plans = {**baselines(gallery, ids), **_product_stages(searcher, captioner.search_model)}
        difference = difference_from_nltk(gallery, [query for query, _ in queries])
        stages = {name: _evaluate(name, plan, ids, queries, seed) for name, plan in plans.items()}
    return {
        "task": "search",
        **run_facts(captioner, dataset, described),
        "seed": seed,
        "queries": len(queries),
        "largest_difference_from_nltk": difference,
        "stages": stages,
        "seconds": round(time.monotonic() - started, 1),
    }


def _evaluate(
    name: str, plan: Plan, ids: np.ndarray, queries: Sequence[tuple[str, int]], seed: int
) -> dict[str, float]:
    seconds = 0.0

    def scores() -> Iterator[np.ndarray]:
        nonlocal seconds
        for query, _ in progress_bar(queries, desc=name, unit="query"):
            started = time.perf_counter()
            scores_of_query = run(plan, query, ids)
            seconds += time.perf_counter() - started
            yield scores_of_query

    ranks = ranks_of(scores(), [target for _, target in queries], seed)
    return {**summarise(ranks), "ms": 1000 * seconds / len(queries)}


def run(plan: Plan, query: str, ids: np.ndarray) -> np.ndarray:
    """Run a plan and return the relevance of all pictures of rising `ids`, float64 (n,), -1 for those not found.

    A query without a word, as some human captions are, finds nothing.
    """
    scores = np.full(len(ids), -1.0)
    try:
        made = plan(query)
    except QueryError:
        return scores
    candidates = made.pipeline.score(made.clause, made.pipeline.retrieve(made.clause))
    scores[np.searchsorted(ids, candidates.ids)] = made.pipeline.fusion(made.clause, candidates)
    return scores


def _product_stages(searcher: Searcher, model: SearchModel) -> dict[str, Plan]:
    """Return the stages of the product's ranking, by name; without a `model` of sentences only the first."""
    scorers = [BleuScorer(searcher.index.captions, TYPED_VARIANT)]
    bleu = Pipeline([Everything(searcher.index.ids)], scorers, BleuFusion(), tie_break="bleu")
    stages: dict[str, Plan] = {"BLEU": partial(_plan, bleu)}
    if model.embedder is None:
        return stages
    without_reranker = searcher.without_reranker().planner().words
    stages["cosine alone"] = lambda query: _by_cosine(without_reranker(query))
    stages["BLEU + cosine"] = lambda query: _relevant(without_reranker(query))
    if model.likelihood:
        stages["BLEU + cosine + reranker"] = lambda query: _relevant(searcher.planner().words(query))
    return stages


def _by_cosine(plan: ClausePlan) -> ClausePlan:
    """The same plan, ranked by the cosine of words and picture alone."""
    fusion = ScoreFusion("cosine", plan.pipeline.fusion)
    return replace(plan, pipeline=replace(plan.pipeline, fusion=fusion))


def _relevant(plan: ClausePlan) -> ClausePlan:
    """The same plan; what has no relevance is not found."""
    fusion = plan.pipeline.fusion

    def found(clause: Clause, candidates: Candidates) -> np.ndarray:
        relevance = fusion(clause, candidates)
        return np.where(relevance > 0, relevance, -1.0)

    return replace(plan, pipeline=replace(plan.pipeline, fusion=found))
