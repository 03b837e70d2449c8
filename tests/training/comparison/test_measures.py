"""Figures that can be checked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from training.comparison.measures import average_precision, first_found, measure


def test_average_precision_by_hand() -> None:
    relevant = np.array([True, False, True, False])
    assert average_precision(relevant, 2) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(relevant, 4) == pytest.approx((1 + 2 / 3) / 4)  # two were not returned
    assert average_precision(np.zeros(3, bool), 2) == 0


def test_a_perfect_search_and_one_that_returns_the_wrong_class() -> None:
    labels = np.array(["a"] * 12 + ["b"] * 12 + ["alone"])
    matrix = np.eye(3, dtype=np.float32)[[0] * 12 + [1] * 12 + [2]]
    every = np.arange(25)

    def right(query: int, count: int) -> np.ndarray:
        return every[np.argsort(labels != labels[query], kind="stable")][:count]

    def wrong(query: int, count: int) -> np.ndarray:
        return every[np.argsort(labels == labels[query], kind="stable")][:count]

    good = measure(right, 25, range(25), labels, matrix).to_json()
    assert (good["p10"], good["map"], good["recall"]) == (100, 100, 100)
    bad = measure(wrong, 25, range(25), labels, matrix)
    assert bad.to_json()["p10"] == 0
    assert len(bad.precisions) == 24  # the class of one picture asks nothing
    assert len(bad.recalls) == 25


def test_without_classes_only_neighbours_count() -> None:
    matrix = np.eye(4, dtype=np.float32)
    figures = measure(lambda query, count: np.arange(min(count, 4)), 4, range(4), None, matrix).to_json()
    assert (figures["p10"], figures["map"], figures["recall"]) == (None, None, 100)
    assert figures["ms_query"] >= 0


def test_copies_count_where_the_first_is_the_original() -> None:
    assert first_found(lambda number: np.array([number, 9]), [0, 1, 9, 3]) == 75
    assert first_found(lambda number: np.array([number, 9]), [0, 1, 9, 3], np.arange(10) // 2 * 2) == 75
    twice = np.array([5, 5, 6])  # rows 0 and 1 are the same picture
    assert first_found(lambda number: np.array([1]), [0, 1, 2, 2], twice) == 50
    assert first_found(lambda number: np.zeros(0, np.int64), [0]) == 0
    assert first_found(lambda number: np.array([0]), []) is None
