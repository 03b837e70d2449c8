"""Measure BLEU's top thirty of a large synthetic gallery, beside bm25s on the same words and a loop over NLTK.

Captions are drawn from the shipped decoder's own word statistics: the decoder captions synthetic pictures (shuffled
cells of the sample photographs) by sampling, and its whole distribution after each word is summed, so that rare words
have their share too. Captions are then random walks over these bigrams.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

import bm25s
import numpy as np
from nltk.translate.bleu_score import SmoothingFunction

from bench.searching import nltk_score, stems
from captioner.bundle import BUNDLED, Bundle, load_bundle
from captioner.captioner import Captioner
from captioner.decoder import Decoder
from captioner.vocabulary import END, PAD, SPECIAL, START, UNKNOWN
from data.decoding.pool import read_square
from data.samples import SAMPLES, copy_samples
from data.text import fold
from retrieval.bleu.postings import BleuPostings
from retrieval.bleu.score import CAPTION_VARIANT, INDEXED_ORDER, TYPED_VARIANT

SHORTEST, LONGEST = 6, 14
"""The least and the most words of a synthetic caption."""
SAMPLED = 4096
BATCH = 256
SOURCES = 3
"""The number of photographs whose cells make up a synthetic picture."""
CONTINUATIONS = 2**12
"""The number of next words drawn in advance for each word; a step of a caption is then one look-up."""
PART = 2**18


@dataclass(frozen=True)
class Bigrams:
    """Successors of each word: `after` int16 (vocabulary, CONTINUATIONS), and `unfinished`, the same without END.

    Each row is a sample of the word's successors, so a uniform choice from it follows their distribution.
    """

    words: tuple[str, ...]
    after: np.ndarray
    unfinished: np.ndarray


def synthetic_captions(count: int, seed: int = 0) -> np.ndarray:
    """Return `count` captions as word ids, int16 (count, LONGEST), padded with PAD; reproducible by `seed`."""
    bigrams, random = model_bigrams(), np.random.default_rng(seed)
    parts = [_walk(bigrams, min(PART, count - start), random) for start in range(0, count, PART)]
    return np.concatenate(parts) if parts else np.zeros((0, LONGEST), np.int16)


def texts(ids: np.ndarray) -> Iterator[str]:
    """Yield each row of `synthetic_captions` as a sentence."""
    words = model_bigrams().words
    for row in ids:
        yield " ".join([words[one] for one in row[row != PAD].tolist()])


def queries(count: int, seed: int = 1) -> list[list[str]]:
    """Return `count` queries of 1 to 12 consecutive words from other captions."""
    words, random = model_bigrams().words, np.random.default_rng(seed)
    drawn = []
    for row in synthetic_captions(count, seed):
        ids = row[row != PAD]
        length = min(int(random.integers(1, 13)), len(ids))
        start = int(random.integers(0, len(ids) - length + 1))
        drawn.append([words[number] for number in ids[start : start + length].tolist()])
    return drawn


@cache
def model_bigrams() -> Bigrams:
    """Sample captions from the shipped decoder and return its distribution after each word."""
    bundle, random = load_bundle(BUNDLED), np.random.default_rng(0)
    expected = _expected(bundle, random)
    expected[:, [PAD, START, UNKNOWN]] = 0
    lasting = expected.copy()
    lasting[:, END] = 0
    after, unfinished = (_successors(one, random) for one in (expected, lasting))
    return Bigrams((*SPECIAL, *bundle.vocabulary.words), after, unfinished)


def _expected(bundle: Bundle, random: np.random.Generator) -> np.ndarray:
    """Return the decoder's next-word distributions, summed by the word before, float32 (vocabulary, vocabulary)."""
    decoder = Decoder(bundle.decoder, bundle.decoder_weights)
    cells = _sample_cells(bundle)
    total = np.zeros((len(bundle.vocabulary), len(bundle.vocabulary)), np.float32)
    for _ in range(0, SAMPLED, BATCH):
        prepared, state = decoder.prepare(_synthetic_grids(cells, random))
        words = np.full(BATCH, START)
        for _ in range(bundle.decoder.max_words):
            scores, state = decoder.step(prepared, state, words)
            chance = np.exp(scores)
            alive = np.flatnonzero(words != END)
            np.add.at(total, words[alive], chance[alive])
            drawn = (chance.cumsum(axis=1) > random.random((BATCH, 1)) * chance.sum(axis=1, keepdims=True)).argmax(1)
            words = np.where(words == END, END, drawn)
    return total


def _sample_cells(bundle: Bundle) -> np.ndarray:
    """Return the grids of the sample photographs, float32 (photographs, cells, channels)."""
    with tempfile.TemporaryDirectory() as folder:
        copy_samples(Path(folder))
        files = [Path(folder) / Path(sample.file).name for sample in SAMPLES]
        return Captioner(bundle).encode(np.stack([read_square(file, bundle.encoder.side) for file in files])).grids


def _synthetic_grids(cells: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return grids (BATCH, cells, channels) whose cells come from any position of a few photographs."""
    photographs, places, _ = cells.shape
    sources = random.integers(photographs, size=(BATCH, SOURCES))
    chosen = np.take_along_axis(sources, random.integers(SOURCES, size=(BATCH, places)), axis=1)
    return cells[chosen, random.integers(places, size=(BATCH, places))]


def _successors(expected: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Draw CONTINUATIONS times from each row of `expected`; a word that did not occur has the mean distribution."""
    everywhere = expected.sum(axis=0)
    rows = [_draw(row if row.any() else everywhere, random) for row in expected]
    return np.stack(rows)


def _draw(row: np.ndarray, random: np.random.Generator) -> np.ndarray:
    cumulative = np.cumsum(row, dtype=np.float64)
    return np.searchsorted(cumulative, random.random(CONTINUATIONS) * cumulative[-1], side="right").astype(np.int16)


def _walk(bigrams: Bigrams, count: int, random: np.random.Generator) -> np.ndarray:
    ids = np.full((count, LONGEST), PAD, np.int16)
    alive, last = np.arange(count), np.full(count, START, np.int16)
    for step in range(LONGEST):
        table = bigrams.after if step >= SHORTEST else bigrams.unfinished
        last = table[last, random.integers(CONTINUATIONS, size=len(last), dtype=np.int16)]
        alive, last = alive[last != END], last[last != END]
        ids[alive, step] = last
    return ids


TOP = 30
QUERIES = 400
NLTK_PICTURES = 500
NLTK_QUERIES = 8

Search = Callable[[list[str]], object]


def bench_bleu(pictures: int, captions: int) -> dict[str, float]:
    """Measure building and searching an index of `pictures` with `captions` each; searches alternate between systems.

    bm25s is included if each picture has one caption. Milliseconds of a query are medians and 99th percentiles over
    the same seeded queries of 1 to 12 words.
    """
    with tempfile.TemporaryDirectory() as folder:
        figures = _build(pictures, captions, Path(folder))
        postings = BleuPostings.load(Path(folder), INDEXED_ORDER)
        typed = queries(QUERIES)
        systems: dict[str, Search] = {
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
        figures |= _against_nltk(postings, pictures, captions, typed)
        figures |= _race(systems | (_bm25s(pictures, typed) if captions == 1 else {}), typed)
    return figures


def gallery(pictures: int, captions: int) -> Iterator[list[str]]:
    """Yield the synthetic captions of each picture."""
    sentences = texts(synthetic_captions(pictures * captions))
    return (list(islice(sentences, captions)) for _ in range(pictures))


def _build(pictures: int, captions: int, folder: Path) -> dict[str, float]:
    model_bigrams()  # Computed once and cached; not part of the time.
    started = time.perf_counter()
    for _ in gallery(pictures, captions):
        pass
    made = time.perf_counter()
    built = BleuPostings.build(gallery(pictures, captions))
    finished = time.perf_counter()
    built.save(folder)
    size = sum(path.stat().st_size for path in folder.iterdir())
    return {"build_s": (finished - made) - (made - started), "disk_mb": size / 1e6}


def _bm25s(pictures: int, typed: list[list[str]]) -> dict[str, Search]:
    """Return searches with both back ends of bm25s over one index of the stems of each picture's caption."""
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


def _against_nltk(postings: BleuPostings, pictures: int, captions: int, typed: list[list[str]]) -> dict[str, float]:
    """Time a loop over NLTK on the first pictures, and compute the largest difference of its scores from `at`."""
    sample = [[stems(one) for one in texts] for texts in islice(gallery(pictures, captions), NLTK_PICTURES)]
    smoothing, largest, seconds = getattr(SmoothingFunction(), f"method{TYPED_VARIANT.smoothing}"), 0.0, 0.0
    for query in typed[:NLTK_QUERIES]:
        words = [fold(word) for word in query]
        started = time.perf_counter()
        expected = np.array([nltk_score(words, one, smoothing) for one in sample])
        seconds += time.perf_counter() - started
        actual = postings.at(query, TYPED_VARIANT, np.arange(len(sample)))
        largest = max(largest, float(np.abs(actual - expected).max()))
    return {"nltk_us_a_pair": 1e6 * seconds / NLTK_QUERIES / len(sample), "largest_difference_from_nltk": largest}


def _race(systems: dict[str, Search], typed: list[list[str]]) -> dict[str, float]:
    """Run each query on all systems in turn, so that other load on the machine affects all alike."""
    taken: dict[str, list[float]] = {name: [] for name in systems}
    for timed in (False, True):
        for query in typed if timed else typed[:20]:
            for name, search in systems.items():
                started = time.perf_counter()
                search(query)
                if timed:
                    taken[name].append(1e3 * (time.perf_counter() - started))
    figures = {}
    for name, milliseconds in taken.items():
        figures[f"{name}_median_ms"], figures[f"{name}_p99_ms"] = map(float, np.percentile(milliseconds, [50, 99]))
    return figures
