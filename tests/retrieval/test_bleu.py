"""BLEU is NLTK's, for every smoothing method, order and weight."""

from __future__ import annotations

import math
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

from retrieval.bleu import DEFAULT_VARIANT, SMOOTHINGS, BleuVariant, score

WORDS = st.sampled_from(["a", "dog", "runs", "on", "grass", "the"])
SENTENCES = st.lists(WORDS, min_size=1, max_size=12)
GALLERIES = st.lists(st.lists(WORDS, max_size=12), min_size=1, max_size=5)
VARIANTS = st.lists(st.floats(0, 1), min_size=1, max_size=5).flatmap(
    lambda weights: st.builds(BleuVariant, st.just(len(weights)), st.just(tuple(weights)), st.sampled_from(SMOOTHINGS))
)


def nltk_score(query: list[str], captions: list[list[str]], variant: BleuVariant) -> float:
    smoothing = getattr(SmoothingFunction(), f"method{variant.smoothing}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(sentence_bleu(captions, query, variant.weights, smoothing))


@given(SENTENCES, GALLERIES, VARIANTS)
def test_equals_nltk(query: list[str], captions: list[list[str]], variant: BleuVariant) -> None:
    assert math.isclose(score(query, captions, variant), nltk_score(query, captions, variant), abs_tol=1e-9)


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@pytest.mark.parametrize("order", [1, 2, 4])
@pytest.mark.parametrize(
    ("query", "captions"),
    [
        (["dog"], [["dog"]]),
        (["dog"], [["a", "dog", "runs"], []]),
        (["the"] * 7, [["the", "cat", "is", "on", "the", "mat"]]),
        (["a", "b", "c"], [["a"], ["a", "b", "c", "d", "e"]]),  # Two lengths equally close: the shorter counts.
        (["a", "x", "b", "y"], [["a", "b"]]),
    ],
)
def test_equals_nltk_at_the_edges(query: list[str], captions: list[list[str]], order: int, smoothing: int) -> None:
    variant = BleuVariant(order, (1 / order,) * order, smoothing)
    assert score(query, captions, variant) == pytest.approx(nltk_score(query, captions, variant), abs=1e-9)


def test_never_raises_or_warns_where_there_is_nothing_to_score() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert score([], [["a"]]) == 0.0
        assert score(["a"], []) == 0.0
        assert score(["a"], [[]]) == 0.0
        assert score(["a"], [["b"]], BleuVariant(2, (0.5, 0.5), 0)) == 0.0


def test_the_same_sentence_scores_one() -> None:
    assert score(["a", "dog", "runs"], [["a", "dog", "runs"]], DEFAULT_VARIANT) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("order", "weights", "smoothing", "message"),
    [
        (2, (1.0,), 1, "has 1 weights"),
        (0, (), 1, "has 0 weights"),
        (1, (-1.0,), 1, "0 or more"),
        (1, (math.nan,), 1, "0 or more"),
        (1, (1.0,), 7, "smoothing method 7"),
    ],
)
def test_a_variant_that_does_not_fit_is_refused(
    order: int, weights: tuple[float, ...], smoothing: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        BleuVariant(order, weights, smoothing)
