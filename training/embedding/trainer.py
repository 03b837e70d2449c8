"""Train the pairs of encoders that map pictures and sentences into one space."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from safetensors.numpy import load_file

from captioner.embedding import Embedding, EmbeddingConfig, TextEmbedder, coarsen
from captioner.frameworks import best_precision
from captioner.quantise import rounded
from captioner.vocabulary import SPECIAL, Vocabulary
from data.progress import progress_bar
from data.text import FUNCTION_WORDS
from training.batches import Split, prefetch, whole_batches
from training.checkpoints import save_tensors
from training.config import EmbedConfig
from training.decoder.fast_ops import FusedAdamW
from training.embedding.model import (
    ContrastiveLoss,
    EmbeddingModel,
    TextPairs,
    build_embedding_model,
    get_embedding_weights,
)
from training.embedding.sentences import STEPS, Lexicon, draw
from training.texts import Caption, Texts

PREFETCHED = 3
FINE = 64
"""Grids from this number of cells on are pooled 2 x 2: it costs a quarter, and objects are seldom smaller."""
REFERENCE_SENTENCES = 1024
"""Sentences kept in the bundle to detect hubs; six times as many hardly improve it."""
NO_PAIR = np.zeros((1, 2, STEPS), np.int32)
TRANSLATIONS = 1
"""Captions in other languages of each picture of a batch."""
MAX_SYNONYMS = 3
SYNONYM_COSINE = 0.86
"""The least cosine of synonyms: "hund" and "dog" have 0.97, "automobile" and "car" 0.87, "puppy" and "dog" 0.83,
"cat" and "dog" less than 0.78."""
WORD_BATCH = 1000


@dataclass(frozen=True)
class PreparedData:
    """Training data of the members: coarse grids (n, crops, cells, channels), and captions as rows of the lexicon."""

    grids: np.ndarray
    captions: list[list[np.ndarray]]
    translations: list[list[list[np.ndarray]]]
    unpaired: list[list[np.ndarray]]
    lexicon: Lexicon
    sizes: EmbeddingConfig


def train_embedding(train: Split, out: Path, config: EmbedConfig, texts: Texts | None = None) -> Embedding:
    """Train `config.members` pairs one after the other; a stopped run repeats its unfinished member exactly.

    `texts` are captions in other languages and of other pictures. Write `member0.safetensors` and so on to `out`.
    """
    out.mkdir(parents=True, exist_ok=True)
    texts = texts or Texts()
    vocabulary, sizes = _sized(train, texts, config)
    data = None
    weights = {}
    for member in range(sizes.members):
        path = out / f"member{member}.safetensors"
        if not path.exists():
            data = data or prepare(train, texts, vocabulary, sizes)
            save_tensors(get_embedding_weights(train_member(data, config, member), vocabulary), path)
        weights.update({f"{member}/{name}": one for name, one in load_file(path).items()})
    if sizes.buckets:
        vocabulary, sizes, weights = _pruned(vocabulary, sizes, weights, config.kept_words)
    kept = rounded(weights, config.bits)  # as a bundle stores it
    captions = [one for picture in train.captions for one in picture]
    embedder = TextEmbedder(sizes, kept, vocabulary)
    own_words = Vocabulary.from_captions(captions, config.min_count)
    synonyms = find_synonyms(embedder, vocabulary, own_words)
    return Embedding(sizes, kept, vocabulary, reference_sentences(embedder, captions, config.seed), synonyms)


def train_first_pair(
    train: Split, texts: Texts, config: EmbedConfig, path: Path
) -> tuple[EmbeddingModel, SentenceSampler]:
    """Train a pair of encoders, saved at `path`, for joint training; return it with the sampler of its sentences."""
    vocabulary, sizes = _sized(train, texts, replace(config, members=1))
    data = prepare(train, texts, vocabulary, sizes)
    if not path.exists():
        model = train_member(data, config, member=0)
        save_tensors({str(index): variable.numpy() for index, variable in enumerate(model.weights)}, path)
    model, kept = build_embedding_model(sizes, data.grids.shape[2], best_precision()), load_file(path)
    for index, variable in enumerate(model.weights):
        variable.assign(kept[str(index)])
    return model, SentenceSampler(data, config.pairs)


def reference_sentences(embedder: TextEmbedder, captions: Sequence[Caption], seed: int) -> np.ndarray:
    """Return the embeddings, float32 (m, e), of up to REFERENCE_SENTENCES captions drawn at random."""
    order = np.random.default_rng(seed).permutation(len(captions))[:REFERENCE_SENTENCES]
    bar = progress_bar(order, desc="reference sentences", unit="sentence")
    embeddings = [embedder.embed(captions[index]) for index in bar]
    return np.stack([embedding for embedding in embeddings if embedding is not None])


def _pruned(
    vocabulary: Vocabulary, sizes: EmbeddingConfig, weights: Mapping[str, np.ndarray], count: int
) -> tuple[Vocabulary, EmbeddingConfig, dict[str, np.ndarray]]:
    """Keep the `count` most frequent words; rarer ones are read by their character n-grams."""
    kept = Vocabulary(vocabulary.words[:count])
    tables = {name: one[: len(kept)] for name, one in weights.items() if name.endswith("words/embeddings")}
    return kept, replace(sizes, vocabulary=len(kept)), {**weights, **tables}


def _sized(train: Split, texts: Texts, config: EmbedConfig) -> tuple[Vocabulary, EmbeddingConfig]:
    pictures = [train.captions, *(texts.translations.get(name, []) for name in train.names)]
    of_pictures = (one for captions in pictures for picture in captions for one in picture)
    vocabulary = Vocabulary.from_captions(
        [*of_pictures, *(one for picture in texts.unpaired for one in picture)], config.min_count
    )
    cells, channels = train.grids.shape[2:]
    buckets = config.buckets if texts.unpaired else 0
    pool = 2 if cells >= FINE else 1
    return vocabulary, EmbeddingConfig(len(vocabulary), channels, config.members, pool=pool, buckets=buckets)


def prepare(train: Split, texts: Texts, vocabulary: Vocabulary, sizes: EmbeddingConfig) -> PreparedData:
    """Convert grids and captions for training; takes seconds, and memory for the grids."""
    lexicon = Lexicon(vocabulary, sizes.buckets)

    def read(captions: Sequence[Caption]) -> list[np.ndarray]:
        return [lexicon.rows(one) for one in captions]

    rows = progress_bar(range(len(train.names)), desc="coarse grids", unit="pic")
    return PreparedData(
        grids=np.stack([coarsen(train.grids[row], sizes.pool).astype(np.float16) for row in rows]),
        captions=[read(one) for one in train.captions],
        translations=[[read(one) for one in texts.translations.get(name, [])] for name in train.names],
        unpaired=[read(one) for one in progress_bar(texts.unpaired, desc="texts", unit="pic")],
        lexicon=lexicon,
        sizes=sizes,
    )


def train_member(data: PreparedData, config: EmbedConfig, member: int) -> EmbeddingModel:
    """Train a pair of encoders with the seed of `member`."""
    seed, sizes = config.seed * config.members + member, data.sizes
    keras.utils.set_random_seed(seed)
    model = build_embedding_model(sizes, data.grids.shape[2], best_precision())
    title = f"text encoder {member + 1}/{sizes.members}"
    if data.unpaired and config.text_steps:
        model.set_pictures_trainable(False)
        batches = _text_batches(data, config, seed)
        _fit(TextPairs(model), ContrastiveLoss(), config.text_steps, config.rate, f"{title}, texts alone", batches)
        model.set_pictures_trainable(True)
    batch = min(config.batch, len(data.captions))
    steps = config.epochs * (len(data.captions) // batch)
    losses = {"pictures": ContrastiveLoss(config.captions), "texts": ContrastiveLoss()}
    _fit(model, losses, steps, config.rate, title, _joint_batches(data, config, batch, seed))
    return model


Jobs = Iterator[tuple[Any, Any]]


def _fit(model: keras.Model, losses: Any, steps: int, highest: float, title: str, batches: Jobs) -> None:
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps, alpha=0.01, warmup_target=highest, warmup_steps=max(1, steps // 10)
    )
    model.compile(FusedAdamW(rate, weight_decay=0.02, clipnorm=2.0), loss=losses, jit_compile=False)
    with progress_bar(total=steps, desc=title, unit="batch") as bar:
        for inputs, expected in batches:
            loss = model.train_on_batch(inputs, expected)
            bar.set_postfix(loss=f"{float(np.ravel(loss)[0]):.2f}", refresh=False)
            bar.update()


def _text_batches(data: PreparedData, config: EmbedConfig, seed: int) -> Jobs:
    """Return batches of captions, with and without pictures."""

    def make(rows: np.ndarray, random: np.random.Generator) -> tuple[Any, Any]:
        pairs = np.stack([draw(groups[row], 2, random) for row in rows])
        (words,), numbers, pieces = data.lexicon.read([pairs], random)
        return (words, numbers, pieces), np.arange(len(rows))

    groups = [*data.unpaired, *(_together(data, row) for row in range(len(data.captions)))]
    size = min(config.pairs, len(groups))
    epochs = -(-config.text_steps // (len(groups) // size))
    jobs = list(whole_batches(len(groups), size, epochs, seed))[: config.text_steps]
    return prefetch(make, jobs, PREFETCHED)


def _together(data: PreparedData, row: int) -> list[np.ndarray]:
    """Return a picture's captions in all languages."""
    return [*data.captions[row], *(one for captions in data.translations[row] for one in captions)]


class SentenceSampler:
    """Draws captions of pictures, and captions without pictures, for batches of `EmbeddingModel`."""

    def __init__(self, data: PreparedData, pairs: int) -> None:
        self._data, self._pairs = data, min(pairs, len(data.unpaired))

    def sentences(self, rows: np.ndarray, count: int, random: np.random.Generator) -> tuple[tuple[Any, ...], Any]:
        """Return the inputs after the grids, for the pictures in `rows` with `count` captions each, and the targets."""
        unpaired = self._data.unpaired
        words = np.stack([self._with_translations(int(row), count, random) for row in rows])
        others = random.choice(len(unpaired), self._pairs, replace=False) if self._pairs else ()
        pairs = np.stack([draw(unpaired[index], 2, random) for index in others]) if self._pairs else NO_PAIR
        (words, pairs), numbers, pieces = self._data.lexicon.read([words, pairs], random)
        return (words, pairs, numbers, pieces), {"pictures": np.arange(len(rows)), "texts": np.arange(len(pairs))}

    def _with_translations(self, row: int, count: int, random: np.random.Generator) -> np.ndarray:
        translations = self._data.translations[row]
        drawn = draw(self._data.captions[row], count, random)
        if translations:
            drawn[-TRANSLATIONS:] = draw(translations[random.integers(len(translations))], TRANSLATIONS, random)
        return drawn


def _joint_batches(data: PreparedData, config: EmbedConfig, batch: int, seed: int) -> Jobs:
    """Return batches of pictures with their captions, and of captions without pictures."""
    sampler = SentenceSampler(data, config.pairs)

    def make(rows: np.ndarray, random: np.random.Generator) -> tuple[Any, Any]:
        crops = random.integers(data.grids.shape[1], size=len(rows))
        sentences, expected = sampler.sentences(rows, config.captions, random)
        return (data.grids[rows, crops].astype(np.float32), *sentences), expected

    return prefetch(make, whole_batches(len(data.captions), batch, config.epochs, seed), PREFETCHED)


def find_synonyms(embedder: TextEmbedder, vocabulary: Vocabulary, captions: Vocabulary) -> np.ndarray:
    """Return the synonyms of each word of `vocabulary` among the words of `captions`, as numbers in `vocabulary`.

    The result is uint16 (vocabulary, MAX_SYNONYMS), nearest first, filled up with 0. A word is not its own synonym, and
    function words have and are no synonyms.
    """
    content_words = set(vocabulary.words) - FUNCTION_WORDS
    own = [word for word in captions.words if word in content_words]
    numbers, embeddings = np.array(vocabulary.encode(own)), _embed(embedder, own)
    synonyms = np.zeros((len(vocabulary), MAX_SYNONYMS), np.uint16)
    for start in progress_bar(range(0, len(vocabulary.words), WORD_BATCH), desc="synonyms", unit="kword"):
        words = vocabulary.words[start : start + WORD_BATCH]
        cosines = _embed(embedder, words) @ embeddings.T
        for row, word in enumerate(words):
            near = np.argsort(-cosines[row])[: MAX_SYNONYMS + 1]
            kept = [numbers[i] for i in near if cosines[row, i] >= SYNONYM_COSINE and own[i] != word][:MAX_SYNONYMS]
            if word not in FUNCTION_WORDS:
                synonyms[len(SPECIAL) + start + row, : len(kept)] = kept
    return synonyms


def _embed(embedder: TextEmbedder, words: Sequence[str]) -> np.ndarray:
    embeddings = [embedder.embed([word]) for word in words]
    return np.stack([embedding for embedding in embeddings if embedding is not None])
