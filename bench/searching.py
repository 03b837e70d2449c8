"""Measure text search over 10,000 pictures: difference of scores from NLTK, and time of a query."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.library import make_library
from bench.timing import measure
from captioner.bundle import BUNDLED, load_bundle
from data.settings import load_settings
from data.text import fold, tokenize
from retrieval.bleu.score import TYPED_VARIANT
from retrieval.library import Library
from retrieval.search.query import Query

PICTURES = 10_000
CAPTIONS = 5
QUERIES = ("a dog runs through the grass", "two children on a beach", "man", "a red car in the street at night")


def few_words(choice: random.Random) -> str:
    """Return three words like those of a typed query."""
    return " ".join(choice.sample(" ".join(QUERIES).split(), 3))


def bench_searching() -> dict[str, float]:
    """Return milliseconds of a query: NLTK loop, BLEU postings, warm search, and a cold `retroflex search`."""
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(library=Path(folder))
        make_library(settings.url, PICTURES, CAPTIONS, load_bundle(BUNDLED))
        library = Library.open(settings)
        searcher = library.searcher()
        tokens = [tokenize(query) for query in QUERIES]
        postings = searcher.index.parts[0].segment.postings
        difference, nltk_seconds = against_nltk(library, tokens)
        bleu = measure(lambda: [postings.scores(query, TYPED_VARIANT) for query in tokens])
        warm = measure(lambda: [library.search(Query(query)) for query in QUERIES])
        cold = measure(lambda: cold_search(folder), seconds=4)
    return {
        "pictures": PICTURES,
        "captions_per_picture": CAPTIONS,
        "largest_score_difference": difference,
        "nltk_loop_ms": 1e3 * nltk_seconds,
        "bleu_postings_ms": 1e3 * bleu.median / len(QUERIES),
        "bleu_speedup_over_nltk": nltk_seconds / (bleu.median / len(QUERIES)),
        "warm_search_ms": 1e3 * warm.median / len(QUERIES),
        "cold_search_ms": 1e3 * cold.median,
    }


def against_nltk(library: Library, queries: list[list[str]]) -> tuple[float, float]:
    """Return the largest difference of any picture's score from NLTK's, and NLTK's seconds of a query."""
    from nltk.translate.bleu_score import SmoothingFunction

    smoothing = getattr(SmoothingFunction(), f"method{TYPED_VARIANT.smoothing}")
    _, ids = library.store.searched_ids()
    gallery = [[stems(text) for text in picture.captions] for picture in library.store.searched_pictures(ids.tolist())]
    largest, seconds = 0.0, 0.0
    for query in queries:
        words = [fold(word) for word in query]
        started = time.perf_counter()
        expected = np.asarray([nltk_score(words, captions, smoothing) for captions in gallery])
        seconds += time.perf_counter() - started
        actual = library.searcher().index.captions.scores(query, TYPED_VARIANT, ids)
        largest = max(largest, float(np.abs(actual - expected).max()))
    return largest, seconds / len(queries)


def stems(text: str) -> list[str]:
    """Return the words of a caption as the index has them."""
    return [fold(word) for word in tokenize(text)]


def nltk_score(words: list[str], captions: list[list[str]], smoothing: object) -> float:
    """Compute TYPED_VARIANT by NLTK: BLEU, and BLEU-1 against each caption alone, without brevity penalty."""
    from nltk.translate.bleu_score import brevity_penalty, closest_ref_length, sentence_bleu

    distinct = list(dict.fromkeys(words))
    bleu = sentence_bleu(captions, words, TYPED_VARIANT.weights, smoothing)
    bleu /= brevity_penalty(closest_ref_length(captions, len(words)), len(words))
    alone = [
        sentence_bleu([caption], distinct, (1.0,)) / brevity_penalty(len(caption), len(distinct))
        for caption in captions
    ]
    return (1 - TYPED_VARIANT.agreement) * bleu + TYPED_VARIANT.agreement * sum(alone) / len(alone)


def cold_search(library: str) -> None:
    """Run `retroflex search` in a new process."""
    command = [str(Path(sys.executable).parent / "retroflex"), "search", "--library", library, "--json", QUERIES[0]]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
