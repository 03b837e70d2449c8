"""One scale for all scores, against a plain reference."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.search.relevance import Relevance, combine

numbers = st.floats(-20, 20)


@given(numbers, numbers, numbers, st.lists(st.tuples(st.floats(0, 1), st.floats(-1, 1)), min_size=1, max_size=5))
def test_relevance_is_the_logistic_of_the_sum(bias: float, on_bleu: float, on_cosine: float, pairs: list) -> None:
    bleu, cosine = np.array(pairs).T
    found = Relevance(bias, {"bleu": on_bleu, "cosine": on_cosine})({"bleu": bleu, "cosine": cosine})
    for one, (own_bleu, own_cosine) in zip(found, pairs, strict=True):
        plain = 1 / (1 + math.exp(-(bias + on_bleu * own_bleu + on_cosine * own_cosine)))
        assert one == pytest.approx(plain, abs=1e-12)


def test_far_ends_do_not_overflow() -> None:
    with np.errstate(all="raise"):
        assert Relevance(0, {"x": 1e6})({"x": np.array([-1.0, 1.0])}).tolist() == [0.0, 1.0]


def test_json_and_back() -> None:
    model = Relevance(-2.5, {"bleu": 1.5, "cosine": 9.0})
    assert Relevance.from_json(model.to_json()) == model


chances = st.lists(st.floats(0.01, 1), min_size=3, max_size=3)


@given(chances, chances, chances, st.floats(0.1, 5), st.floats(0, 2))
def test_joining_is_the_weighted_geometric_mean(one: list, two: list, bad: list, weight: float, against: float) -> None:
    found = combine([(np.array(one), 1.0), (np.array(two), weight)], [(np.array(bad), against)])
    for a, b, c, together in zip(one, two, bad, found, strict=True):
        plain = (a * b**weight) ** (1 / (1 + weight)) * (1 - min(against, 1) * c)
        assert together == pytest.approx(plain, rel=1e-9, abs=1e-12)
