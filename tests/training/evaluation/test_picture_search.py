"""`retroflex evaluate copies` and `similar`: figures that can be checked by hand, and one line for what is wrong."""

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
from data.dataset import CAPTION_FILE, PICTURE_FOLDER
from data.errors import RetroflexError
from tests.conftest import COLOURS, draw_picture
from training.commands.evaluate import evaluate
from training.evaluation.folders import read_labelled
from training.evaluation.transformations import TRANSFORMATIONS


class MeanColour:
    """Knows a picture by its mean colour alone: flips change nothing, grey changes all."""

    model_version = "colours-2"
    input_side = 32
    search_model = SearchModel("colours-2", "vgg16", Calibration())

    def caption(self, features: Features) -> list[Description]:
        return [Description([Caption("a picture", -1.0)], {"vgg16": vector}) for vector in features.vectors]

    def encode(self, pictures: np.ndarray) -> Features:
        colours = pictures.reshape(len(pictures), -1, 3).astype(np.float32)
        return Features(unit(colours.mean(axis=1) - 100), colours)


@pytest.fixture(autouse=True)
def _colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training.commands.evaluate, "_load_captioner", lambda bundle, how: MeanColour())


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Four dev pictures, and two more in the folder that no split names."""
    folder = tmp_path / "dataset"
    (folder / PICTURE_FOLDER).mkdir(parents=True)
    names = [draw_picture(folder / PICTURE_FOLDER / f"{colour}.png", colour).name for colour in COLOURS]
    for number in range(2):
        draw_picture(folder / PICTURE_FOLDER / f"other{number}.png", "green", seed=number + 1)
    (folder / PICTURE_FOLDER / "notes.txt").write_text("no picture")
    (folder / CAPTION_FILE).write_text("".join(f"{name}#0\tA picture .\n" for name in names))
    (folder / "Flickr_8k.devImages.txt").write_text("\n".join(names))
    return folder


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Three pictures of each of four colours, a folder each; one lies deeper, an empty folder is no class."""
    folder = tmp_path / "labelled"
    for colour in COLOURS:
        (folder / colour / "deeper").mkdir(parents=True)
        for number in range(3):
            place = folder / colour / ("deeper" if number == 2 else "")
            draw_picture(place / f"{colour}{number}.png", colour, size=(400, 300), seed=number)
    (folder / "empty").mkdir()
    return folder


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(evaluate, [str(one) for one in arguments])


def test_copies_as_json(dataset: Path) -> None:
    result = run("copies", "--dataset", dataset, "--seed", "3", "--json")
    document = json.loads(result.stdout)
    assert document["command"] == "retroflex evaluate copies --dataset DIR --split dev --seed 3"
    assert (document["pictures"], document["gallery"], document["problems"]) == (4, 6, [])
    recall = dict(document["recall_at_1"])
    assert recall["flip"] == recall["resize"] == 100
    assert recall["grey"] < 100
    assert recall.pop("average") == pytest.approx(np.mean(list(recall.values())))
    assert len(recall) == 8
    assert (
        json.loads(run("copies", "--dataset", dataset, "--seed", "3", "--json").stdout)["recall_at_1"]["crop"]
        == (recall["crop"])
    )


def test_copies_as_a_table(dataset: Path) -> None:
    (dataset / PICTURE_FOLDER / "red.png").write_text("broken")
    result = run("copies", "--dataset", dataset)
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["pictures", "3"] in lines
    assert ["recall", "at", "1,", "flip", "100.00"] in lines
    assert "left out: red.png is not a picture" in result.stderr


def test_duplicates_as_json(dataset: Path) -> None:
    document = json.loads(run("duplicates", "--dataset", dataset, "--json").stdout)
    assert document["command"] == "retroflex evaluate duplicates --dataset DIR --split dev --seed 0"
    assert (document["pictures"], document["pairs"]) == (4, 6)
    lowest, highest = document["thresholds"]["0.40"], document["thresholds"]["0.90"]
    assert lowest["flip"] == lowest["resize"] == highest["resize"] == 100
    for row in (lowest, highest):
        copies = row["recall"] * 32 / 100
        assert row["recall"] == pytest.approx(np.mean([row[name] for name in TRANSFORMATIONS]))
        assert row["precision"] == pytest.approx(100 * copies / (copies + row["others"]))
    assert highest["others"] <= lowest["others"] <= 6


def test_copies_of_nothing_readable(dataset: Path) -> None:
    for path in (dataset / PICTURE_FOLDER).glob("*.png"):
        path.write_text("broken")
    result = run("copies", "--dataset", dataset)
    assert isinstance(result.exception, RetroflexError)
    assert "no picture of the dev split can be read (blue.png is not a picture" in str(result.exception)


def test_similar_as_json(labelled: Path) -> None:
    document = json.loads(run("similar", "--labelled", labelled, "--json").stdout)
    assert document["command"] == "retroflex evaluate similar --labelled DIR --seed 0"
    assert (document["pictures"], document["classes"]) == (12, 4)
    # Ten nearest of eleven others hold both of the class, whatever the order, unless one is the very last.
    assert document["precision_at_10"]["red"] == pytest.approx(20, abs=10)
    assert set(document["precision_at_10"]) == {*COLOURS, "mean"}


def test_similar_draws_of_each_class(labelled: Path) -> None:
    result = run("similar", "--labelled", labelled, "--per-class", "2", "--seed", "5", "--json")
    document = json.loads(result.stdout)
    assert document["command"].endswith("--labelled DIR --seed 5 --per-class 2")
    assert document["pictures"] == 8
    drawn = [read_labelled(labelled, 2, seed).files for seed in (5, 5, 6, 7)]
    assert drawn[0] == drawn[1]
    assert any(one != drawn[0] for one in drawn)


def test_similar_names_what_it_left_out(labelled: Path) -> None:
    (labelled / "red" / "red0.png").write_text("broken")
    result = run("similar", "--labelled", labelled)
    assert "left out: red/red0.png is not a picture" in result.stderr
    assert any(line.split()[:4] == ["precision", "at", "10,", "mean"] for line in result.stdout.splitlines())


def test_bad_folders_are_one_line(labelled: Path, tmp_path: Path) -> None:
    (labelled / "red" / "red0.png").write_text("broken")
    (labelled / "red" / "red1.png").unlink()
    for folder, message in (
        (tmp_path / "nowhere", "no such folder"),
        (labelled / "red", "each class needs a folder, two at least"),
        (labelled, "class red has fewer than two readable pictures"),
    ):
        result = run("similar", "--labelled", folder)
        assert isinstance(result.exception, RetroflexError)
        assert message in str(result.exception)
        assert "\n" not in str(result.exception)
    (labelled / "red" / "red0.png").unlink()
    assert "class red of" in str(run("similar", "--labelled", labelled).exception)


def test_plain_colours_are_told_apart(tmp_path: Path) -> None:
    """Of eleven others of the class and twelve of the other, the ten best are all of the class."""
    for colour in ("red", "blue"):
        (tmp_path / colour).mkdir()
        for number in range(12):
            image = Image.new("RGB", (40, 40), (COLOURS[colour][0] + number, *COLOURS[colour][1:]))
            image.save(tmp_path / colour / f"{colour}{number}.png")
    figures = json.loads(run("similar", "--labelled", tmp_path, "--json").stdout)["precision_at_10"]
    assert figures == {"blue": 100, "red": 100, "mean": 100}


@pytest.mark.parametrize("arguments", [("copies",), ("similar",), ("similar", "--labelled", "x", "--per-class", "1")])
def test_wrong_use_is_refused(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2
