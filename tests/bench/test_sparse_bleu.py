"""Sparse vectors of n-grams: the product with them brings BLEU's best to the front."""

from __future__ import annotations

import numpy as np
import pytest

from bench.sparse_bleu import by_product, in_milvus, kept, words
from retrieval.bleu.postings import BleuPostings
from retrieval.bleu.score import CAPTION_VARIANT, TYPED_VARIANT
from tests.bench.test_milvus import LITE

WORDS = ("a", "dog", "cat", "red", "boat", "on", "the", "grass", "runs", "water")


def sentences(count: int, seed: int) -> list[str]:
    random = np.random.default_rng(seed)
    return [" ".join(random.choice(WORDS, random.integers(3, 9)).tolist()) for _ in range(count)]


@pytest.mark.parametrize("place", ["memory", "milvus"])
def test_enough_candidates_keep_all(place: str, request: pytest.FixtureRequest) -> None:
    said = sentences(600, 0)
    gallery = [said[start : start + 2] for start in range(0, 600, 2)]
    asked = [words(text) for text in sentences(5, 1)]
    find = by_product(gallery) if place == "memory" else in_milvus(request.getfixturevalue(LITE)._address.uri, gallery)
    postings = BleuPostings.build(gallery)
    for variant in (TYPED_VARIANT, CAPTION_VARIANT):
        figures = kept(postings, find, asked, variant, 30)
        shares = {count: figures[f"{count} candidates"]["kept"] for count in (100, 300)}  # type: ignore[index]
        assert shares[300] == 1
        assert shares[100] > 0.7
