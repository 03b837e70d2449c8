"""`retroflex evaluate`: JSON for programs, a table for people, one line for what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import training.commands.evaluate
from data.errors import RetroflexError
from tests.training.conftest import COLOURS, ColourCaptioner
from training.commands.evaluate import evaluate


@pytest.fixture(autouse=True)
def _colours(monkeypatch: pytest.MonkeyPatch, colour_captioner: ColourCaptioner) -> None:
    monkeypatch.setattr(training.commands.evaluate, "_load_captioner", lambda bundle, how: colour_captioner)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(evaluate, list(arguments))


def test_captions_as_json(colour_dataset: Path) -> None:
    result = run("captions", "--dataset", str(colour_dataset), "--json")
    document = json.loads(result.stdout)
    assert result.exit_code == 0
    assert document["command"] == "retroflex evaluate captions --dataset DIR --split dev"
    assert document["split"] == "dev"
    assert document["scores"]["bleu1"] == pytest.approx(100, abs=1e-4)


def test_search_as_json(colour_dataset: Path) -> None:
    result = run("search", "--dataset", str(colour_dataset), "--split", "test", "--seed", "3", "--json")
    document = json.loads(result.stdout)
    assert document["command"] == "retroflex evaluate search --dataset DIR --split test --seed 3"
    assert document["rankings"]["fused"]["r1"] == 100
    assert str(colour_dataset) not in result.stdout


def test_fewer_captions_a_picture(colour_dataset: Path) -> None:
    document = json.loads(
        run("search", "--dataset", str(colour_dataset), "--captions-per-picture", "1", "--json").stdout
    )
    assert document["captions_per_picture"] == 1
    assert document["command"].endswith("--seed 0 --captions-per-picture 1")


@pytest.fixture
def german(tmp_path: Path) -> Path:
    """One caption each of two pictures, and one of a picture that the split does not have."""
    rows = "red.jpg\tdev\tEine Wand in red\nblue.jpg\tdev\tEin Himmel, blue\nlost.jpg\tdev\tverloren\n"
    (tmp_path / "de.tsv").write_text(f"picture\tsplit\tcaption\n{rows}red.jpg\ttrain\tanders\n")
    return tmp_path / "de.tsv"


def test_captions_of_another_language_are_queries(colour_dataset: Path, german: Path) -> None:
    query = ("search", "--dataset", str(colour_dataset), "--captions", str(german))
    document = json.loads(run(*query, "--json").stdout)
    assert document["command"].endswith("search --dataset DIR --split dev --seed 0 --language de --captions TABLE")
    assert (document["language"], document["pictures"], document["queries"]) == ("de", 4, 2)
    assert document["rankings"]["bleu"]["r1"] == 100
    assert len(document["problems"]) == 1
    staged = json.loads(run(*query, "--language", "German", "--stages", "--json").stdout)
    assert (staged["language"], staged["queries"], staged["stages"]["BLEU"]["r1"]) == ("German", 2, 100)


def test_pictures_without_a_query_are_refused(colour_dataset: Path, german: Path) -> None:
    rest = ("search", "--dataset", str(colour_dataset), "--captions", str(german))
    document = json.loads(run(*rest, "--limit-pictures", "1", "--json").stdout)
    assert (document["pictures"], document["queries"]) == (1, 1)
    names = colour_dataset / "Flickr_8k.devImages.txt"
    names.write_text("white.jpg\n" + names.read_text())
    for stages in ((), ("--stages",)):
        nothing = run(*rest, "--limit-pictures", "1", *stages)
        assert isinstance(nothing.exception, RetroflexError)
        assert "no readable picture has a human caption" in str(nothing.exception)


def test_a_language_needs_a_table(colour_dataset: Path) -> None:
    result = run("search", "--dataset", str(colour_dataset), "--language", "de")
    assert isinstance(result.exception, RetroflexError)
    assert "--captions" in str(result.exception)


def test_a_table_of_captions_is_a_data_set(colour_dataset: Path) -> None:
    table = colour_dataset / "captions.csv"
    rows = [f"Flicker8k_Dataset/{name}.jpg,A plain {name} wall .,val\n" for name in COLOURS]
    table.write_text("image,caption,split\n" + "".join(rows) + "lost.jpg,A lost one .,val\n")
    for task in ("captions", "search"):
        document = json.loads(run(task, "--dataset", str(table), "--json").stdout)
        assert (document["split"], document["pictures"], len(document["problems"])) == ("dev", 4, 1)


def test_a_limit_is_part_of_the_command(colour_dataset: Path) -> None:
    document = json.loads(run("search", "--dataset", str(colour_dataset), "--limit-pictures", "2", "--json").stdout)
    assert document["pictures"] == 2
    assert document["queries"] == 4
    assert document["command"].endswith("--limit-pictures 2")


def test_a_table_for_people(colour_dataset: Path) -> None:
    captions = run("captions", "--dataset", str(colour_dataset)).stdout.splitlines()
    search = run("search", "--dataset", str(colour_dataset)).stdout.splitlines()
    assert any(line.split() == ["bleu4", "100.00"] for line in captions)
    assert any(line.split() == ["model", "version", "colours-1"] for line in captions)
    assert any(line.split() == ["r1", "r5", "r10", "median"] for line in search)
    assert any(line.split() == ["fused", "100.00", "100.00", "100.00", "1.00"] for line in search)


def test_stages_are_one_table(colour_dataset: Path) -> None:
    lines = run("search", "--dataset", str(colour_dataset), "--stages").stdout.splitlines()
    assert any(line.split() == ["r1", "r5", "r10", "median", "ms"] for line in lines)
    table = {line[:30].strip(): line[30:].split() for line in lines}
    for name in ("BLEU-4, unsmoothed, as NLTK", "BM25 (bm25s)", "TF-IDF cosine", "BLEU"):
        assert table[name][:4] == ["100.00", "100.00", "100.00", "1.00"], name


def test_stages_as_json(colour_dataset: Path) -> None:
    document = json.loads(run("search", "--dataset", str(colour_dataset), "--stages", "--json").stdout)
    assert document["command"] == "retroflex evaluate search --dataset DIR --split dev --seed 0 --stages"
    assert (document["pictures"], document["queries"], document["captions_per_picture"]) == (4, 8, 3)
    assert all(set(row) == {"r1", "r5", "r10", "median", "ms"} for row in document["stages"].values())
    assert all(row["ms"] > 0 for row in document["stages"].values())


def test_variants_for_people(colour_dataset: Path) -> None:
    lines = run("variants", "--dataset", str(colour_dataset)).stdout.splitlines()
    assert any(line.startswith("BLEU-1, sentences ") and line.endswith("100.00      1.00") for line in lines)


def test_problems_go_to_standard_error(colour_dataset: Path) -> None:
    with (colour_dataset / "Flickr_8k.devImages.txt").open("a") as names:
        names.writelines(f"missing{number}.jpg\n" for number in range(7))
    result = run("captions", "--dataset", str(colour_dataset))
    assert result.stderr.count("left out: missing") == 5
    assert "and 2 more left out" in result.stderr
    assert "missing" not in result.stdout


def test_a_missing_split_is_one_error(colour_dataset: Path) -> None:
    result = run("captions", "--dataset", str(colour_dataset), "--split", "train")
    assert isinstance(result.exception, RetroflexError)
    assert "Flickr_8k.trainImages.txt" in str(result.exception)


@pytest.mark.parametrize("arguments", [("captions",), ("search", "--dataset", "x", "--split", "all")])
def test_wrong_use_is_refused(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2
