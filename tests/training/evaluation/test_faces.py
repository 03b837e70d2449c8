"""Figures of faces: each against a slow or a known one, and the command on drawn people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from captioner.captioner import Captioner
from tests.drawn_faces import DrawnFinder, draw_people
from training.evaluation.faces import (
    CROP,
    FACE,
    WHOLE,
    balanced_pairs,
    best_border,
    evaluate_faces,
    grouping_figures,
    verification,
)
from training.evaluation.folders import read_labelled

pytest.importorskip("sklearn")


def test_the_best_border_is_that_of_trying_all() -> None:
    random = np.random.default_rng(0)
    for _ in range(20):
        same = random.random(30) < 0.5
        scores = np.round(random.normal(same, 1.0), 6)
        border, right = best_border(scores, same)
        tried = [float(((scores >= one) == same).mean()) for one in scores]
        assert right == pytest.approx(max(tried))
        assert float(((scores >= border) == same).mean()) == pytest.approx(right)


def test_verification_is_measured_on_pairs_that_the_border_was_not_chosen_on() -> None:
    random = np.random.default_rng(1)
    same = random.random(400) < 0.5
    assert verification(np.where(same, 1.0, 0.0), same, 0) == 1.0
    assert 0.35 < verification(random.random(400), same, 0) < 0.65


def test_pairs_are_all_of_one_person_and_as_many_of_two() -> None:
    pairs = balanced_pairs(np.array([0, 0, 0, 1, 1, 2, 3]), seed=3)
    assert pairs.same.sum() == 4
    assert len(pairs.same) == 8
    assert len({tuple(row) for row in pairs.rows.tolist()}) == 8


def test_figures_of_groups_are_those_of_counting_pairs() -> None:
    figures = grouping_figures(np.array([0, 0, 1, 1, -1]), np.array([0, 0, 0, 1, 1]))
    assert figures["precision"] == pytest.approx(50)
    assert figures["recall"] == pytest.approx(25)
    assert figures["F1"] == pytest.approx(100 / 3)
    assert grouping_figures(np.array([3, 3, 5]), np.array([0, 0, 1]))["Rand"] == pytest.approx(100)


def test_people_are_found_again(tmp_path: Path, tiny_bundle: Path) -> None:
    for person in ("anna", "ben", "cleo"):
        (tmp_path / person).mkdir()
        for number in range(2):
            draw_people(tmp_path / person / f"{number}.png", {person: (10 * number, 5, 50, 60)})
    draw_people(tmp_path / "anna" / "away.png", {})
    result = evaluate_faces(
        Captioner.load(tiny_bundle), DrawnFinder(), read_labelled(tmp_path, None, 0), 0, tmp_path / "roc.png"
    )
    assert (result["pictures"], result["people"], result["with_a_face"], result["pairs"]) == (7, 3, 6, 10)
    assert result["kinds"].keys() == {WHOLE, CROP, FACE}
    assert result["kinds"][FACE]["R@1"] == pytest.approx(600 / 7)  # the picture without a face finds nothing
    assert next(iter(result["groups"].values()))["precision"] == 100
    assert (tmp_path / "roc.png").read_bytes().startswith(b"\x89PNG")
