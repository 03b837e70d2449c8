"""`retroflex compare`: each kind a row, on labelled pictures and on the library, and one line for what is wrong."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import training.comparison.rows
from captioner.encoders.registry import Family, register, unregister
from captioner.pipeline import VectorDescriber
from data.errors import RetroflexError
from retrieval.commands.index import index
from tests.conftest import draw_picture
from tests.tiny_encoder import MeanColour, mean_colour
from training.commands.compare import compare

PER_CLASS = 4
COLOURS = ("red", "green", "blue")


@pytest.fixture(scope="module", autouse=True)
def _encoder() -> Iterator[None]:
    def missing(config: object, parts: object) -> MeanColour:
        raise RetroflexError("the weights of broken are missing; put them there")

    with mean_colour():
        register(Family("broken", MeanColour, missing))
        yield
        unregister("broken")


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("labelled")
    for colour in COLOURS:
        (folder / colour).mkdir()
        for number in range(PER_CLASS):
            draw_picture(folder / colour / f"{colour}{number}.png", colour, size=(60, 40), seed=number)
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What was made of pictures: shared, as runs of the command share it."""
    return tmp_path_factory.mktemp("cache")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(compare, [str(one) for one in arguments])


def rows_of(result: Result) -> dict[tuple[str, str], dict]:
    assert result.exit_code == 0, result.output + repr(result.exception)
    document = json.loads(result.stdout)
    assert list(document) == ["rows"]
    return {(row["features"], row["search"]): row for row in document["rows"]}


def test_every_kind_is_a_row_and_the_rest_goes_on(labelled: Path, cache: Path, tiny_bundle: Path) -> None:
    given = ("--labelled", labelled, "--cache", cache, "--bundle", tiny_bundle, "--copies", 1, "--json")
    rows = rows_of(run(*given, "--features", "broken,vgg16,joint,mean_colour,product"))
    assert list(rows) == [
        ("broken", "exact"),
        ("vgg16", "exact"),
        ("joint", "exact"),
        ("mean_colour", "exact"),
        ("product", "product"),
    ]
    assert rows["broken", "exact"]["problem"] == "not available: the weights of broken are missing; put them there"
    assert rows["broken", "exact"]["p10"] is None
    for (kind, _), row in rows.items():
        if kind != "broken":
            assert row["problem"] is None
            assert all(row[name] >= 0 for name in ("p10", "map", "copies", "ms_describe", "ms_query", "bytes"))
            assert row["pictures"] == 12
            assert (row["recall"] is None) == (kind == "product")
    assert rows["mean_colour", "exact"]["map"] > 90  # colours are the classes
    assert rows["mean_colour", "exact"]["recall"] == 100


def test_searches_share_the_cache_and_a_table_is_written(
    labelled: Path, cache: Path, tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ("--labelled", labelled, "--cache", cache, "--bundle", tiny_bundle, "--copies", 1)
    searches = ("--features", "mean_colour", "--search", "exact,ivf,hnsw", "--csv", tmp_path / "rows.csv")
    assert run(*given, *searches).exit_code == 0
    with monkeypatch.context() as patch:  # nothing is described again but for the time it takes
        patch.setattr(VectorDescriber, "caption", None)
        result = run(*given, *searches, "--plot", tmp_path / "rows.svg")
    assert result.exit_code == 0, repr(result.exception)
    lines = result.stdout.splitlines()
    assert lines[0].split()[:3] == ["features", "search", "P@10"]
    assert [line.split()[:2] for line in lines[1:]] == [["mean_colour", one] for one in ("exact", "ivf", "hnsw")]
    with (tmp_path / "rows.csv").open() as file:
        assert [row["search"] for row in csv.DictReader(file)] == ["exact", "ivf", "hnsw"]
    assert "</svg>" in (tmp_path / "rows.svg").read_text()


def test_a_table_names_the_classes_and_a_sample_is_drawn_by_seed(
    labelled: Path, cache: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    table = tmp_path / "styles.csv"
    named = [f"{colour}{number},{colour}" for colour in COLOURS for number in range(PER_CLASS)]
    table.write_text("\n".join(["id,colour", *named, "none,red"]))
    given = ("--labelled", table, "--label", "colour", "--images", labelled, "--cache", cache, "--bundle", tiny_bundle)
    features = ("--features", "mean_colour", "--copies", 0, "--json")
    assert rows_of(run(*given, *features))["mean_colour", "exact"]["pictures"] == 12
    result = run(*given, *features, "--sample", 8, "--seed", 3)
    row = rows_of(result)["mean_colour", "exact"]
    assert (row["pictures"], row["copies"]) == (8, None)
    assert "left out: styles.csv line 14 names no picture" in result.stderr
    again = rows_of(run(*given, *features, "--sample", 8, "--seed", 3))["mean_colour", "exact"]
    assert (row["p10"], row["map"]) == (again["p10"], again["map"])


def test_the_library_itself(labelled: Path, cache: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    where = ("--library", tmp_path / "library", "--bundle", tiny_bundle)
    done = CliRunner().invoke(index, [str(one) for one in (labelled, "--features", "mean_colour", *where)])
    assert done.exit_code == 0, done.output
    register(Family("not_indexed", MeanColour, lambda config, parts: OtherColour()))
    try:
        names = "mean_colour,not_indexed,product"
        rows = rows_of(run(*where, "--cache", cache, "--features", names, "--copies", 2, "--json"))
    finally:
        unregister("not_indexed")
    row = rows["mean_colour", "exact"]
    assert (row["p10"], row["map"], row["recall"], row["pictures"]) == (None, None, 100, 12)
    assert row["copies"] > 0
    assert rows["product", "product"]["copies"] > 0
    assert "run retroflex index --features not_indexed" in rows["not_indexed", "exact"]["problem"]


class OtherColour(MeanColour):
    name, model_version = "not_indexed", "not-indexed-1"


def test_a_missing_package_is_a_row(
    labelled: Path, cache: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(matrix: object) -> None:
        raise ModuleNotFoundError("No module named 'annoy'", name="annoy")

    searches = training.comparison.rows.SEARCHES
    changed = {**searches, "annoy": type(searches["annoy"])(gone, "annoy")}  # type: ignore[arg-type]
    monkeypatch.setattr(training.comparison.rows, "SEARCHES", changed)
    given = ("--labelled", labelled, "--cache", cache, "--bundle", tiny_bundle, "--features", "mean_colour")
    rows = rows_of(run(*given, "--copies", 0, "--search", "annoy,exact", "--json"))
    problem = "not available: needs the package annoy; install it with pip install 'retroflex[annoy]'"
    assert rows["mean_colour", "annoy"]["problem"] == problem
    assert rows["mean_colour", "exact"]["problem"] is None


def test_weights_of_one_kind_leave_the_captioners_own_kinds_as_they_are(
    labelled: Path, cache: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    (tmp_path / "other.txt").write_text("no weights")
    given = ("--labelled", labelled, "--cache", cache, "--bundle", tiny_bundle, "--copies", 0, "--json")
    rows = rows_of(run(*given, "--features", "joint, broken", "--weights", f"broken={tmp_path / 'other.txt'}"))
    assert rows["joint", "exact"]["problem"] is None
    assert "other.txt" in rows["broken", "exact"]["problem"]
    result = run(*given, "--features", "joint,broke", "--weights", f"broke={tmp_path / 'other.txt'}")
    assert "no kind of vectors is called 'broke'; did you mean broken" in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--features", "mean_color"), "no kind of vectors is called 'mean_color'; did you mean mean_colour"),
        (("--features", ","), "no kind of vectors is named; there are vgg16"),
        (("--search", "anoy"), "no search is called 'anoy'; did you mean annoy"),
        (("--label", "colour"), "--label and --images belong to a file"),
        (("--plot", "rows.gif"), "end it in .png"),
        (("--csv", "no/such/folder.csv"), "no such folder to write folder.csv to"),
        (("--features", "broken"), "nothing could be measured"),
        (("--features", "mean_colour", "--weights", "vgg19=x.h5"), "there is no such file"),
    ],
)
def test_bad_input_is_one_line(
    labelled: Path, cache: Path, tiny_bundle: Path, arguments: tuple[str, ...], message: str
) -> None:
    given = ("--labelled", labelled, "--cache", cache, "--bundle", tiny_bundle, "--copies", 0)
    result = run(*given, *arguments)
    assert isinstance(result.exception, RetroflexError)
    assert message in str(result.exception)
    assert "\n" not in str(result.exception)


def test_bad_sources_are_one_line(labelled: Path, tmp_path: Path, tiny_bundle: Path) -> None:
    where = ("--bundle", tiny_bundle, "--cache", tmp_path / "cache", "--library", tmp_path / "none")
    (tmp_path / "styles.csv").write_text("id,colour\n")
    for source, message in [
        (("--labelled", tmp_path / "nowhere"), "no such folder or file"),
        (("--labelled", labelled / "red"), "has pictures in 0 of its folders"),
        (("--labelled", tmp_path / "styles.csv"), "name the column"),
        (("--images", labelled), "belong to a table"),
        ((), "there is no library"),
    ]:
        result = run(*where, *source)
        assert isinstance(result.exception, RetroflexError), source
        assert message in str(result.exception)
