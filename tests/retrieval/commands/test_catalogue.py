"""`retroflex import`, `retroflex catalogue` and `retroflex search --where` on the terminal."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from captioner.calibration import Calibration
from data.catalogue.fields import field_named, read_fields, set_user_fact
from data.catalogue.values import Value
from data.errors import RetroflexError
from data.settings import load_settings
from data.store import Store
from retrieval.commands import index
from retrieval.commands.catalogue import catalogue, import_catalogue
from retrieval.commands.search import search
from retrieval.library import Library
from tests.conftest import draw_photos
from tests.retrieval.indexing.test_indexer import FakeCaptioner

TABLE = (
    "id,colour,year,title\nphoto0,Red,2011,Zebra Kurta\nphoto1,Blue,2012,Apple Kurta Shirt\n../../x,Red,2013,Stray\n"
)


class Stand(FakeCaptioner):
    """A stand-in for the captioner."""

    kinds = ("vgg16",)
    calibration = Calibration(near_copy=0.97)


@pytest.fixture(autouse=True)
def _bundle(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETROFLEX_BUNDLE", str(tiny_bundle))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table, pictures, and a library into which both were imported."""
    folder = tmp_path_factory.mktemp("shop")
    draw_photos(folder)
    (folder / "t.csv").write_text(TABLE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index.Captioner, "load", lambda bundle: Stand())
        result = run(folder, "--images", str(folder / "photos"))
    assert result.exit_code == 0, result.output
    (folder / "output.txt").write_text(result.output)
    return folder


@pytest.fixture
def shop(made: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(made, tmp_path / "shop"))


def run(folder: Path, *options: str, file: str = "t.csv", key: str = "id") -> Result:
    arguments = [str(folder / file), "--key", key, "--library", str(folder / "library"), *options]
    return CliRunner().invoke(import_catalogue, arguments)


def imported(folder: Path, *options: str) -> dict[str, Any]:
    result = run(folder, "--json", *options)
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


def found(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    result = CliRunner().invoke(search, [*arguments, "--library", str(folder / "library"), "--json", "--all"])
    assert result.exit_code == 0, result.output
    return list(json.loads(result.stdout)["hits"])


def test_an_import_says_what_it_found(made: Path) -> None:
    output = (made / "output.txt").read_text()
    assert "t.csv: 3 rows, 4 columns" in output
    assert "id      catalogue_id  key           3       photo0, photo1, ../../x" in output
    assert "year    year          whole number  3       2011, 2012, 2013" in output
    assert "the column id becomes the field catalogue_id; --rename id=NAME chooses another name" in output
    assert "2 pictures: 8 values added, 0 updated, 0 removed; 0 pictures unchanged" in output
    assert "1 rows without a picture:\n  line 4: id '../../x'\n" in output
    assert "10 pictures without a row:" in output
    assert "... and 5 more; --json lists them all" in output


def test_again_and_in_json(shop: Path) -> None:
    (shop / "t.csv").write_text(TABLE.replace("Red,2011", "Green,2011"))
    report = imported(shop)
    assert report["values"] == {"added": 0, "updated": 1, "removed": 0, "kept": 0}
    assert (report["rows"], report["pictures"], report["unchanged"], report["rows_lost"]) == (3, 2, 1, 0)
    assert report["rows_without_pictures"] == [
        {"line": 4, "key": "../../x", "reason": "leads out of the folder of pictures"}
    ]
    assert len(report["pictures_without_rows"]) == 10
    assert report["problems"] == []
    assert report["columns"][2] == {
        "column": "year",
        "field": "year",
        "type": "integer",
        "label": "Year",
        "key": False,
        "filled": 3,
        "empty": 0,
        "examples": ["2011", "2012", "2013"],
    }


def test_the_catalogue_filters_sorts_and_is_searched(shop: Path) -> None:
    paths = [Path(one["path"]).stem for one in found(shop, "photo0", "--where", "colour=red", "--where", "year>=2011")]
    assert paths == ["photo0"]
    assert Path(found(shop, "kurta", "--sort", "field.year.desc")[0]["path"]).stem == "photo1"
    (hit,) = [one for one in found(shop, "apple shirt") if one["matched"]]
    assert hit["matched"] == [{"field": "field.title", "text": "Apple Kurta Shirt"}]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--where", "color=Red"], "no field 'color'; the nearest is colour"),
        (["--where", "year"], "is no condition"),
        (["--sort", "field.yaer"], "there is no order 'field.yaer'; the nearest is field.year"),
        (["--sort", "neweset"], "the nearest is newest"),
    ],
)
def test_wrong_conditions_and_orders_are_one_line(made: Path, arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(search, ["something", "--library", str(made / "library"), *arguments])
    assert isinstance(result.exception, RetroflexError)
    assert message in str(result.exception)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--type", "year=int"], "there is no type 'int' for year; give one of boolean, integer"),
        (["--type", "year"], "--type needs COLUMN="),
        (["--label", "year=" + "x" * 129], "a label is one line"),
        (["--skip", "nothing"], "no column 'nothing'"),
        (["--delimiter", "ab"], "must be one character"),
        (["--delimiter", ";"], "has one column only"),
    ],
)
def test_wrong_options_are_one_line(made: Path, options: list[str], message: str) -> None:
    result = run(made, *options)
    assert isinstance(result.exception, RetroflexError)
    assert message in str(result.exception)


def test_a_dry_run_changes_nothing(made: Path) -> None:
    before = (made / "library" / "library.sqlite3").read_bytes()
    result = run(made, "--dry-run", "--type", "year=category", "--skip", "title")
    assert result.output.endswith("nothing was changed\n")
    assert "title   (skipped)" in result.output
    document = imported(made, "--dry-run", "--type", "year=category")
    assert [one["type"] for one in document["columns"]] == ["text", "category", "category", "text"]
    assert (made / "library" / "library.sqlite3").read_bytes() == before


def test_a_person_wins_and_it_is_told(shop: Path) -> None:
    store = Store.open(f"sqlite:///{shop / 'library' / 'library.sqlite3'}")
    (picture,) = [hit["id"] for hit in found(shop, "photo0") if hit["path"].endswith("photo0.jpg")]
    set_user_fact(store, picture, field_named(read_fields(store), "colour"), Value("Ruby"))
    store.close()
    result = run(shop)
    assert "1 values that a person gave differ from the file, and stay" in result.output
    assert [hit["id"] for hit in found(shop, "photo0", "--where", "colour=ruby")] == [picture]


def test_rows_that_are_gone_are_told(shop: Path) -> None:
    (shop / "t.csv").write_text(TABLE.replace("photo1,", "photo77,"))
    assert "1 pictures have values of rows that the file lacks now; --forget removes them" in run(shop).output
    assert imported(shop, "--forget")["values"]["removed"] == 4


def test_there_must_be_a_library_without_pictures_to_index(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TABLE)
    result = run(tmp_path)
    assert isinstance(result.exception, RetroflexError)
    assert "there is no library" in str(result.exception)


def test_fields_are_listed_relabelled_and_removed(shop: Path) -> None:
    def told(*options: str) -> str:
        result = CliRunner().invoke(catalogue, ["--library", str(shop / "library"), *options])
        assert result.exit_code == 0, result.output
        return result.output

    assert "colour        category      2         Colour" in told()
    fields = json.loads(told("--label", "colour=Main colour", "--remove", "title", "--json"))["fields"]
    assert [(one["name"], one["label"], one["is_key"], one["pictures"]) for one in fields] == [
        ("catalogue_id", "Id", True, 2),
        ("colour", "Main colour", False, 2),
        ("year", "Year", False, 2),
    ]
    told(*(option for one in fields for option in ("--remove", one["name"])))
    assert told().startswith("no field yet; `retroflex import` makes them")


def test_an_open_library_follows_an_import(shop: Path) -> None:
    opened = Library.open(load_settings(library=shop / "library"))
    assert len(opened.collection.catalogue()) == 4
    run(shop, "--rename", "year=season")
    assert [one.of.name for one in opened.collection.catalogue()][-1] == "season"
    opened.close()
