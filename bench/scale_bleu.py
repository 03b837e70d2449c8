"""BLEU's best thirty of a large made-up gallery, beside bm25s on the same words and a loop over NLTK."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import bm25s
import numpy as np
from nltk.translate.bleu_score import SmoothingFunction

from bench.searching import nltk_score, stems
from bench.synthetic import captions as made_up
from bench.synthetic import model_bigrams, queries, texts
from data.text import fold
from retrieval.bleu.postings import BleuPostings
from retrieval.bleu.score import CAPTION_VARIANT, INDEXED_ORDER, TYPED_VARIANT

TOP = 30
QUERIES = 400
NLTK_PICTURES = 500
NLTK_QUERIES = 8

Search = Callable[[list[str]], object]


def bench_bleu(pictures: int, captions: int) -> dict[str, float]:
    """Return what building and searching `pictures` of so many `captions` each takes, every rival asked in turn.

    bm25s takes part where each picture has one caption. Milliseconds of a query are medians and 99th percentiles over
    the same seeded queries of 1 to 12 words.
    """
    with tempfile.TemporaryDirectory() as folder:
        figures = _build(pictures, captions, Path(folder))
        postings = BleuPostings.load(Path(folder), INDEXED_ORDER)
        asked = queries(QUERIES)
        rivals: dict[str, Search] = {
            "bleu_numpy": lambda query: plain.top(query, TYPED_VARIANT, TOP),
            "bleu": lambda query: postings.top(query, TYPED_VARIANT, TOP),
            "bleu_of_captions": lambda query: postings.top(query, CAPTION_VARIANT, TOP),
            "bleu_at_1000": lambda query: postings.at(query, TYPED_VARIANT, some),
        }
        plain = BleuPostings.load(Path(folder), INDEXED_ORDER)
        some = np.random.default_rng(2).integers(0, pictures, 1000)
        started = time.perf_counter()
        postings.compile()
        figures["compiled_search_load_s"] = time.perf_counter() - started
        figures |= _against_nltk(postings, pictures, captions, asked)
        figures |= _race(rivals | (_bm25s(pictures, asked) if captions == 1 else {}), asked)
    return figures


def gallery(pictures: int, captions: int) -> Iterator[list[str]]:
    """Yield the made-up captions of each picture."""
    sentences = texts(made_up(pictures * captions))
    return (list(islice(sentences, captions)) for _ in range(pictures))


def _build(pictures: int, captions: int, folder: Path) -> dict[str, float]:
    model_bigrams()  # Made once and kept: not to be timed.
    started = time.perf_counter()
    for _ in gallery(pictures, captions):
        pass
    made = time.perf_counter()
    built = BleuPostings.build(gallery(pictures, captions))
    finished = time.perf_counter()
    built.save(folder)
    size = sum(path.stat().st_size for path in folder.iterdir())
    return {"build_s": (finished - made) - (made - started), "disk_mb": size / 1e6}


def _bm25s(pictures: int, asked: list[list[str]]) -> dict[str, Search]:
    """bm25s in both of its back ends, over one index of the stems of each picture's caption."""
    index = bm25s.BM25(backend="numba")
    documents = [stems(caption) for (caption,) in gallery(pictures, 1)]
    index.index(documents, show_progress=False)

    def search(backend: str) -> Search:
        def run(query: list[str]) -> object:
            index.backend = backend
            words = [word for word in map(fold, query) if word in index.vocab_dict]
            return index.retrieve([words], k=TOP, show_progress=False, backend_selection=backend) if words else None

        return run

    return {f"bm25s_{backend}": search(backend) for backend in ("numpy", "numba")}


def _against_nltk(postings: BleuPostings, pictures: int, captions: int, asked: list[list[str]]) -> dict[str, float]:
    """Time a loop over NLTK on the first pictures, and tell the largest difference of its scores from `at`."""
    sample = [[stems(one) for one in texts] for texts in islice(gallery(pictures, captions), NLTK_PICTURES)]
    smoothing, largest, seconds = getattr(SmoothingFunction(), f"method{TYPED_VARIANT.smoothing}"), 0.0, 0.0
    for query in asked[:NLTK_QUERIES]:
        words = [fold(word) for word in query]
        started = time.perf_counter()
        theirs = np.array([nltk_score(words, one, smoothing) for one in sample])
        seconds += time.perf_counter() - started
        ours = postings.at(query, TYPED_VARIANT, np.arange(len(sample)))
        largest = max(largest, float(np.abs(ours - theirs).max()))
    return {"nltk_us_a_pair": 1e6 * seconds / NLTK_QUERIES / len(sample), "largest_difference_from_nltk": largest}


def _race(rivals: dict[str, Search], asked: list[list[str]]) -> dict[str, float]:
    """Ask every rival each query, one after the other, so that what else the machine does meets all alike."""
    taken: dict[str, list[float]] = {name: [] for name in rivals}
    for timed in (False, True):
        for query in asked if timed else asked[:20]:
            for name, search in rivals.items():
                started = time.perf_counter()
                search(query)
                if timed:
                    taken[name].append(1e3 * (time.perf_counter() - started))
    figures = {}
    for name, milliseconds in taken.items():
        figures[f"{name}_median_ms"], figures[f"{name}_p99_ms"] = map(float, np.percentile(milliseconds, [50, 99]))
    return figures
