"""Made-up captions for galleries of any size, drawn from the shipped decoder's own word statistics.

The decoder captions made-up pictures (cells of the sample photographs, shuffled together) by sampling. Every time it
chooses a word, its whole distribution is added to what it expects after the word before, so that all its words get
their share, the rare ones too. Captions are then walks over these bigrams.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from captioner.bundle import BUNDLED, Bundle, load_bundle
from captioner.captioner import Captioner
from captioner.decoder import Decoder
from captioner.vocabulary import END, PAD, SPECIAL, START, UNKNOWN
from data.pictures import read_square
from data.samples import SAMPLES, copy_samples

SHORTEST, LONGEST = 6, 14
"""Words in a made-up caption."""
SAMPLED = 4096
BATCH = 256
SOURCES = 3
"""How many photographs lend their cells to one made-up picture."""
CONTINUATIONS = 2**12
"""How many next words are drawn beforehand for each word; a caption's step is then one look-up."""
PART = 2**18


@dataclass(frozen=True)
class Bigrams:
    """What follows a word: `after` int16 (vocabulary, CONTINUATIONS) and `goes_on`, the same without the end mark.

    Each row is a sample of the word's successors, so a uniform choice from it follows their distribution.
    """

    words: tuple[str, ...]
    after: np.ndarray
    goes_on: np.ndarray


def captions(count: int, seed: int = 0) -> np.ndarray:
    """Return `count` captions as word ids, int16 (count, LONGEST), PAD behind the end; the same for the same seed."""
    bigrams, random = model_bigrams(), np.random.default_rng(seed)
    parts = [_walk(bigrams, min(PART, count - start), random) for start in range(0, count, PART)]
    return np.concatenate(parts) if parts else np.zeros((0, LONGEST), np.int16)


def texts(ids: np.ndarray) -> Iterator[str]:
    """Yield each row of `captions` as a sentence."""
    words = model_bigrams().words
    for row in ids:
        yield " ".join([words[one] for one in row[row != PAD].tolist()])


def queries(count: int, seed: int = 1) -> list[list[str]]:
    """Return `count` queries of 1 to 12 words in a row, cut out of captions of their own."""
    words, random = model_bigrams().words, np.random.default_rng(seed)
    found = []
    for row in captions(count, seed):
        known = row[row != PAD]
        length = min(int(random.integers(1, 13)), len(known))
        start = int(random.integers(0, len(known) - length + 1))
        found.append([words[one] for one in known[start : start + length].tolist()])
    return found


@cache
def model_bigrams() -> Bigrams:
    """Sample captions from the shipped decoder and return what it expects after each word."""
    bundle, random = load_bundle(BUNDLED), np.random.default_rng(0)
    expected = _expected(bundle, random)
    expected[:, [PAD, START, UNKNOWN]] = 0
    lasting = expected.copy()
    lasting[:, END] = 0
    after, goes_on = (_successors(one, random) for one in (expected, lasting))
    return Bigrams((*SPECIAL, *bundle.vocabulary.words), after, goes_on)


def _expected(bundle: Bundle, random: np.random.Generator) -> np.ndarray:
    """The decoder's next-word distributions summed by the word before, float32 (vocabulary, vocabulary)."""
    decoder = Decoder(bundle.decoder, bundle.decoder_weights)
    cells = _sample_cells(bundle)
    total = np.zeros((len(bundle.vocabulary), len(bundle.vocabulary)), np.float32)
    for _ in range(0, SAMPLED, BATCH):
        views, state = decoder.look(_made_up_grids(cells, random))
        words = np.full(BATCH, START)
        for _ in range(bundle.decoder.max_words):
            scores, state = decoder.step(views, state, words)
            chance = np.exp(scores)
            alive = np.flatnonzero(words != END)
            np.add.at(total, words[alive], chance[alive])
            drawn = (chance.cumsum(axis=1) > random.random((BATCH, 1)) * chance.sum(axis=1, keepdims=True)).argmax(1)
            words = np.where(words == END, END, drawn)
    return total


def _sample_cells(bundle: Bundle) -> np.ndarray:
    """The encoder's grids of the sample photographs, float32 (photographs, cells, channels)."""
    with tempfile.TemporaryDirectory() as folder:
        copy_samples(Path(folder))
        files = [Path(folder) / Path(sample.file).name for sample in SAMPLES]
        return Captioner(bundle).encode(np.stack([read_square(file, bundle.encoder.side) for file in files])).grids


def _made_up_grids(cells: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Grids (BATCH, cells, channels) whose every cell is one of a few photographs', taken from anywhere in it."""
    photographs, places, _ = cells.shape
    sources = random.integers(photographs, size=(BATCH, SOURCES))
    chosen = np.take_along_axis(sources, random.integers(SOURCES, size=(BATCH, places)), axis=1)
    return cells[chosen, random.integers(places, size=(BATCH, places))]


def _successors(expected: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """CONTINUATIONS draws from each row of `expected`; a word never met goes on as the words do on average."""
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
        table = bigrams.after if step >= SHORTEST else bigrams.goes_on
        last = table[last, random.integers(CONTINUATIONS, size=len(last), dtype=np.int16)]
        alive, last = alive[last != END], last[last != END]
        ids[alive, step] = last
    return ids
