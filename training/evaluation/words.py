"""Evaluate queries of one and two words, which match many pictures: precision and recall of the hits.

A picture shows a word if two of its human captions have it, or its only caption; it shows two words if two captions
have both.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from random import Random
from typing import Any

import numpy as np

from captioner.types import SearchDescriber
from data.captioned import CaptionedPicture, Dataset
from data.progress import progress_bar
from data.text import STOP_WORDS, fold, tokenize
from retrieval.search.query import Query
from retrieval.search.search import Searcher
from training.evaluation.evaluate import EvaluationError, describe_split, run_facts
from training.evaluation.gallery import searchable

AGREEING = 2
PICTURES = 10
"""Words that fewer pictures show are no queries, since a single picture would change the figures too much."""
QUERIES = 300
FIRST = 10
COUNTS = {"one word": 1, "two words": 2}

Truth = Mapping[str, frozenset[str]]
"""The names of the pictures that show each query."""


def evaluate_words(captioner: SearchDescriber, dataset: Dataset, seed: int) -> dict[str, Any]:
    """Search the split's pictures, indexed with generated captions only, with words of their human captions.

    Return the facts of the run and `queries`: for one word and for two the number of `queries`, the mean numbers of
    `true` pictures and of `hits`, the percentage of queries with `none`, and in percent, averaged over queries,
    `precision`, `recall` and `f1` of the hits and the precision of the first ten candidates, `p10`. `seed` draws
    QUERIES if there are more. Raise EvaluationError when no picture can be read or no word is common enough.
    """
    started = time.monotonic()
    described = describe_split(captioner, dataset)
    queries = {name: queries_of(described.pictures, count, seed) for name, count in COUNTS.items()}
    if not any(queries.values()):
        raise EvaluationError(
            f"no word is in the captions of {PICTURES} pictures of the {dataset.split} split; give more pictures"
        )
    with searchable(described, captioner) as (searcher, rows):
        names = np.array(sorted(rows, key=rows.__getitem__))
        tables = {name: _evaluate(searcher, names, truth, name) for name, truth in queries.items() if truth}
    return {
        "task": "words",
        **run_facts(captioner, dataset, described),
        "seed": seed,
        "queries": tables,
        "seconds": round(time.monotonic() - started, 1),
    }


def queries_of(pictures: Sequence[CaptionedPicture], count: int, seed: int) -> Truth:
    """Draw at most QUERIES of all sets of `count` words that at least PICTURES show, without stop words.

    Inflections are one word; the query has the most frequent one.
    """
    forms: dict[str, Counter[str]] = defaultdict(Counter)
    shown: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for picture in pictures:
        agreeing: Counter[tuple[str, ...]] = Counter()
        for caption in picture.captions:
            words = [word for word in tokenize(caption) if word.isalpha() and word not in STOP_WORDS]
            for word in words:
                forms[fold(word)][word] += 1
            agreeing.update(combinations(sorted({fold(word) for word in words}), count))
        for stems, captions in agreeing.items():
            if captions >= min(AGREEING, len(picture.captions)):
                shown[stems].add(picture.name)
    frequent = {stem: max(sorted(counts), key=counts.__getitem__) for stem, counts in forms.items()}
    candidates = sorted(stems for stems, names in shown.items() if len(names) >= PICTURES)
    drawn = Random(seed).sample(candidates, min(QUERIES, len(candidates)))
    return {" ".join(frequent[stem] for stem in stems): frozenset(shown[stems]) for stems in drawn}


def _evaluate(searcher: Searcher, names: np.ndarray, queries: Truth, title: str) -> dict[str, float]:
    bar = progress_bar(queries.items(), desc=title, unit="query")
    return _means([_figures(searcher, names, query, true) for query, true in bar])


def _figures(searcher: Searcher, names: np.ndarray, query: str, true: frozenset[str]) -> dict[str, float]:
    ranked = searcher.rank(Query(query))
    correct = np.isin(names[np.searchsorted(searcher.index.ids, ranked.ids)], list(true))
    true_hits = int(correct[: ranked.hits].sum())
    return {
        "true": len(true),
        "hits": ranked.hits,
        "none": 100 * float(ranked.hits == 0),
        "precision": 100 * true_hits / max(ranked.hits, 1),
        "recall": 100 * true_hits / len(true),
        "f1": 100 * 2 * true_hits / (ranked.hits + len(true)),
        "p10": 100 * float(correct[:FIRST].sum()) / FIRST,
    }


def _means(figures: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {"queries": len(figures), **{name: float(np.mean([one[name] for one in figures])) for name in figures[0]}}
