"""Text search over 10,000 pictures: the same scores as an NLTK loop, and how long a query takes."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.timing import measure
from captioner.bundle import BUNDLED, load_bundle
from data.settings import load_settings
from data.store import Batch, CaptionRow, DescriptionRow, FileRow, PictureRow, Store
from data.text import tokenize
from retrieval.bleu import DEFAULT_VARIANT
from retrieval.library import Library
from retrieval.query import Query

PICTURES = 10_000
CAPTIONS = 5
QUERIES = ("a dog runs through the grass", "two children on a beach", "man", "a red car in the street at night")


def bench_searching() -> dict[str, float]:
    """Return milliseconds a query: NLTK loop, BLEU postings, warm search, and a cold `retroflex search`."""
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(library=Path(folder))
        make_library(settings.url)
        library = Library.open(settings)
        searcher = library.searcher()
        tokens = [tokenize(query) for query in QUERIES]
        postings = searcher.index.postings
        difference, nltk_seconds = against_nltk(library, tokens)
        bleu = measure(lambda: [postings.scores(query, DEFAULT_VARIANT) for query in tokens])
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


def make_library(url: str) -> None:
    """Write 10,000 made-up pictures whose captions are drawn from the shipped vocabulary by Zipf's law."""
    words = np.asarray(load_bundle(BUNDLED).vocabulary.words)
    random = np.random.default_rng(0)
    chance = 1 / np.arange(2, len(words) + 2)
    chance /= chance.sum()
    store = Store.open(url)
    for start in range(0, PICTURES, 1000):
        batch = Batch()
        for number in range(start, start + 1000):
            digest = f"{number:064x}"
            captions = [
                CaptionRow(" ".join(random.choice(words, random.integers(6, 14), p=chance)), -10.0)
                for _ in range(CAPTIONS)
            ]
            vector = random.standard_normal(512).astype(np.float32)
            batch.files.append(FileRow(f"/made-up/{number}.jpg".encode(), 1, 1, digest))
            batch.pictures.append(PictureRow(digest, 500, 375, "JPEG", 1, None))
            batch.descriptions.append(DescriptionRow(digest, "bench", captions, vector / np.linalg.norm(vector)))
        store.write_batch(batch)
    store.close()


def against_nltk(library: Library, queries: list[list[str]]) -> tuple[float, float]:
    """Largest difference of any picture's score from NLTK's, and NLTK's seconds a query."""
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

    smoothing = getattr(SmoothingFunction(), f"method{DEFAULT_VARIANT.smoothing}")
    gallery = [(number, [tokenize(one) for one in texts]) for number, texts in library.store.captions_by_picture()]
    largest, seconds = 0.0, 0.0
    for query in queries:
        started = time.perf_counter()
        theirs = np.asarray(
            [sentence_bleu(captions, query, DEFAULT_VARIANT.weights, smoothing) for _, captions in gallery]
        )
        seconds += time.perf_counter() - started
        rows, scores = library.searcher().index.postings.scores(query, DEFAULT_VARIANT)
        ours = np.zeros(len(gallery))
        ours[rows] = scores
        largest = max(largest, float(np.abs(ours - theirs).max()))
    return largest, seconds / len(queries)


def cold_search(library: str) -> None:
    """One `retroflex search` in a fresh process."""
    command = [str(Path(sys.executable).parent / "retroflex"), "search", "--library", library, "--json", QUERIES[0]]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
