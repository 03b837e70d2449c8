"""A liked and a disliked picture beside the query, on pictures whose right answer is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import training.commands.evaluate
from captioner.arithmetic import unit
from captioner.calibration import Calibration
from captioner.encoders.base import Features
from captioner.types import Caption, Description, SearchModel
from training.commands.evaluate import evaluate
from training.evaluation.evaluate import EvaluationError


class RedAndGreen:
    """Sees how red and how green a picture is."""

    model_version = "red-and-green"
    input_side = 8
    search_model = SearchModel("red-and-green", "vgg16", Calibration())

    def caption(self, features: Features) -> list[Description]:
        return [Description([Caption("a picture", -1.0)], {"vgg16": vector}) for vector in features.vectors]

    def encode(self, pictures: np.ndarray) -> Features:
        return Features(unit(pictures.reshape(len(pictures), -1, 3).mean(axis=1)[:, :2] + 1).astype(np.float32))


@pytest.fixture(autouse=True)
def _captioner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training.commands.evaluate, "_load_captioner", lambda bundle, how: RedAndGreen())


def labelled(folder: Path, each: int) -> Path:
    """Mixtures of red and green: from 0 to 60 degrees are of one class, from 30 to 90 of the other."""
    random = np.random.default_rng(0)
    for name, least in (("red", 0), ("green", 30)):
        (folder / name).mkdir(parents=True)
        for number, angle in enumerate(np.radians(random.uniform(least, least + 60, each))):
            colour = (int(250 * np.cos(angle)), int(250 * np.sin(angle)), number)
            Image.new("RGB", (8, 8), colour).save(folder / name / f"{number}.png")
    return folder


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(evaluate, ["similar", "--labelled", str(folder), *arguments])


def test_a_liked_and_a_disliked_picture_help(tmp_path: Path) -> None:
    folder = labelled(tmp_path, each=15)
    document = json.loads(run(folder, "--triples", "30", "--seed", "2", "--json").stdout)
    assert document["command"] == "retroflex evaluate similar --labelled DIR --seed 2 --triples 30"
    assert (document["pictures"], document["classes"], document["triples"]) == (30, 2, 30)
    found = document["precision_at_10"]
    assert list(found) == ["query alone", "with the liked", "without the disliked", "with both"]
    assert 50 < found["query alone"] < found["with the liked"] <= 100
    assert found["with both"] > found["query alone"]
    again = json.loads(run(folder, "--triples", "30", "--seed", "2", "--json").stdout)
    assert again["precision_at_10"] == found


def test_classes_of_two_are_one_line(tmp_path: Path) -> None:
    result = run(labelled(tmp_path, each=2), "--triples", "5")
    assert isinstance(result.exception, EvaluationError)
    assert "no query has two others of its class" in str(result.exception)
