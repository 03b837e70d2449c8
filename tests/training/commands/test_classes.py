"""`retroflex train classes` and `evaluate classes`, what `classify` and `index` do with it."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from data.catalogue.fields import field_named, read_fields, remove_user_fact, set_user_fact
from data.catalogue.values import PREDICTED, USER, Value
from data.errors import RetroflexError
from data.settings import load_settings
from retrieval.commands.catalogue import import_catalogue
from retrieval.commands.classify import classify
from retrieval.commands.index import index
from retrieval.commands.search import search, similar
from retrieval.library import Library
from tests.conftest import draw_picture
from tests.tiny_encoder import MeanColour, mean_colour
from training.commands.classes import train_classes
from training.commands.evaluate import evaluate

COLOURS = ("red", "green", "blue")
EACH = 7
LABELLED = 5
"""Of the pictures of a colour; the others have no row."""


@pytest.fixture(scope="module", autouse=True)
def _encoder() -> Iterator[None]:
    with mean_colour():
        yield


@pytest.fixture(autouse=True)
def _different(monkeypatch: pytest.MonkeyPatch) -> None:
    """To a random network all drawings are near copies."""
    monkeypatch.setattr("training.classes.examples.STRICT", 0.99999)


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path) -> Path:
    """A folder with photos and a library of them, most of which say their colour and shape in a table."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "photos").mkdir()
    rows = ["id,colour,about"]
    for colour in COLOURS:
        for number in range(EACH):
            draw_picture(folder / "photos" / f"{colour}{number}.png", colour, (60, 40), seed=number)
            if number < LABELLED:
                rows.append(f"{colour}{number},{colour},text {colour} {number}")
    (folder / "table.csv").write_text("\n".join(rows))
    where = ["--library", str(folder / "library"), "--bundle", str(tiny_bundle)]
    invoked(index, folder / "photos", "--features", MeanColour.name, *where)
    invoked(
        import_catalogue, folder / "table.csv", "--key", "id", *where, "--rename", "id=sku", "--type", "colour=category"
    )
    return folder


@pytest.fixture
def shop(made_once: Path, tmp_path: Path, tiny_bundle: Path) -> list[str]:
    """The options of a copy of the library."""
    shutil.copytree(made_once / "library", tmp_path / "library")
    return ["--library", str(tmp_path / "library"), "--bundle", str(tiny_bundle)]


def invoked(command: Any, *arguments: object) -> Result:
    result = CliRunner().invoke(command, [str(one) for one in arguments])
    assert result.exit_code == 0, (result.output, result.exception)
    return result


def train(where: list[str], *more: object) -> dict[str, Any]:
    arguments = ("--field", "colour", "--of", MeanColour.name, "--least", 3, "--json", *where, *more)
    return dict(json.loads(invoked(train_classes, *arguments).stdout))


def said(where: list[str], source: str | None = None) -> dict[str, tuple[str, str, float | None]]:
    """By picture's name the value of the field, who says so, and how sure."""
    with closing(Library.open(load_settings(library=where[1]))) as library:
        ids = library.store.searched_ids()[1].tolist()
        return {
            Path(picture.shown_paths[0]).stem: (fact.text, fact.source, fact.confidence)
            for picture in library.store.pictures(ids).values()
            for fact in picture.facts
            if fact.field.name == "colour" and source in (None, fact.source)
        }


def say(where: list[str], item: int, value: str | None) -> None:
    with closing(Library.open(load_settings(library=where[1]))) as library:
        of = field_named(read_fields(library.store), "colour")
        set_user_fact(library.store, item, of, Value(value) if value else None)


def test_unlabelled_pictures_get_predicted_values(shop: list[str], tmp_path: Path) -> None:
    document = train(shop, "--plot", tmp_path / "c.png", "--csv", tmp_path / "c.csv")
    unlabelled = len(COLOURS) * (EACH - LABELLED)
    assert (document["pictures"], document["classes"]) == (len(COLOURS) * LABELLED, 3)
    assert document["predicted"] == unlabelled
    assert document["accuracy"] > 90
    matrix = document["confusion"]["matrix"]
    assert sum(map(sum, matrix)) == document["pictures"]
    assert 100 * sum(matrix[row][row] for row in range(3)) / document["pictures"] == pytest.approx(
        document["accuracy"], abs=0.01
    )
    with (tmp_path / "c.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["class", *document["confusion"]["classes"]]
    assert [[int(cell) for cell in row[1:]] for row in rows[1:]] == matrix
    assert Image.open(tmp_path / "c.png").size[0] > 300
    kept = sorted(path.name for path in Path(document["folder"]).iterdir())
    assert kept == ["classifier.json", "classifier.safetensors", "confusion.csv", "confusion.png"]
    predicted = said(shop, PREDICTED)
    assert len(predicted) == unlabelled
    assert all(name.startswith(value) and 0.4 < sure <= 1 for name, (value, _, sure) in predicted.items())  # type: ignore[operator]


def test_what_persons_and_imports_say_wins_and_retraining_replaces_predictions(
    shop: list[str], made_once: Path
) -> None:
    train(shop)
    with closing(Library.open(load_settings(library=shop[1]))) as library:
        by_name = {Path(one.shown_paths[0]).stem: one.id for one in library.store.pictures(range(1, 99)).values()}
    say(shop, by_name["red6"], "crimson")
    say(shop, by_name["red5"], None)
    assert said(shop)["red6"][:2] == ("crimson", USER)
    assert "red5" not in said(shop)
    table = made_once.parent / "more.csv"
    table.write_text("id,colour\nblue6,navy\n")
    invoked(import_catalogue, table, "--key", "id", "--rename", "id=sku", *shop)
    assert said(shop)["blue6"] == ("navy", "imported", None)
    assert train(shop)["predicted"] == 3
    assert set(said(shop, PREDICTED)) == {"green5", "green6", "blue5"}
    say(shop, by_name["green0"], "grass")
    with closing(Library.open(load_settings(library=shop[1]))) as library:
        remove_user_fact(library.store, by_name["green0"], field_named(read_fields(library.store), "colour"))
    assert said(shop)["green0"] == ("green", "imported", None)


def test_new_pictures_are_predicted_by_the_next_index(shop: list[str], tmp_path: Path) -> None:
    train(shop)
    before = said(shop)
    (tmp_path / "new").mkdir()
    draw_picture(tmp_path / "new" / "green new.png", "green", (50, 50), seed=70)
    invoked(index, tmp_path / "new", "--features", MeanColour.name, *shop)
    assert {name: one for name, one in said(shop).items() if name != "green new"} == before
    assert said(shop)["green new"][:2] == ("green", PREDICTED)


def test_classify_tells_probabilities(shop: list[str], tmp_path: Path) -> None:
    train(shop)
    picture = draw_picture(tmp_path / "another.png", "blue", (64, 64), seed=80)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    result = CliRunner().invoke(classify, [str(picture), str(tmp_path / "broken.png"), "--json", *shop])
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert set(document) == {"pictures"}
    (one,) = document["pictures"]
    assert set(one) == {"path", "classes"}
    assert one["path"] == str(picture)
    values = one["classes"]["colour"]
    assert [set(value) for value in values] == [{"value", "probability"}] * len(values)
    assert values[0]["value"] == "blue"
    chances = [value["probability"] for value in values]
    assert chances == sorted(chances, reverse=True)
    assert sum(chances) == pytest.approx(1, abs=0.01)
    assert result.stderr.count("\n") == 1
    assert "broken.png" in result.stderr
    shown = invoked(classify, picture, "--field", "colour", *shop).stdout
    assert "  colour: blue " in shown


def test_evaluate_classes_saves_nothing(shop: list[str], tmp_path: Path) -> None:
    given = ("--field", "colour", "--least", 3, "--features", f"{MeanColour.name},vgg16+{MeanColour.name}")
    document = json.loads(invoked(evaluate, "classes", *given, "--search", "--json", *shop).stdout)
    first, second = document["rows"]
    assert (first["features"], second["features"]) == (MeanColour.name, f"vgg16+{MeanColour.name}")
    assert first["accuracy"] > 90
    assert 0 <= first["p10"]["all"] <= 100
    assert first["p10"]["filtered"] >= first["accuracy"] - 0.01
    assert not (Path(shop[1]) / "classes").exists()
    only = invoked(
        evaluate, "classes", "--field", "colour", "--only", "red, Blue", "--features", MeanColour.name, *shop
    )
    assert "green" not in only.stdout
    assert said(shop, PREDICTED) == {}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--field", "color"), "no field 'color'; the nearest is colour"),
        (("--field", "about"), "about is a field of free text"),
        (("--field", "colour", "--least", 9), "colour has 0 values with 9 or more labelled pictures"),
        (("--field", "colour", "--of", "mean_color"), "did you mean mean_colour?"),
        (("--field", "colour", "--folds", 20), "20 folds need as many different pictures"),
        (("--field", "colour", "--plot", "x.txt"), "x.txt is no picture that can be drawn"),
        (("--field", "colour", "--csv", "missing/x.csv"), "no such folder to write x.csv to"),
    ],
)
def test_bad_input_of_training_is_one_line(shop: list[str], arguments: tuple[object, ...], message: str) -> None:
    result = CliRunner().invoke(train_classes, [*map(str, arguments), *shop])
    assert isinstance(result.exception, RetroflexError), result.output
    assert message in str(result.exception)
    assert "\n" not in str(result.exception)


def test_classify_without_a_fitting_classifier(shop: list[str], made_once: Path) -> None:
    picture = made_once / "photos" / "red0.png"
    result = CliRunner().invoke(classify, [str(picture), *shop])
    assert "run: retroflex train classes" in str(result.exception)
    folder = Path(train(shop)["folder"])
    result = CliRunner().invoke(classify, [str(picture), "--field", "color", *shop])
    assert "'color' has not been learnt; there are colour" in str(result.exception)
    (folder / "classifier.json").write_text("{}")
    result = CliRunner().invoke(classify, [str(picture), *shop])
    assert isinstance(result.exception, RetroflexError)


def test_similar_tells_the_class_and_searches_in_it(shop: list[str], tmp_path: Path) -> None:
    train(shop)
    picture = draw_picture(tmp_path / "another.png", "blue", (64, 64), seed=80)
    by = ("--by", MeanColour.name, "--limit", 50, *shop)
    document = json.loads(invoked(similar, picture, "--json", *by).stdout)
    assert document["classes"][0]["colour"][0]["value"] == "blue"
    within = json.loads(invoked(similar, picture, "--same", "colour", "--json", *by).stdout)
    assert [one["fields"]["colour"] for one in within["hits"]] == ["blue"] * EACH
    sure = json.loads(invoked(similar, picture, "--same", "colour", "--min-confidence", 1, "--json", *by).stdout)
    assert {one["fields"]["colour"] for one in sure["hits"]} == {"blue"}
    assert LABELLED <= len(sure["hits"]) <= EACH
    shown = invoked(similar, picture, "--group-by", "colour", *by).stdout
    assert "query picture: colour blue " in shown
    assert f"\nblue: {EACH} pictures\n" in shown
    assert "       predicted: colour blue " in shown
    near = json.loads(invoked(similar, picture, "--min-cosine", 0.99, "--json", *by).stdout)["hits"]
    assert all(one["scores"][MeanColour.name] >= 0.99 for one in near)
    assert 0 < len(near) < len(document["hits"])
    rest = json.loads(
        invoked(search, "anything", "--where", "colour=red", "--min-confidence", 1, "--all", "--json", *shop).stdout
    )
    assert all(not one["predicted"] or one["predicted"]["colour"] == 1 for one in rest["hits"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--same", "color"), "no field 'color'; the nearest is colour"),
        (("--same", "about"), "about has not been learnt; run: retroflex train classes --field about"),
        (("--group-by", "about"), "about is a free text"),
        (("--group-by", "colors"), "the nearest is colour"),
    ],
)
def test_bad_options_of_similar(shop: list[str], made_once: Path, arguments: tuple[str, ...], message: str) -> None:
    result = CliRunner().invoke(similar, [str(made_once / "photos" / "red0.png"), *arguments, *shop])
    assert isinstance(result.exception, RetroflexError), result.output
    assert message in str(result.exception)
    for given in (["dog", "--min-cosine", "2"], ["dog", "--min-confidence", "x"]):
        assert CliRunner().invoke(search, [*given, *shop]).exit_code == 2
    result = CliRunner().invoke(search, ["dog", "--min-cosine", "0.5", *shop])
    assert "a least cosine needs a picture" in str(result.exception)


def test_a_kill_while_it_is_replaced_leaves_the_one_before(
    shop: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(shop)
    before = said(shop)
    with monkeypatch.context() as patched:
        patched.setattr("captioner.classifier.save_classifier", _killed)
        killed = CliRunner().invoke(
            train_classes, ["--field", "colour", "--of", MeanColour.name, "--least", "3", *shop]
        )
    assert isinstance(killed.exception, OSError)
    assert said(shop, PREDICTED) == {}, "no values by a classifier that is being replaced"
    invoked(index, *shop)
    assert said(shop) == before


def _killed(*arguments: object) -> Path:
    raise OSError("killed")
