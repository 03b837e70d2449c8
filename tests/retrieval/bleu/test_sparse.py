"""The product of sparse vectors is BLEU to first order, and its agreement exactly."""

from __future__ import annotations

from itertools import pairwise

import pytest

from retrieval.bleu.score import CAPTION_VARIANT, TYPED_VARIANT, BleuVariant, score
from retrieval.bleu.sparse import NOTHING, SparseVector, picture_vector, query_vector

CAPTIONS = [["a", "dog", "on", "a", "boat"], ["a", "red", "boat"]]


def product(one: SparseVector, other: SparseVector) -> float:
    return sum(value * other.get(dimension, 0.0) for dimension, value in one.items())


def test_agreement_is_the_product() -> None:
    variant = BleuVariant(1, (1.0,), 0, brevity=False, agreement=1.0)
    for query in (["dog"], ["boat", "boat", "red", "sea"], ["a", "sea"]):
        found = product(query_vector(query, variant), picture_vector(CAPTIONS))
        assert found == pytest.approx(score(query, CAPTIONS, variant))


def test_bleu_of_one_order_is_the_product_and_clipped() -> None:
    variant = BleuVariant(1, (1.0,), 0, brevity=False)
    for query in (["a", "a", "dog"], ["dog", "dog", "dog"], ["a", "sea"]):
        found = product(query_vector(query, variant), picture_vector(CAPTIONS))
        assert found == pytest.approx(score(query, CAPTIONS, variant))


@pytest.mark.parametrize("variant", [TYPED_VARIANT, CAPTION_VARIANT])
def test_more_of_the_query_is_more_by_both(variant: BleuVariant) -> None:
    query = ["a", "dog", "on", "a", "boat"]
    pictures = [[["sea"]], [["boat"]], [["boat", "dog"]], [["a", "dog", "boat"]], [["a", "dog", "on", "boat"]], [query]]
    found = [product(query_vector(query, variant), picture_vector(own)) for own in pictures]
    exact = [score(query, own, variant) for own in pictures]
    assert all(one < other for one, other in pairwise(found))
    assert all(one <= other for one, other in pairwise(exact))


def test_no_words_are_a_vector_that_no_query_finds() -> None:
    assert picture_vector([[]]) == NOTHING
    assert product(query_vector(["dog"], TYPED_VARIANT), NOTHING) == 0
    assert query_vector([], TYPED_VARIANT) == {}
