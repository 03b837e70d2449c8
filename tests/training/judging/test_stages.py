"""The table of the product's stages beside other rankers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from captioner.calibration import Calibration
from captioner.types import JOINT, Description, SearchModel
from data.dataset import read_dataset
from tests.training.conftest import COLOURS, ColourCaptioner
from training.judging.evaluate import evaluate_search
from training.judging.stages import evaluate_stages


class Colours:
    """Sentences are where the colours they name are."""

    def embed(self, tokens: Sequence[str]) -> np.ndarray | None:
        named = [list(COLOURS).index(token) for token in tokens if token in COLOURS]
        return np.eye(len(COLOURS), dtype=np.float32)[named[0]] if named else None

    def synonyms(self, word: str) -> list[str]:
        return []

    def share_known(self, tokens: Sequence[str]) -> float:
        return 1.0


CALIBRATION = Calibration(words={"bias": -4.0, "bleu": 1.0, "cosine": 8.0})


class SeeingCaptioner(ColourCaptioner):
    """Says the same of every picture, but places it where its colour is."""

    search_model = SearchModel("colours-1", "vgg16", CALIBRATION, Colours())  # type: ignore[arg-type]

    def _describe(self, picture: np.ndarray) -> Description:
        described = super()._describe(picture)
        same = super()._describe(np.zeros((32, 32, 3), np.uint8))
        return replace(same, vectors={**described.vectors, JOINT: described.vectors["vgg16"]})


def test_each_stage_shows_what_it_adds(colour_dataset: Path) -> None:
    result = evaluate_stages(SeeingCaptioner(), read_dataset(colour_dataset, "dev"), seed=0)
    assert result["largest_difference_from_nltk"] < 1e-9
    stages = result["stages"]
    assert list(stages)[-3:] == ["BLEU", "cosine alone", "BLEU + cosine"]
    assert stages["BLEU"]["r1"] < 100
    assert stages["cosine alone"]["r1"] == stages["BLEU + cosine"]["r1"] == 100


def test_without_the_sense_of_sentences_bleu_is_the_last_stage(
    colour_captioner: ColourCaptioner, colour_dataset: Path
) -> None:
    stages = evaluate_stages(colour_captioner, read_dataset(colour_dataset, "dev"), seed=0)["stages"]
    assert list(stages)[-1] == "BLEU"


def test_a_query_without_words_finds_nothing(colour_dataset: Path) -> None:
    tokens = colour_dataset / "Flickr8k.token.txt"
    tokens.write_text(tokens.read_text().replace("A plain red wall .", "..."))
    stages = evaluate_stages(SeeingCaptioner(), read_dataset(colour_dataset, "dev"), seed=0)["stages"]
    assert all(row["r5"] == 100 for row in stages.values())


def test_the_last_stage_is_what_search_is_judged_by(colour_dataset: Path) -> None:
    dataset = read_dataset(colour_dataset, "dev")
    stages = evaluate_stages(SeeingCaptioner(), dataset, seed=0, captions=1)["stages"]
    ranking = evaluate_search(SeeingCaptioner(), dataset, seed=0, captions=1)["rankings"]["fused"]
    assert stages["BLEU + cosine"] == {**ranking, "ms": pytest.approx(0, abs=1e4)}
