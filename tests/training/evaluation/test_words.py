"""Queries of one and two words, with a captioner whose answers are known."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.captioned import CaptionedPicture
from data.dataset import read_dataset
from tests.training.conftest import ColourCaptioner
from training.evaluation import words
from training.evaluation.evaluate import EvaluationError
from training.evaluation.words import evaluate_words, queries_of


def pictures(*captions: list[str]) -> list[CaptionedPicture]:
    return [CaptionedPicture(f"{place}.jpg", Path(f"{place}.jpg"), own) for place, own in enumerate(captions)]


@pytest.fixture(autouse=True)
def _one_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "PICTURES", 1)


def test_two_captions_must_agree_but_a_single_one_counts() -> None:
    queries = queries_of(pictures(["A dog .", "the dogs", "a cat"], ["a cat"]), 1, seed=0)
    assert queries == {"dog": frozenset({"0.jpg"}), "cat": frozenset({"1.jpg"})}


def test_two_words_must_be_in_one_caption() -> None:
    shown = ["a dog on snow", "snow under a dog", "a red dog", "something red"]
    assert queries_of(pictures(shown), 2, seed=0) == {"dog snow": frozenset({"0.jpg"})}


def test_words_that_few_pictures_show_are_no_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "PICTURES", 2)
    assert set(queries_of(pictures(["a dog and a cat"], ["a dog"]), 1, seed=0)) == {"dog"}


def test_the_seed_draws_where_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "QUERIES", 3)
    shown = pictures(["one by one: dog cat horse bird fish cow goat"])
    drawn = [set(queries_of(shown, 1, seed)) for seed in range(6)]
    assert {len(one) for one in drawn} == {3}
    assert drawn[0] == set(queries_of(shown, 1, 0))
    assert any(one != drawn[0] for one in drawn)


def test_correct_captions_are_found(colour_captioner: ColourCaptioner, colour_dataset: Path) -> None:
    result = evaluate_words(colour_captioner, read_dataset(colour_dataset, "dev"), seed=0)
    colours = result["queries"]["one word"]
    assert (colours["queries"], colours["true"], colours["hits"], colours["none"]) == (4, 1, 1, 0)
    assert colours["precision"] == colours["recall"] == colours["f1"] == 100
    assert colours["p10"] == pytest.approx(10)


def test_wrong_and_missing_hits_lower_the_figures(
    colour_captioner: ColourCaptioner, colour_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = colour_captioner._describe
    monkeypatch.setattr(colour_captioner, "_describe", lambda picture: right(picture * 0 + (250, 0, 0)))
    colours = evaluate_words(colour_captioner, read_dataset(colour_dataset, "dev"), seed=0)["queries"]["one word"]
    assert (colours["hits"], colours["none"]) == (1, 75)  # "red" has all four as hits, the others none.
    assert colours["precision"] == colours["recall"] - 25 + 25 / 4 == pytest.approx(25 / 4)


def test_too_few_pictures_are_one_line(
    colour_captioner: ColourCaptioner, colour_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words, "PICTURES", 5)
    with pytest.raises(EvaluationError, match="no word is in the captions of 5 pictures of the dev split"):
        evaluate_words(colour_captioner, read_dataset(colour_dataset, "dev"), seed=0)
