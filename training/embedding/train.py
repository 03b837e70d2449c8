"""Train the pairs of encoders that put pictures and sentences into one space."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import keras
import numpy as np
from safetensors.numpy import load_file
from tqdm import tqdm

from captioner.embedding import Embedding, EmbeddingConfig, TextEmbedder, coarsen, member_weights
from captioner.encoder import best_precision
from captioner.quantise import rounded
from captioner.vocabulary import PAD, UNKNOWN, Vocabulary
from training.ahead import ahead
from training.config import EmbedConfig
from training.decoder.examples import Split, draw_grids
from training.embedding.model import ContrastiveLoss, build_embedding_model, get_embedding_weights
from training.state import save_tensors

STEPS = 20
"""Words of a caption that are read; nearly all are shorter."""
AHEAD = 3
FINE = 64
"""Grids of so many cells are coarsened: what a sentence asks for is seldom smaller, and it costs a quarter."""
USUAL = 1024
"""Sentences kept to tell hubs by; six times as many tell them hardly better."""
SHORT = 0.3
"""The share of captions cut down to a few of their words, as people type them."""
SHORT_WORDS = (2, 7)


def train_embedding(train: Split, out: Path, config: EmbedConfig, known: Embedding | None = None) -> Embedding:
    """Train `config.members` pairs one after the other; a stopped run repeats its unfinished member exactly.

    Where pairs are `known`, these: sentences keep their places, and pictures learn to lie near them. Writes
    `member0.safetensors` and on to `out`.
    """
    out.mkdir(parents=True, exist_ok=True)
    captions = [one for picture in train.captions for one in picture]
    vocabulary, sizes = (known.vocabulary, known.config) if known else _sized(train, captions, config)
    weights = {}
    for member in range(sizes.members):
        path = out / f"member{member}.safetensors"
        if not path.exists():
            save_tensors(_train_member(train, vocabulary, sizes, config, member, known), path)
        weights.update({f"{member}/{name}": one for name, one in load_file(path).items()})
    kept = rounded(weights, config.bits)  # as a bundle stores it
    if known:
        texts = {name for name in kept if name.split("/", 1)[1] in sizes.text_shapes()}
        return Embedding(sizes, kept | {name: known.weights[name] for name in texts}, vocabulary, known.sentences)
    sentences = usual_sentences(TextEmbedder(sizes, kept, vocabulary), captions, config.seed)
    return Embedding(sizes, kept, vocabulary, sentences)


def _sized(train: Split, captions: Sequence[Sequence[str]], config: EmbedConfig) -> tuple[Vocabulary, EmbeddingConfig]:
    vocabulary = Vocabulary.from_captions(captions, config.min_count)
    cells, channels = train.grids.shape[2:]
    return vocabulary, EmbeddingConfig(len(vocabulary), config.members, channels, pool=2 if cells >= FINE else 1)


def usual_sentences(embedder: TextEmbedder, captions: Sequence[Sequence[str]], seed: int) -> np.ndarray:
    """Return the places, float32 (m, e), of up to USUAL captions drawn at random."""
    order = np.random.default_rng(seed).permutation(len(captions))[:USUAL]
    places = [embedder.embed(captions[one]) for one in order]
    return np.stack([one for one in places if one is not None])


def _train_member(
    train: Split,
    vocabulary: Vocabulary,
    sizes: EmbeddingConfig,
    config: EmbedConfig,
    member: int,
    known: Embedding | None,
) -> dict[str, np.ndarray]:
    seed = config.seed * config.members + member
    keras.utils.set_random_seed(seed)
    cells = coarsen(train.grids[:1, 0], sizes.pool).shape[1]
    model = build_embedding_model(sizes, cells, best_precision())
    if known:
        model.meet(member_weights(known.weights, member, {**sizes.picture_shapes(), **sizes.text_shapes()}))
    batch = min(config.batch, len(train.names))
    steps = config.epochs * (len(train.names) // batch)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps, alpha=0.01, warmup_target=config.rate, warmup_steps=steps // 10
    )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=0.02, clipnorm=2.0)
    model.compile(optimizer, loss=ContrastiveLoss(), jit_compile=False)

    def make(rows: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        words = [_draw_words(train.captions[row], vocabulary, config.captions, random) for row in rows]
        return coarsen(draw_grids(train, rows, random), sizes.pool), np.stack(words)

    batches = ahead(make, _rows(len(train.names), batch, config.epochs, seed), AHEAD)
    for inputs in tqdm(batches, total=steps, desc=f"text encoder {member + 1}/{sizes.members}", unit="batch"):
        model.train_on_batch(inputs, np.arange(batch))
    return get_embedding_weights(model)


def _rows(count: int, batch: int, epochs: int, seed: int) -> Iterator[tuple[np.ndarray, np.random.Generator]]:
    """Whole batches only: each picture of a batch is the others' wrong answer, so none may stand in it twice."""
    for epoch in range(epochs):
        order = np.random.default_rng((seed, epoch)).permutation(count)
        for start in range(0, count - batch + 1, batch):
            yield order[start : start + batch], np.random.default_rng((seed, epoch, start))


def _draw_words(
    captions: Sequence[Sequence[str]], vocabulary: Vocabulary, count: int, random: np.random.Generator
) -> np.ndarray:
    """Numbers of `count` captions of a picture, int32 (count, STEPS), padded; unknown words are left out."""
    drawn = np.full((count, STEPS), PAD, np.int32)
    for row, place in zip(drawn, random.permutation(max(count, len(captions))), strict=False):
        numbers = [one for one in vocabulary.encode(captions[place % len(captions)]) if one != UNKNOWN]
        numbers = numbers[:STEPS] or [UNKNOWN]
        if random.random() < SHORT:
            kept = np.sort(random.permutation(len(numbers))[: random.integers(*SHORT_WORDS)])
            numbers = [numbers[one] for one in kept]
        row[: len(numbers)] = numbers
    return drawn
