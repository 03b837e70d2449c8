"""The text encoders: the trained network against NumPy's, its loss against a plain one, and a tiny training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from keras import ops

from captioner.embedding import EmbeddingConfig, PictureEmbedder, TextEmbedder, coarsen
from captioner.vocabulary import PAD, Vocabulary
from training.batches import Split
from training.config import EmbedConfig
from training.embedding.model import TEMPERATURE, ContrastiveLoss, build_embedding_model, get_embedding_weights
from training.embedding.sentences import Lexicon
from training.embedding.trainer import find_synonyms, train_embedding
from training.texts import Texts

WORDS = Vocabulary(["a", "dog", "cat", "boat", "runs", "sits"])
SIZES = EmbeddingConfig(len(WORDS), members=1, channels=6, word=5, units=8, heads=2, dimensions=4)


@pytest.mark.parametrize("buckets", [0, 32])
def test_numpy_encoders_are_the_trained_ones(buckets: int) -> None:
    sizes = replace(SIZES, buckets=buckets)
    model, random = build_embedding_model(sizes, cells=9), np.random.default_rng(0)
    for variable in model.weights:
        variable.assign(random.normal(0, 0.5, variable.shape))
    weights = {f"0/{name}": one for name, one in get_embedding_weights(model, WORDS).items()}
    grids = random.normal(2, 3, (3, 9, 6)).astype("f4")
    pictures = PictureEmbedder(sizes, weights).embed(grids)
    assert np.allclose(pictures, ops.convert_to_numpy(model.embed_pictures(grids)), atol=1e-3)
    text, lexicon = TextEmbedder(sizes, weights, WORDS), Lexicon(WORDS, buckets)
    for sentence in ("dog", "a dog runs", "a cat sits a purple boat"):
        rows = lexicon.rows(sentence.split())
        padded = np.full((1, 8), PAD, np.int32)
        padded[0, : len(rows)] = rows
        (places,), numbers, pieces = lexicon.read([padded], NoSpelling())
        expected = model.embed_words(places, model.read_words(numbers, pieces))
        found = text.embed(sentence.split())
        assert found is not None
        assert np.allclose(found, ops.convert_to_numpy(expected)[0], atol=1e-3)


class NoSpelling(np.random.Generator):
    """A source of numbers by which every known word is read as what it is."""

    def __init__(self) -> None:
        super().__init__(np.random.PCG64(0))

    def random(self, size: int) -> np.ndarray:  # type: ignore[override]
        return np.ones(size)


def test_cells_are_averaged_by_squares() -> None:
    grids = np.arange(2 * 25 * 3, dtype=np.float32).reshape(2, 5, 5, 3)
    coarse = coarsen(grids.reshape(2, 25, 3), 2)
    assert coarse.shape == (2, 4, 3)
    assert np.array_equal(coarse[1, 3], grids[1, 2:4, 2:4].mean(axis=(0, 1)))
    assert np.array_equal(coarsen(grids.reshape(2, 25, 3), 1), grids.reshape(2, 25, 3))


def test_the_loss_is_the_symmetric_softmax() -> None:
    scores = np.random.default_rng(1).uniform(-1, 1, (3, 6)).astype("f4")
    expected = []
    for picture in range(3):
        terms = []
        for caption in (2 * picture, 2 * picture + 1):
            column = scores[:, caption] / TEMPERATURE
            terms.append(np.log(np.exp(column).sum()) - column[picture])
            others = [one for one in range(6) if one // 2 != picture] + [caption]
            row = scores[picture] / TEMPERATURE
            terms.append(np.log(np.exp(row[others]).sum()) - row[caption])
        expected.append(sum(terms) / 2)
    found = ops.convert_to_numpy(ContrastiveLoss(2).call(np.arange(3), ops.convert_to_tensor(scores)))
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.fixture(scope="module")
def split() -> Split:
    """Sixty pictures of three kinds, each with a channel of its own."""
    random = np.random.default_rng(2)
    kinds = [("a", "dog", "runs"), ("a", "cat", "sits"), ("a", "boat")]
    grids = random.normal(0, 1, (60, 1, 4, 6))
    grids[np.arange(60), :, :, np.arange(60) % 3] += 4
    return Split([str(one) for one in range(60)], grids.astype("f2"), [[kinds[one % 3]] * 2 for one in range(60)])


CONFIG = EmbedConfig(members=2, epochs=30, batch=30, captions=1, rate=5e-3, min_count=1)
"""Large batches have all words, so that all have one shape, and a step is traced once."""


@pytest.mark.usefixtures("small_networks")
def test_training_maps_sentences_near_their_pictures(split: Split, tmp_path: Path) -> None:
    embedding = train_embedding(split, tmp_path, CONFIG)
    pictures = PictureEmbedder(embedding.config, embedding.weights).embed(split.grids[:3, 0])
    text = TextEmbedder(embedding.config, embedding.weights, embedding.vocabulary)
    places = np.stack([place for place in map(text.embed, (one[0] for one in split.captions[:3])) if place is not None])
    assert (places @ pictures.T).argmax(axis=1).tolist() == [0, 1, 2]
    (tmp_path / "member1.safetensors").unlink()
    again = train_embedding(split, tmp_path, CONFIG)
    assert all(np.array_equal(embedding.weights[name], again.weights[name]) for name in embedding.weights)


@pytest.mark.usefixtures("small_networks")
def test_captions_in_other_languages_find_the_pictures_too(split: Split, tmp_path: Path) -> None:
    german = [("hund", "rennt"), ("katze", "sitzt"), ("boot",)]
    beside = {name: [[german[int(name) % 3]]] for name in split.names}
    alone = [[kind, ["the", "big", *kind]] for kind in german] * 4
    config = replace(CONFIG, members=1, captions=2, pairs=12, text_steps=10, buckets=64)
    embedding = train_embedding(split, tmp_path, config, Texts(beside, alone))
    pictures = PictureEmbedder(embedding.config, embedding.weights).embed(split.grids[:3, 0])
    text = TextEmbedder(embedding.config, embedding.weights, embedding.vocabulary)
    for sentences in (german, [one[0] for one in split.captions[:3]], [("hunde",), ("katzen",), ("boote",)]):
        places = np.stack([place for place in map(text.embed, sentences) if place is not None])
        assert (places @ pictures.T).argmax(axis=1).tolist() == [0, 1, 2], sentences


def test_unknown_words_are_ignored(split: Split) -> None:
    random = np.random.default_rng(3)
    weights = {f"0/{name}": random.normal(size=shape) for name, shape in SIZES.text_shapes().items()}
    text = TextEmbedder(SIZES, weights, WORDS)
    known, mixed = text.embed(["a", "dog"]), text.embed(["a", "purple", "dog"])
    assert known is not None
    assert mixed is not None
    assert np.array_equal(known, mixed)
    assert text.embed(["purple"]) is None
    assert text.known_share(["a", "dog"]) == 1
    assert 0 < text.known_share(["a", "purple"]) < 0.5 < text.known_share(["a", "dog", "purple", "boat"]) < 1
    assert text.known_share(["purple"]) == 0


def test_weights_that_do_not_fit_are_named() -> None:
    with pytest.raises(ValueError, match="0/grid_norm/gamma should have shape"):
        PictureEmbedder(SIZES, {})


PLACES = {
    "dog": (1, 0),
    "hund": (1, 0.1),
    "terrier": (1, 0.8),
    "cat": (0, 1),
    "katze": (0.1, 1),
    "the": (1, 0),
    "der": (1, 0),
}
MEANINGS = Vocabulary(list(PLACES))


class Plane:
    """Words on a plane."""

    def embed(self, tokens: Sequence[str]) -> np.ndarray:
        place = np.array(PLACES[tokens[0]], np.float32)
        return place / np.linalg.norm(place)


def test_synonyms_are_found_across_languages() -> None:
    found = find_synonyms(Plane(), MEANINGS, Vocabulary(["the", "dog", "cat", "terrier"]))  # type: ignore[arg-type]
    synonyms = {
        word: MEANINGS.decode(one for one in found[number].tolist() if one)
        for word, number in zip(PLACES, MEANINGS.encode(list(PLACES)), strict=True)
    }
    assert synonyms["hund"] == ["dog"]
    assert synonyms["katze"] == ["cat"]
    assert synonyms["dog"] == []
    assert synonyms["terrier"] == []
    assert synonyms["the"] == synonyms["der"] == []
