"""Captions found by numbers of the decoder's words lie where the text encoder puts their texts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from captioner.bundle import Bundle, load_bundle
from captioner.embedding import TextEmbedder
from captioner.facade import Captioner
from captioner.nearness import CaptionEmbedder
from captioner.normalise import unit
from captioner.vocabulary import END, PAD, UNKNOWN, Vocabulary
from tests.conftest import WORDS, random_embedding

DECODER = Vocabulary([*reversed(WORDS), "zeppelin"])
EMBEDDING = random_embedding(Vocabulary(WORDS))


def test_the_text_encoder_is_the_oracle() -> None:
    random = np.random.default_rng(0)
    captions = random.integers(UNKNOWN + 1, len(DECODER), (4, 3, 9))
    captions[0, 1, 2:], captions[2, 0, 1:] = PAD, PAD
    captions[:, :, -1] = END
    captions[3, 2] = [DECODER.encode(["zeppelin"])[0], END, *[PAD] * 7]
    places = unit(random.normal(size=(4, 10))).astype(np.float32)
    found = CaptionEmbedder(EMBEDDING, DECODER).nearness(captions, places)
    text = TextEmbedder(EMBEDDING.config, EMBEDDING.weights, EMBEDDING.vocabulary)
    for row, place in enumerate(places):
        for column, caption in enumerate(captions[row]):
            meant = text.embed(DECODER.decode(one for one in caption if one != END))
            assert found[row, column] == pytest.approx(0 if meant is None else meant @ place, abs=1e-5)
    assert found[3, 2] == 0


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Path) -> Bundle:
    return load_bundle(tiny_bundle)


def test_what_lies_nearest_comes_first_where_nearness_counts_for_all(bundle: Bundle) -> None:
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
        assert after.embedding is not None
        cosines = [float(text.embed(one.text.split()) @ after.embedding) for one in after.captions]
        assert cosines == sorted(cosines, reverse=True)
    assert any(before.captions != after.captions for before, after in zip(plain, near, strict=True))
