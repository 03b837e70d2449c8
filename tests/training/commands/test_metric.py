"""`retroflex train metric`, and its vectors in `index`, `similar` and `compare`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from data.errors import RetroflexError
from retrieval.commands.index import index
from retrieval.commands.search import similar
from tests.conftest import draw_picture
from tests.tiny_encoder import MeanColour, mean_colour
from training.commands.compare import compare
from training.commands.metric import metric

COLOURS = ("red", "green", "blue", "grey")


@pytest.fixture(scope="module", autouse=True)
def _encoder() -> Iterator[None]:
    with mean_colour():
        yield


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for colour in COLOURS:
        (folder / colour).mkdir()
        for number in range(3):
            draw_picture(folder / colour / f"{colour}{number}.png", colour, size=(60, 40), seed=number)
    return folder


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory, photos: Path, tiny_bundle: Path) -> list[str]:
    """A library of the pictures with vectors of mean colours."""
    folder = tmp_path_factory.mktemp("library")
    where = ["--library", str(folder), "--bundle", str(tiny_bundle)]
    done = CliRunner().invoke(index, [str(photos), "--features", MeanColour.name, *where])
    assert done.exit_code == 0, done.output
    return where


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return ["--cache", str(tmp_path_factory.mktemp("cache"))]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(metric, [str(one) for one in arguments])


def test_a_trained_metric_is_a_kind_of_vectors(
    where: list[str], cache: list[str], photos: Path, tmp_path: Path
) -> None:
    given = ("--labelled", photos, "--of", MeanColour.name, "--name", "near_colour", "--epochs", 2, *where, *cache)
    trained = run(*given, "--json")
    assert trained.exit_code == 0, repr(trained.exception)
    document = json.loads(trained.stdout)
    assert document["name"] == "near_colour"
    assert document["held_out_after"] >= 0
    added = CliRunner().invoke(index, ["--features", "near_colour", "--json", *where])
    assert json.loads(added.stdout)["features"] == {"near_colour": 12}
    again = CliRunner().invoke(index, ["--features", "near_colour", "--json", *where])
    assert json.loads(again.stdout)["features"] == {"near_colour": 0}
    red = draw_picture(tmp_path / "another red.png", "red", seed=77)
    found = CliRunner().invoke(similar, [str(red), "--by", "near_colour", "--json", "--limit", "3", *where])
    assert found.exit_code == 0, repr(found.exception)
    hits = json.loads(found.stdout)["hits"]
    assert [Path(hit["path"]).parent.name for hit in hits] == ["red"] * 3
    assert all(set(hit["scores"]) == {"near_colour"} for hit in hits)
    arguments = ["--labelled", photos, "--features", "near_colour", "--copies", 1, "--json", *where, *cache]
    compared = CliRunner().invoke(compare, [str(one) for one in arguments])
    (row,) = json.loads(compared.stdout)["rows"]
    assert (row["problem"], row["pictures"], row["dimensions"]) == (None, 12, 3)
    assert row["model_version"] == document["model_version"]
    own = CliRunner().invoke(compare, ["--features", "near_colour", "--copies", "1", "--json", *where, *cache])
    assert json.loads(own.stdout)["rows"][0]["recall"] == 100


def test_unseen_classes_and_triplets(where: list[str], cache: list[str], photos: Path, tmp_path: Path) -> None:
    for number in range(4):  # more classes, of which half are left out
        (tmp_path / "many" / str(number)).mkdir(parents=True)
        for one in range(3):
            draw_picture(tmp_path / "many" / str(number) / f"{one}.png", COLOURS[number], (40, 40), seed=one + 50)
    for colour in COLOURS:
        (tmp_path / "many" / colour).symlink_to(photos / colour)
    given = ("--of", MeanColour.name, "--epochs", 1, "--json", *where, *cache)
    document = json.loads(run("--labelled", tmp_path / "many", "--unseen", 0.5, *given).stdout)
    assert (document["unseen_classes"], document["seed"]) == (4, 0)
    assert {"before", "after"} <= document.keys()
    rows = [
        f"{photos}/{own}/{own}0.png,{photos}/{own}/{own}1.png,{photos}/{other}/{other}2.png"
        for own in COLOURS
        for other in COLOURS
        if own != other
    ]
    (tmp_path / "triplets.csv").write_text("\n".join(["anchor,positive,negative", *rows]))
    document = json.loads(run("--triplets", tmp_path / "triplets.csv", "--name", "by_triplets", *given).stdout)
    assert document["held_out_after"] >= document["held_out_before"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give either classes, by --labelled, or --triplets"),
        (("--triplets", "t.csv", "--unseen", "0.5"), "--unseen leaves out classes"),
        (("--triplets", "missing.csv"), "t.csv line 3: its negative"),
        (("--triplets", "columns.csv"), "has no column negative"),
        (("--triplets", "empty.csv"), "has no triplets"),
        (("--triplets", "t.json"), "is no table"),
        (("--labelled", "", "--of", "mean_color"), "did you mean mean_colour"),
        (("--labelled", "", "--name", "vgg16"), "vgg16 is another kind of vectors"),
        (("--labelled", "", "--of", "mean_colour", "--unseen", "0.5"), "four classes with two pictures or more"),
    ],
)
def test_bad_input_is_one_line(
    where: list[str], cache: list[str], photos: Path, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    picture = photos / "red" / "red0.png"
    texts = {
        "missing.csv": f"anchor,positive,negative\n{picture},{picture},{picture}\n{picture},{picture},none.png\n",
        "columns.csv": "anchor,positive\na,b\n",
        "empty.csv": "anchor,positive,negative\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    given = [photos if one == "" else tmp_path / one if "." in one and one != "0.5" else one for one in arguments]
    result = run(*given, *where, *cache)
    assert isinstance(result.exception, RetroflexError), result.output
    assert message.removeprefix("t.csv ") in str(result.exception)
    assert "\n" not in str(result.exception)


def test_a_metric_of_vectors_that_a_library_lacks(
    where: list[str], cache: list[str], photos: Path, tmp_path: Path, tiny_bundle: Path
) -> None:
    other = ["--library", str(tmp_path / "other"), "--bundle", str(tiny_bundle)]
    assert CliRunner().invoke(index, [str(photos / "red"), *other]).exit_code == 0
    assert run("--labelled", photos, "--of", MeanColour.name, "--epochs", 0, *other, *cache).exit_code == 0
    done = CliRunner().invoke(index, ["--features", "metric", *other])
    assert "it has no mean_colour vectors; index these first" in str(done.exception)
