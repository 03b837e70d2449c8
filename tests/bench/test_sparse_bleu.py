"""Sparse vectors of n-grams: the product with them brings BLEU's best to the front."""

from __future__ import annotations

import numpy as np
import pytest

from bench.sparse_bleu import WEIGHTS, by_product, in_milvus, kept, of_caption, of_query, words
from retrieval.bleu.postings import BleuPostings
from retrieval.bleu.score import TYPED_VARIANT
from tests.bench.test_milvus import LITE

WORDS = ("a", "dog", "cat", "red", "boat", "on", "the", "grass", "runs", "water")


def sentences(count: int, seed: int) -> list[list[str]]:
    random = np.random.default_rng(seed)
    return [[WORDS[one] for one in random.integers(0, len(WORDS), random.integers(3, 9))] for _ in range(count)]


def test_a_product_counts_words_as_often_as_both_have_them() -> None:
    twice, query = of_caption(["a", "dog", "a", "cat"]), of_query(["a", "a", "bird"], TYPED_VARIANT, (3.0, 0.0))
    assert sum(value * twice.get(dimension, 0) for dimension, value in query.items()) == pytest.approx(2)


@pytest.mark.parametrize("place", ["memory", "milvus"])
def test_enough_candidates_keep_all(place: str, request: pytest.FixtureRequest) -> None:
    gallery = [" ".join(one) for one in sentences(300, 0)]
    asked = [words(" ".join(one)) for one in sentences(5, 1)]
    find = by_product(gallery) if place == "memory" else in_milvus(request.getfixturevalue(LITE)._address.uri, gallery)
    postings = BleuPostings.build([[text] for text in gallery])
    for variant, weights in WEIGHTS.values():
        shares = kept(postings, find, asked, variant, weights)["kept"]
        assert isinstance(shares, dict)
        assert shares["300"] == 1
        assert shares["100"] > 0.7
