"""Compare the stages of the product's ranking with other rankers: same pictures, same captions, same queries."""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from captioner.types import SearchDescriber, SearchModel
from data.captioned import Dataset
from data.text import stems, tokenize
from retrieval.bleu.postings import BleuPostings
from retrieval.bleu.score import TYPED_VARIANT, BleuVariant
from retrieval.search.search import Searcher
from training.evaluation.evaluate import describe_split, gallery_scores, queries_of, run_facts
from training.evaluation.gallery import BATCH, searchable
from training.metrics import ranks_of, summarise

Ranker = Callable[[str], np.ndarray]
"""Maps a query to the scores of all pictures, float64 (n,); 0 is no hit."""

CHECKED = 5
"""Queries whose BLEU-4 is compared with NLTK's, which takes 0.1 ms a picture: a second for a gallery of 1,000."""

UNSMOOTHED = BleuVariant(4, (0.25,) * 4, 0)
SMOOTHED = BleuVariant(4, (0.25,) * 4, 1)


def baselines(gallery: Sequence[Sequence[str]]) -> dict[str, Ranker]:
    """Return the rankers of `gallery`, the caption texts of each picture, by their names in the table.

    BLEU-4 equals NLTK's `sentence_bleu` on words without stemming; BM25 and TF-IDF use stems.
    """
    postings = BleuPostings.build(gallery, UNSMOOTHED.max_order, fold=str)
    return {
        "BLEU-4, unsmoothed, as NLTK": _bleu(postings, UNSMOOTHED),
        "BLEU-4, method 1, as NLTK": _bleu(postings, SMOOTHED),
        "BM25 (bm25s)": _bm25([_stems(captions) for captions in gallery]),
        "TF-IDF cosine": _tfidf([_stems(captions) for captions in gallery]),
    }


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


def _bleu(postings: BleuPostings, variant: BleuVariant) -> Ranker:
    return lambda query: postings.dense(tokenize(query), variant)


def _bm25(documents: Sequence[Sequence[str]]) -> Ranker:
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


def _tfidf(documents: Sequence[Sequence[str]]) -> Ranker:
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
    captioner: SearchDescriber, dataset: Dataset, seed: int, captions: int | None = None, batch: int = BATCH
) -> dict[str, Any]:
    """Search the split's pictures, indexed with generated captions only, with every human caption as a query.

    Return the facts of the run, `largest_difference_from_nltk` in the BLEU-4 of some queries, and `stages`: by name
    `r1`, `r5`, `r10` (percent), `median` rank, and `ms` a query for scores of the whole gallery. `seed` breaks ties;
    the best `captions` of each picture are kept. Raise EvaluationError when no picture can be read or there is no
    query.
    """
    started = time.monotonic()
    described = describe_split(captioner, dataset, batch).with_captions(captions)
    with searchable(described, captioner) as (searcher, rows):
        gallery: list[list[str]] = [[]] * len(searcher.index)
        for picture, texts in zip(described.pictures, described.texts, strict=True):
            gallery[rows[picture.name]] = texts
        queries = queries_of(described, rows)
        rankers = {**baselines(gallery), **_product_stages(searcher, captioner.search_model)}
        difference = difference_from_nltk(gallery, [query for query, _ in queries])
        stages = {name: _evaluate(name, ranker, queries, seed) for name, ranker in rankers.items()}
    return {
        "task": "search",
        **run_facts(captioner, dataset, described),
        "seed": seed,
        "queries": len(queries),
        "largest_difference_from_nltk": difference,
        "stages": stages,
        "seconds": round(time.monotonic() - started, 1),
    }


def _evaluate(name: str, ranker: Ranker, queries: Sequence[tuple[str, int]], seed: int) -> dict[str, float]:
    seconds = 0.0

    def scores() -> Iterator[np.ndarray]:
        nonlocal seconds
        for query, _ in tqdm(queries, desc=name, unit="query", disable=None):
            started = time.perf_counter()
            scores_of_query = ranker(query)
            seconds += time.perf_counter() - started
            yield scores_of_query

    ranks = ranks_of(scores(), [target for _, target in queries], seed)
    return {**summarise(ranks), "ms": 1000 * seconds / len(queries)}


def _product_stages(searcher: Searcher, model: SearchModel) -> dict[str, Ranker]:
    """Return the stages of the product's ranking, by name; without a `model` of sentences only the first.

    Cosine is computed only within a whole search, whose time it has.
    """
    ids = searcher.index.ids

    def bleu(query: str) -> np.ndarray:
        return searcher.index.captions.scores(tokenize(query), TYPED_VARIANT, ids)

    if model.embedder is None:
        return {"BLEU": bleu}
    without_reranker = searcher.without_reranker()
    stages = {
        "BLEU": bleu,
        "cosine alone": _ranker(without_reranker, "cosine"),
        "BLEU + cosine": _ranker(without_reranker, "fused"),
    }
    reranked = {"BLEU + cosine + reranker": _ranker(searcher, "fused")}
    return stages | reranked if model.likelihood else stages


def _ranker(searcher: Searcher, ranking: str) -> Ranker:
    """Return a ranker by one of the searcher's rankings."""
    return lambda query: gallery_scores(searcher, query, (ranking,))[0][ranking]
