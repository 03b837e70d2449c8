"""Train the pairs of encoders that put pictures and sentences into one space."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from safetensors.numpy import load_file
from tqdm import tqdm

from captioner.embedding import Embedding, EmbeddingConfig, TextEmbedder, coarsen
from captioner.frameworks import best_precision
from captioner.quantise import rounded
from captioner.vocabulary import Vocabulary
from training.ahead import ahead
from training.config import EmbedConfig
from training.decoder.adam import FusedAdamW
from training.decoder.examples import Split, whole_batches
from training.embedding.model import (
    ContrastiveLoss,
    EmbeddingModel,
    Reading,
    build_embedding_model,
    get_embedding_weights,
)
from training.embedding.sentences import STEPS, Lexicon, draw
from training.embedding.synonyms import find_synonyms
from training.state import save_tensors
from training.texts import Caption, Texts

AHEAD = 3
FINE = 64
"""Grids of so many cells are coarsened: what a sentence asks for is seldom smaller, and it costs a quarter."""
USUAL = 1024
"""Sentences kept to tell hubs by; six times as many tell them hardly better."""
NO_PAIR = np.zeros((1, 2, STEPS), np.int32)
FOREIGN = 1
"""Captions in other languages of each picture of a batch."""


@dataclass(frozen=True)
class Material:
    """What members learn from: coarse grids (n, views, cells, channels), and captions as rows of the lexicon."""

    grids: np.ndarray
    captions: list[list[np.ndarray]]
    foreign: list[list[list[np.ndarray]]]
    alone: list[list[np.ndarray]]
    lexicon: Lexicon
    sizes: EmbeddingConfig


def train_embedding(train: Split, out: Path, config: EmbedConfig, texts: Texts | None = None) -> Embedding:
    """Train `config.members` pairs one after the other; a stopped run repeats its unfinished member exactly.

    `texts` are captions in other languages and of other pictures. Writes `member0.safetensors` and on to `out`.
    """
    out.mkdir(parents=True, exist_ok=True)
    texts = texts or Texts()
    vocabulary, sizes = _sized(train, texts, config)
    material = None
    weights = {}
    for member in range(sizes.members):
        path = out / f"member{member}.safetensors"
        if not path.exists():
            material = material or gather(train, texts, vocabulary, sizes)
            save_tensors(get_embedding_weights(teach_member(material, config, member), vocabulary), path)
        weights.update({f"{member}/{name}": one for name, one in load_file(path).items()})
    if sizes.buckets:
        vocabulary, sizes, weights = _pruned(vocabulary, sizes, weights, config.kept_words)
    kept = rounded(weights, config.bits)  # as a bundle stores it
    captions = [one for picture in train.captions for one in picture]
    embedder = TextEmbedder(sizes, kept, vocabulary)
    spoken = Vocabulary.from_captions(captions, config.min_count)
    synonyms = find_synonyms(embedder, vocabulary, spoken)
    return Embedding(sizes, kept, vocabulary, usual_sentences(embedder, captions, config.seed), synonyms)


def first_meeting(train: Split, texts: Texts, config: EmbedConfig, path: Path) -> tuple[EmbeddingModel, Meetings]:
    """One pair of encoders to go on with, kept at `path`, and what it goes on to learn from."""
    vocabulary, sizes = _sized(train, texts, replace(config, members=1))
    material = gather(train, texts, vocabulary, sizes)
    if not path.exists():
        model = teach_member(material, config, member=0)
        save_tensors({str(place): one.numpy() for place, one in enumerate(model.weights)}, path)
    model, kept = build_embedding_model(sizes, material.grids.shape[2], best_precision()), load_file(path)
    for place, variable in enumerate(model.weights):
        variable.assign(kept[str(place)])
    return model, Meetings(material, config.pairs)


def usual_sentences(embedder: TextEmbedder, captions: Sequence[Caption], seed: int) -> np.ndarray:
    """Return the places, float32 (m, e), of up to USUAL captions drawn at random."""
    order = np.random.default_rng(seed).permutation(len(captions))[:USUAL]
    bar = tqdm(order, desc="usual sentences", unit="sentence", disable=None)
    places = [embedder.embed(captions[one]) for one in bar]
    return np.stack([one for one in places if one is not None])


def _pruned(
    vocabulary: Vocabulary, sizes: EmbeddingConfig, weights: Mapping[str, np.ndarray], count: int
) -> tuple[Vocabulary, EmbeddingConfig, dict[str, np.ndarray]]:
    """The same with the `count` most frequent words; rarer ones are read by how they are spelt."""
    kept = Vocabulary(vocabulary.words[:count])
    tables = {name: one[: len(kept)] for name, one in weights.items() if name.endswith("words/embeddings")}
    return kept, replace(sizes, vocabulary=len(kept)), {**weights, **tables}


def _sized(train: Split, texts: Texts, config: EmbedConfig) -> tuple[Vocabulary, EmbeddingConfig]:
    pictures = [train.captions, *(texts.beside.get(name, []) for name in train.names)]
    of_pictures = (one for captions in pictures for picture in captions for one in picture)
    vocabulary = Vocabulary.from_captions(
        [*of_pictures, *(one for picture in texts.alone for one in picture)], config.min_count
    )
    cells, channels = train.grids.shape[2:]
    buckets = config.buckets if texts.alone else 0
    pool = 2 if cells >= FINE else 1
    return vocabulary, EmbeddingConfig(len(vocabulary), channels, config.members, pool=pool, buckets=buckets)


def gather(train: Split, texts: Texts, vocabulary: Vocabulary, sizes: EmbeddingConfig) -> Material:
    """Bring grids and captions into the form that members learn from; takes seconds and the memory of the grids."""
    lexicon = Lexicon(vocabulary, sizes.buckets)

    def read(captions: Sequence[Caption]) -> list[np.ndarray]:
        return [lexicon.rows(one) for one in captions]

    rows = tqdm(range(len(train.names)), desc="coarse grids", unit="pic", disable=None)
    return Material(
        grids=np.stack([coarsen(train.grids[row], sizes.pool).astype(np.float16) for row in rows]),
        captions=[read(one) for one in train.captions],
        foreign=[[read(one) for one in texts.beside.get(name, [])] for name in train.names],
        alone=[read(one) for one in tqdm(texts.alone, desc="texts", unit="pic", disable=None)],
        lexicon=lexicon,
        sizes=sizes,
    )


def teach_member(material: Material, config: EmbedConfig, member: int) -> EmbeddingModel:
    """Train one pair of encoders; its seed is `member`'s."""
    seed, sizes = config.seed * config.members + member, material.sizes
    keras.utils.set_random_seed(seed)
    model = build_embedding_model(sizes, material.grids.shape[2], best_precision())
    title = f"text encoder {member + 1}/{sizes.members}"
    if material.alone and config.reading:
        model.teach_pictures(False)
        batches = _reading(material, config, seed)
        _fit(Reading(model), ContrastiveLoss(), config.reading, config.rate, f"{title}, texts alone", batches)
        model.teach_pictures(True)
    batch = min(config.batch, len(material.captions))
    steps = config.epochs * (len(material.captions) // batch)
    losses = {"pictures": ContrastiveLoss(config.captions), "texts": ContrastiveLoss()}
    _fit(model, losses, steps, config.rate, title, _meeting(material, config, batch, seed))
    return model


Jobs = Iterator[tuple[Any, Any]]


def _fit(model: keras.Model, losses: Any, steps: int, highest: float, title: str, batches: Jobs) -> None:
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps, alpha=0.01, warmup_target=highest, warmup_steps=max(1, steps // 10)
    )
    model.compile(FusedAdamW(rate, weight_decay=0.02, clipnorm=2.0), loss=losses, jit_compile=False)
    with tqdm(total=steps, desc=title, unit="batch", disable=None) as bar:
        for inputs, expected in batches:
            loss = model.train_on_batch(inputs, expected)
            bar.set_postfix(loss=f"{float(np.ravel(loss)[0]):.2f}", refresh=False)
            bar.update()


def _reading(material: Material, config: EmbedConfig, seed: int) -> Jobs:
    """Batches of captions of pictures that are not here and, among them, of those that are."""

    def make(rows: np.ndarray, random: np.random.Generator) -> tuple[Any, Any]:
        pairs = np.stack([draw(groups[row], 2, random) for row in rows])
        (places,), numbers, pieces = material.lexicon.read([pairs], random)
        return (places, numbers, pieces), np.arange(len(rows))

    groups = [*material.alone, *(_together(material, row) for row in range(len(material.captions)))]
    size = min(config.pairs, len(groups))
    epochs = -(-config.reading // (len(groups) // size))
    jobs = list(whole_batches(len(groups), size, epochs, seed))[: config.reading]
    return ahead(make, jobs, AHEAD)


def _together(material: Material, row: int) -> list[np.ndarray]:
    """A picture's captions in all languages; one language's weigh no more for being many."""
    return [*material.captions[row], *(one for captions in material.foreign[row] for one in captions)]


class Meetings:
    """Draws what is said of pictures, and of others that are not here, for batches of `EmbeddingModel`."""

    def __init__(self, material: Material, pairs: int) -> None:
        self._material, self._pairs = material, min(pairs, len(material.alone))

    def sentences(self, rows: np.ndarray, count: int, random: np.random.Generator) -> tuple[tuple[Any, ...], Any]:
        """The model's inputs after the grids of the pictures in `rows`, `count` captions each, and what is expected."""
        alone = self._material.alone
        words = np.stack([self._own_and_foreign(int(row), count, random) for row in rows])
        others = random.choice(len(alone), self._pairs, replace=False) if self._pairs else ()
        pairs = np.stack([draw(alone[one], 2, random) for one in others]) if self._pairs else NO_PAIR
        (words, pairs), numbers, pieces = self._material.lexicon.read([words, pairs], random)
        return (words, pairs, numbers, pieces), {"pictures": np.arange(len(rows)), "texts": np.arange(len(pairs))}

    def _own_and_foreign(self, row: int, count: int, random: np.random.Generator) -> np.ndarray:
        foreign = self._material.foreign[row]
        drawn = draw(self._material.captions[row], count, random)
        if foreign:
            drawn[-FOREIGN:] = draw(foreign[random.integers(len(foreign))], FOREIGN, random)
        return drawn


def _meeting(material: Material, config: EmbedConfig, batch: int, seed: int) -> Jobs:
    """Batches of pictures with their captions, and captions of pictures that are not here."""
    meetings = Meetings(material, config.pairs)

    def make(rows: np.ndarray, random: np.random.Generator) -> tuple[Any, Any]:
        view = random.integers(material.grids.shape[1], size=len(rows))
        sentences, expected = meetings.sentences(rows, config.captions, random)
        return (material.grids[rows, view].astype(np.float32), *sentences), expected

    return ahead(make, whole_batches(len(material.captions), batch, config.epochs, seed), AHEAD)
