"""BLEU is NLTK's, for every smoothing method, order and weight, with and without brevity penalty and agreement."""

from __future__ import annotations

import math
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.translate.bleu_score import SmoothingFunction, brevity_penalty, closest_ref_length, sentence_bleu

from retrieval.bleu.score import CAPTION_VARIANT, SMOOTHINGS, TYPED_VARIANT, BleuVariant, score

WORDS = st.sampled_from(["a", "dog", "runs", "on", "grass", "the"])
SENTENCES = st.lists(WORDS, min_size=1, max_size=12)
GALLERIES = st.lists(st.lists(WORDS, max_size=12), min_size=1, max_size=5)
VARIANTS = st.lists(st.floats(0, 1), min_size=1, max_size=5).flatmap(
    lambda weights: st.builds(
        BleuVariant,
        st.just(len(weights)),
        st.just(tuple(weights)),
        st.sampled_from(SMOOTHINGS),
        st.booleans(),
        st.sampled_from([0.0, 0.3, 0.5, 1.0]),
    )
)


def nltk_score(query: list[str], captions: list[list[str]], variant: BleuVariant) -> float:
    """What `variant` says of itself, put together of NLTK's numbers."""
    bleu = nltk_bleu(query, captions, variant.weights, variant.smoothing, variant.brevity)
    distinct = list(dict.fromkeys(query))
    alone = [nltk_bleu(distinct, [caption], (1.0,), 0, brevity=False) for caption in captions]
    return (1 - variant.agreement) * bleu + variant.agreement * sum(alone) / len(alone)


def nltk_bleu(
    query: list[str], captions: list[list[str]], weights: tuple[float, ...], smoothing: int, brevity: bool
) -> float:
    """NLTK's sentence BLEU; without brevity penalty it is divided by the penalty that NLTK gave."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bleu = float(sentence_bleu(captions, query, weights, getattr(SmoothingFunction(), f"method{smoothing}")))
    return bleu if brevity else bleu / brevity_penalty(closest_ref_length(captions, len(query)), len(query))


@settings(deadline=None)  # NLTK is slow, and what it says is the point, not when.
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
    for variant in (TYPED_VARIANT, CAPTION_VARIANT):
        assert score(["a", "dog", "runs"], [["a", "dog", "runs"]], variant) == pytest.approx(1.0)


def test_the_length_of_the_captions_does_not_matter_for_typed_words() -> None:
    long = ["a", "big", "brown", "dog", "runs", "over", "the", "grass"]
    assert score(["dog"], [long], TYPED_VARIANT) == score(["dog"], [["dog"]], TYPED_VARIANT)


def test_what_more_captions_say_counts_more_for_typed_words() -> None:
    once, twice = [["a", "dog"], ["a", "cat"]], [["a", "dog"], ["the", "dog"]]
    assert score(["dog"], once, TYPED_VARIANT) < score(["dog"], twice, TYPED_VARIANT)


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


def test_agreement_is_a_share() -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        BleuVariant(1, (1.0,), 0, agreement=1.5)
