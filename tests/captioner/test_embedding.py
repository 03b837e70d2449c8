from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from captioner.arithmetic import unit
from captioner.bundle import Bundle, load_bundle
from captioner.captioner import Captioner
from captioner.embedding import MAX_PIECES, NEIGHBOURS, CaptionEmbedder, TextEmbedder, buckets_of, hubness
from captioner.types import JOINT
from captioner.vocabulary import END, PAD, UNKNOWN, Vocabulary
from tests.conftest import WORDS, random_embedding


@pytest.mark.parametrize("sentences", [3, 40])
def test_hubness_is_the_mean_cosine_of_the_nearest_sentences(sentences: int) -> None:
    random = np.random.default_rng(0)
    pictures, usual = random.normal(size=(5, 4)), random.normal(size=(sentences, 4)).astype(np.float32)
    expected = [np.mean(sorted((picture @ one for one in usual), reverse=True)[:NEIGHBOURS]) for picture in pictures]
    assert hubness(pictures, usual) == pytest.approx(expected, abs=1e-5)


def test_words_of_like_spelling_share_pieces_and_a_word_always_has_the_same() -> None:
    dog, dogs, cat = (set(buckets_of(word, 2**20)) for word in ("dog", "dogs", "cat"))
    assert len(dog & dogs) >= 3
    assert not dogs & cat
    assert buckets_of("dog", 2**20) == tuple(buckets_of("dog", 2**20))
    assert len(buckets_of("dog", 2**20)) == 6  # <do dog og> <dog dog> <dog>


def test_buckets_are_in_range_and_long_words_end() -> None:
    found = buckets_of("donaudampfschifffahrtsgesellschaft", 16)
    assert len(found) == MAX_PIECES
    assert min(found) >= 1
    assert max(found) <= 15
    assert buckets_of("ß", 16)


DECODER = Vocabulary([*reversed(WORDS), "zeppelin"])
EMBEDDING = random_embedding(Vocabulary(WORDS))


def test_the_text_encoder_is_the_oracle() -> None:
    random = np.random.default_rng(0)
    captions = random.integers(UNKNOWN + 1, len(DECODER), (4, 3, 9))
    captions[0, 1, 2:], captions[2, 0, 1:] = PAD, PAD
    captions[:, :, -1] = END
    captions[3, 2] = [DECODER.encode(["zeppelin"])[0], END, *[PAD] * 7]
    pictures = unit(random.normal(size=(4, 10))).astype(np.float32)
    found = CaptionEmbedder(EMBEDDING, DECODER).cosines(captions, pictures)
    text = TextEmbedder(EMBEDDING.config, EMBEDDING.weights, EMBEDDING.vocabulary)
    for row, picture in enumerate(pictures):
        for column, caption in enumerate(captions[row]):
            meant = text.embed(DECODER.decode(one for one in caption if one != END))
            assert found[row, column] == pytest.approx(0 if meant is None else meant @ picture, abs=1e-5)
    assert found[3, 2] == 0


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Path) -> Bundle:
    return load_bundle(tiny_bundle)


def test_the_nearest_caption_comes_first_if_only_nearness_counts(bundle: Bundle) -> None:
    pictures = np.random.default_rng(5).integers(0, 256, (6, 32, 32, 3)).astype(np.uint8)
    captioners = {
        weight: Captioner(
            replace(bundle, further_decoders=(), search=replace(bundle.search, nearness=weight)), "float32"
        )
        for weight in (0.0, 1e6)
    }
    plain, near = (one.describe(pictures) for one in captioners.values())
    assert bundle.embedding
    text = TextEmbedder(bundle.embedding.config, bundle.embedding.weights, bundle.embedding.vocabulary)
    for before, after in zip(plain, near, strict=True):
        assert sorted(one.text for one in before.captions) == sorted(one.text for one in after.captions)
        cosines = [float(text.embed(one.text.split()) @ after.vectors[JOINT]) for one in after.captions]
        assert cosines == sorted(cosines, reverse=True)
    assert any(before.captions != after.captions for before, after in zip(plain, near, strict=True))
