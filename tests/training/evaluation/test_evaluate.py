"""The evaluation protocols with a captioner whose answers are known."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from captioner.types import Caption, Description
from data.dataset import read_dataset
from tests.training.conftest import ColourCaptioner
from training.evaluation.evaluate import EvaluationError, evaluate_captions, evaluate_search


def test_right_captions_score_full_marks(colour_captioner: ColourCaptioner, colour_dataset: Path) -> None:
    result = evaluate_captions(colour_captioner, read_dataset(colour_dataset, "dev"))
    assert result["scores"]["bleu4"] == pytest.approx(100, abs=1e-4)
    assert result["scores"]["distinct"] == 4
    facts = {name: result[name] for name in ("task", "split", "model_version", "seed", "pictures", "references")}
    assert facts == {
        "task": "captions",
        "split": "dev",
        "model_version": "colours-1",
        "seed": None,
        "pictures": 4,
        "references": 8,
    }
    assert result["captions_per_picture"] == 3
    assert result["problems"] == []


def test_only_the_best_caption_is_scored(colour_captioner: ColourCaptioner, colour_dataset: Path) -> None:
    right = colour_captioner._describe

    def wrong_first(picture: object) -> Description:
        description = right(picture)  # type: ignore[arg-type]
        return Description([Caption("nothing at all", 0.0), *description.captions], description.vectors)

    colour_captioner._describe = wrong_first  # type: ignore[method-assign]
    scores = evaluate_captions(colour_captioner, read_dataset(colour_dataset, "dev"))["scores"]
    assert scores["bleu1"] == pytest.approx(0, abs=1e-6)


def test_a_picture_without_caption_counts_as_an_empty_one(
    colour_captioner: ColourCaptioner, colour_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = colour_captioner._describe
    monkeypatch.setattr(colour_captioner, "_describe", lambda picture: Description([], right(picture).vectors))
    assert evaluate_captions(colour_captioner, read_dataset(colour_dataset, "dev"))["scores"]["mean_length"] == 0
    ranking = evaluate_search(colour_captioner, read_dataset(colour_dataset, "dev"), seed=0)["rankings"]["bleu"]
    assert ranking["r5"] == 100


def test_every_picture_is_found_by_its_colour(colour_captioner: ColourCaptioner, colour_dataset: Path) -> None:
    result = evaluate_search(colour_captioner, read_dataset(colour_dataset, "test"), seed=5)
    perfect = {"r1": 100, "r5": 100, "r10": 100, "median": 1}
    assert result["rankings"] == {"bleu": perfect, "fused": perfect}
    facts = {name: result[name] for name in ("task", "split", "seed", "pictures", "queries", "captions_per_picture")}
    assert facts == {
        "task": "search",
        "split": "test",
        "seed": 5,
        "pictures": 4,
        "queries": 8,
        "captions_per_picture": 3,
    }
    assert result["ms_per_query"] > 0
    assert result["seconds"] >= 0


def test_the_seed_decides_ties(
    colour_captioner: ColourCaptioner, colour_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    red = colour_captioner._describe
    monkeypatch.setattr(colour_captioner, "_describe", lambda picture: red(picture * 0))
    dataset = read_dataset(colour_dataset, "dev")
    once, again = (evaluate_search(colour_captioner, dataset, seed=1)["rankings"] for _ in range(2))
    others = [evaluate_search(colour_captioner, dataset, seed=seed)["rankings"] for seed in range(2, 8)]
    assert once == again
    assert any(other != once for other in others)


def test_a_query_without_words_finds_nothing(colour_captioner: ColourCaptioner, colour_dataset: Path) -> None:
    tokens = colour_dataset / "Flickr8k.token.txt"
    tokens.write_text(tokens.read_text().replace("A plain red wall .", "..."))
    result = evaluate_search(colour_captioner, read_dataset(colour_dataset, "dev"), seed=0)
    assert result["queries"] == 8
    assert 75 <= result["rankings"]["bleu"]["r1"] <= 100


def test_problems_of_data_set_and_pictures_are_reported(
    colour_captioner: ColourCaptioner, colour_dataset: Path
) -> None:
    (colour_dataset / "Flicker8k_Dataset" / "green.jpg").write_bytes(b"")
    (colour_dataset / "Flicker8k_Dataset" / "blue.jpg").unlink()
    result = evaluate_captions(colour_captioner, read_dataset(colour_dataset, "dev"))
    assert result["pictures"] == 2
    assert {problem.split()[0].rstrip(":") for problem in result["problems"]} == {"blue.jpg", "green.jpg"}


def test_no_readable_picture_is_one_line(colour_captioner: ColourCaptioner, colour_dataset: Path) -> None:
    for path in (colour_dataset / "Flicker8k_Dataset").iterdir():
        path.write_bytes(b"")
    with pytest.raises(EvaluationError, match=r"no picture of the dev split can be read .*red\.jpg is empty"):
        evaluate_search(colour_captioner, read_dataset(colour_dataset, "dev"), seed=0)


def test_evaluation_needs_no_deep_learning_framework() -> None:
    code = "import sys, training.evaluation.evaluate; print({'tensorflow', 'keras'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
