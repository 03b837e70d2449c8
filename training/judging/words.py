"""Queries of one and two words, which ask for many pictures: how many of them are hits, and how many hits are right?

A picture shows a word where two of the people who described it say so, or one where there is only one; two words
where they say both in one sentence.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from random import Random
from typing import Any

import numpy as np
from tqdm import tqdm

from captioner.types import SearchDescriber
from data.captioned import CaptionedPicture, Dataset
from data.text import STOP_WORDS, fold, tokenize
from retrieval.search.query import Query
from retrieval.search.search import Searcher
from training.judging.evaluate import EvaluationError, describe_split, run_facts
from training.judging.gallery import BATCH, searchable

AGREEING = 2
PICTURES = 10
"""What fewer pictures show is not asked for: one picture more or less would be too much of a figure."""
QUERIES = 300
FIRST = 10
COUNTS = {"one word": 1, "two words": 2}

Truth = Mapping[str, frozenset[str]]
"""Each query with the names of the pictures that show it."""


def evaluate_words(captioner: SearchDescriber, dataset: Dataset, seed: int, batch: int = BATCH) -> dict[str, Any]:
    """Search the split's pictures, known by generated captions only, with words that people said of them.

    Returns the facts of the run and `queries`: for one word and for two the number of `queries`, the mean number of
    pictures that are `true` and of `hits`, the percentage of queries that have `none`, and in percent, on average over
    queries, `precision`, `recall` and `f1` of the hits and precision among the first ten candidates, `p10`. `seed`
    draws QUERIES where there are more. Raises EvaluationError when no picture can be read or too few say the same.
    """
    started = time.monotonic()
    described = describe_split(captioner, dataset, batch)
    asked = {name: queries_of(described.pictures, count, seed) for name, count in COUNTS.items()}
    if not any(asked.values()):
        raise EvaluationError(
            f"no word is said of {PICTURES} pictures of the {dataset.split} split; give more pictures"
        )
    with searchable(described, captioner) as (searcher, rows):
        names = np.array(sorted(rows, key=rows.__getitem__))
        tables = {name: _judge(searcher, names, truth, name) for name, truth in asked.items() if truth}
    return {
        "task": "words",
        **run_facts(captioner, dataset, described),
        "seed": seed,
        "queries": tables,
        "seconds": round(time.monotonic() - started, 1),
    }


def queries_of(pictures: Sequence[CaptionedPicture], count: int, seed: int) -> Truth:
    """Draw at most QUERIES of all sets of `count` words that at least PICTURES show; stop words ask for nothing.

    Inflections are one word and asked for by the one that is said most.
    """
    forms: dict[str, Counter[str]] = defaultdict(Counter)
    shown: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for picture in pictures:
        said: Counter[tuple[str, ...]] = Counter()
        for caption in picture.captions:
            words = [word for word in tokenize(caption) if word.isalpha() and word not in STOP_WORDS]
            for word in words:
                forms[fold(word)][word] += 1
            said.update(combinations(sorted({fold(word) for word in words}), count))
        for one, people in said.items():
            if people >= min(AGREEING, len(picture.captions)):
                shown[one].add(picture.name)
    usual = {stem: max(sorted(found), key=found.__getitem__) for stem, found in forms.items()}
    asked = sorted(one for one, names in shown.items() if len(names) >= PICTURES)
    drawn = Random(seed).sample(asked, min(QUERIES, len(asked)))
    return {" ".join(usual[stem] for stem in one): frozenset(shown[one]) for one in drawn}


def _judge(searcher: Searcher, names: np.ndarray, asked: Truth, title: str) -> dict[str, float]:
    bar = tqdm(asked.items(), desc=title, unit="query", disable=None)
    return _means([_figures(searcher, names, query, true) for query, true in bar])


def _figures(searcher: Searcher, names: np.ndarray, query: str, true: frozenset[str]) -> dict[str, float]:
    found = searcher.rank(Query(query))
    right = np.isin(names[np.searchsorted(searcher.index.ids, found.ids)], list(true))
    kept = int(right[: found.hits].sum())
    return {
        "true": len(true),
        "hits": found.hits,
        "none": 100 * float(found.hits == 0),
        "precision": 100 * kept / max(found.hits, 1),
        "recall": 100 * kept / len(true),
        "f1": 100 * 2 * kept / (found.hits + len(true)),
        "p10": 100 * float(right[:FIRST].sum()) / FIRST,
    }


def _means(figures: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {"queries": len(figures), **{name: float(np.mean([one[name] for one in figures])) for name in figures[0]}}
