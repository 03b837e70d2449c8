"""The text encoders: the trained network against NumPy's, its loss against a plain one, and a tiny training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from keras import ops

from captioner.embedding import EmbeddingConfig, PictureEmbedder, TextEmbedder, coarsen
from captioner.vocabulary import PAD, Vocabulary
from training.config import EmbedConfig
from training.decoder.examples import Split
from training.embedding.model import TEMPERATURE, ContrastiveLoss, build_embedding_model, get_embedding_weights
from training.embedding.train import train_embedding

WORDS = Vocabulary(["a", "dog", "cat", "boat", "runs", "sits"])
SIZES = EmbeddingConfig(len(WORDS), members=1, channels=6, word=5, units=8, heads=2, dimensions=4)


def test_numpy_encoders_are_the_trained_ones() -> None:
    model, random = build_embedding_model(SIZES, cells=9), np.random.default_rng(0)
    for variable in model.weights:
        variable.assign(random.normal(0, 0.5, variable.shape))
    weights = {f"0/{name}": one for name, one in get_embedding_weights(model).items()}
    grids = random.normal(2, 3, (3, 9, 6)).astype("f4")
    pictures = PictureEmbedder(SIZES, weights).embed(grids)
    assert np.allclose(pictures, ops.convert_to_numpy(model.embed_pictures(grids)), atol=1e-3)
    text = TextEmbedder(SIZES, weights, WORDS)
    for sentence in ("dog", "a dog runs", "a cat sits a boat"):
        numbers = WORDS.encode(sentence.split())
        padded = np.array([[*numbers, *[PAD] * (8 - len(numbers))]], np.int32)
        found = text.embed(sentence.split())
        assert found is not None
        assert np.allclose(found, ops.convert_to_numpy(model.embed_words(padded))[0], atol=1e-3)


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
    found = ops.convert_to_numpy(ContrastiveLoss().call(np.arange(3), ops.convert_to_tensor(scores)))
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.fixture(scope="module")
def split() -> Split:
    """Sixty pictures of three kinds, told apart by one channel each."""
    random = np.random.default_rng(2)
    kinds = [("a", "dog", "runs"), ("a", "cat", "sits"), ("a", "boat")]
    grids = random.normal(0, 1, (60, 1, 4, 6))
    grids[np.arange(60), :, :, np.arange(60) % 3] += 4
    return Split([str(one) for one in range(60)], grids.astype("f2"), [[kinds[one % 3]] * 2 for one in range(60)])


CONFIG = EmbedConfig(members=2, epochs=10, batch=6, captions=1, rate=5e-3, min_count=1)


def test_training_brings_sentences_to_their_pictures(split: Split, tmp_path: Path) -> None:
    embedding = train_embedding(split, tmp_path, CONFIG)
    pictures = PictureEmbedder(embedding.config, embedding.weights).embed(split.grids[:3, 0])
    text = TextEmbedder(embedding.config, embedding.weights, embedding.vocabulary)
    places = np.stack([place for place in map(text.embed, (one[0] for one in split.captions[:3])) if place is not None])
    assert (places @ pictures.T).argmax(axis=1).tolist() == [0, 1, 2]
    (tmp_path / "member1.safetensors").unlink()
    again = train_embedding(split, tmp_path, CONFIG)
    assert all(np.array_equal(embedding.weights[name], again.weights[name]) for name in embedding.weights)


def test_sentences_that_are_known_keep_their_places(split: Split, tmp_path: Path) -> None:
    known = train_embedding(split, tmp_path / "first", CONFIG)
    turned = Split(split.names, split.grids[..., ::-1], split.captions)  # as another encoder might see them
    met = train_embedding(turned, tmp_path / "second", replace(CONFIG, bits=4, members=1), known)
    assert met.config == known.config
    assert met.vocabulary is known.vocabulary
    np.testing.assert_array_equal(met.sentences, known.sentences)
    of_text = {name for name in known.weights if name.split("/", 1)[1] in known.config.text_shapes()}
    assert {name for name in known.weights if np.array_equal(met.weights[name], known.weights[name])} == of_text
    pictures = PictureEmbedder(met.config, met.weights).embed(turned.grids[:3, 0])
    text = TextEmbedder(met.config, met.weights, met.vocabulary)
    places = np.stack([place for place in map(text.embed, (one[0] for one in split.captions[:3])) if place is not None])
    assert (places @ pictures.T).argmax(axis=1).tolist() == [0, 1, 2]


def test_unknown_words_are_passed_over(split: Split) -> None:
    random = np.random.default_rng(3)
    weights = {f"0/{name}": random.normal(size=shape) for name, shape in SIZES.text_shapes().items()}
    text = TextEmbedder(SIZES, weights, WORDS)
    known, mixed = text.embed(["a", "dog"]), text.embed(["a", "purple", "dog"])
    assert known is not None
    assert mixed is not None
    assert np.array_equal(known, mixed)
    assert text.embed(["purple"]) is None
    assert text.share_known(["a", "dog"]) == 1
    assert 0 < text.share_known(["a", "purple"]) < 0.5 < text.share_known(["a", "dog", "purple", "boat"]) < 1
    assert text.share_known(["purple"]) == 0


def test_weights_that_do_not_fit_are_named() -> None:
    with pytest.raises(ValueError, match="0/grid_norm/gamma should have shape"):
        PictureEmbedder(SIZES, {})
