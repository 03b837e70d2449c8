"""The command line, end to end, in real processes with the tiny captioner."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import draw_photos, draw_picture
from tests.prepared import retroflex

RETROFLEX = Path(sys.executable).parent / "retroflex"


Call = Callable[..., subprocess.CompletedProcess[str]]


def caller(library: Path, bundle: Path) -> Call:
    environment = {**os.environ, "RETROFLEX_LIBRARY": str(library), "RETROFLEX_BUNDLE": str(bundle)}

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        done = retroflex(arguments, environment)
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


@pytest.fixture
def call(tmp_path: Path, tiny_bundle: Path) -> Call:
    return caller(tmp_path / "library", tiny_bundle)


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path) -> tuple[Call, Path]:
    """A library of photographs that no test may change, since all that only search share it."""
    folder = tmp_path_factory.mktemp("indexed")
    photos = draw_photos(folder)
    call = caller(folder / "library", tiny_bundle)
    assert call("index", photos).returncode == 0
    return call, photos


def one_line(result: subprocess.CompletedProcess[str], *parts: str) -> None:
    """The command failed and said why in one line, without a traceback."""
    assert result.returncode != 0
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    for part in parts:
        assert part in result.stderr


def test_index_search_similar_status_remove(call: Call, photos: Path) -> None:
    (photos / "notes.jpg").write_text("no picture")
    errors = photos.parent / "errors.txt"
    indexed = call("index", photos, "--errors", errors)
    assert indexed.returncode == 0, indexed.stderr
    assert "12 captioned" in indexed.stdout
    assert "notes.jpg" in errors.read_text()
    assert "not a picture" in errors.read_text()

    status = json.loads(call("status", "--json").stdout)
    assert (status["pictures"], status["files"], status["skipped"]) == (12, 12, 1)

    like = json.loads(call("similar", photos / "photo3.jpg", "--json", "--limit", 5).stdout)
    assert like["hits"][0]["path"] == str(photos / "photo3.jpg")
    assert like["query"]["captions"]
    assert len(like["hits"]) == 5

    words = json.loads(call("search", like["query"]["captions"][0], "--json").stdout)
    assert words["total"] >= 1
    hit = words["hits"][0]
    facts = {"taken_at", "taken_from", "fields", "predicted"}
    assert set(hit) == {"id", "path", "time", "caption", "captions", "score", "scores", "matched", *facts}
    assert {"bleu", "cosine"} <= set(hit["scores"])
    assert hit["caption"] in hit["captions"]

    removed = call("remove", photos / "trip")
    assert "2 files forgotten" in removed.stdout
    assert (photos / "trip" / "photo10.png").exists()
    assert json.loads(call("status", "--json").stdout)["files"] == 10


def test_caption_prints_one_document_and_takes_folders(call: Call, photos: Path) -> None:
    result = call("caption", photos, "--json")
    pictures = json.loads(result.stdout)["pictures"]
    assert len(pictures) == 12
    for one in pictures:
        scores = [caption["logprob"] for caption in one["captions"]]
        assert scores
        assert all(score < 0 for score in scores)
    assert result.stderr == ""


def test_caption_goes_on_after_a_bad_picture(call: Call, photos: Path) -> None:
    (photos / "bad.jpg").touch()
    result = call("caption", photos / "bad.jpg", photos / "photo0.jpg", "--json")
    assert result.returncode == 1
    assert "bad.jpg is empty" in result.stderr
    assert [one["path"] for one in json.loads(result.stdout)["pictures"]] == [str(photos / "photo0.jpg")]


def test_what_is_not_there_is_one_line(call: Call, tmp_path: Path) -> None:
    one_line(call("search", "dog"), "retroflex index")
    one_line(call("index", tmp_path / "nowhere"), "no such file or folder")


def test_bad_input_is_one_line(indexed: tuple[Call, Path], tmp_path: Path) -> None:
    call, _ = indexed
    one_line(call("search", " "), "query")
    one_line(call("search", "word " * 10_000), "words")
    one_line(call("search", "dog", "--limit", "0"), "limit")
    assert "No such option" in call("search", "dog", "--limt", "3").stderr
    assert call("search", "-dog", "boat").stdout.startswith("Without “dog”.")
    one_line(call("similar", tmp_path / "none.jpg"), "none.jpg")
    unknown = call("search", "xylophone")
    told = 'No caption says “xylophone”.\nnothing close to "xylophone" in 12 pictures\n'
    assert (unknown.returncode, unknown.stdout) == (0, told)


def test_what_no_caption_says_is_told(indexed: tuple[Call, Path]) -> None:
    call, _ = indexed
    assert json.loads(call("search", "a", "Xylophone", "--json").stdout)["unsaid"] == ["xylophone"]
    said = json.loads(call("search", "the", "--all", "--json").stdout)["hits"][0]["caption"]
    assert json.loads(call("search", said, "--json").stdout)["unsaid"] == []
    first = call("search", "dog", "xylophone", "--all").stdout.splitlines()[0]
    assert first.startswith("No caption says ")
    assert "“xylophone”; these " in first
    assert "No caption" not in call("search", said, "--all").stdout


def test_words_and_pictures_join(indexed: tuple[Call, Path], tmp_path: Path) -> None:
    call, photos = indexed
    known, other = photos / "photo3.jpg", draw_picture(tmp_path / "blue.png", "blue").rename(tmp_path / "other@0.5")
    query = ("--like", f"{known}@2", "--like", other, "--unlike", f"{photos / 'photo4.png'}@0.5")
    joined = json.loads(call("search", "a", "dog", *query, "--all", "--json").stdout)
    sources = {name.split(".")[0] for name in joined["hits"][0]["scores"]}
    assert sources == {"words", "like1", "like2", "unlike1"}
    alone = call("search", "--like", known, "--limit", 1)
    assert str(known) in alone.stdout
    assert "cosine" not in alone.stdout
    assert "cosine 1.000" in call("search", "--like", known, "--limit", 1, "--explain").stdout


def test_filters_restrict_a_search_and_folders_are_remembered(call: Call, photos: Path) -> None:
    one_line(call("index"), "retroflex index")
    assert call("index", photos).returncode == 0
    query = ("search", "--like", photos / "photo3.jpg", "--json")
    pngs = json.loads(call(*query, "--format", "PNG", "--sort", "newest").stdout)["hits"]
    assert {Path(hit["path"]).suffix for hit in pngs} == {".png"}
    trip = json.loads(call(*query, "--folder", photos / "trip").stdout)["hits"]
    assert sorted(Path(hit["path"]).name for hit in trip) == ["photo10.png", "photo11.webp"]
    assert json.loads(call(*query, "--to", "2000-01-01").stdout)["total"] == 0
    one_line(call(*query, "--folder", photos / "nowhere"), "nowhere")
    one_line(call(*query, "--from", "2020-02-02", "--to", "2020-01-01"), "earlier day")
    draw_picture(photos / "new.png", "red", seed=99)
    assert "1 captioned" in call("index").stdout
    one_line(call("index", "--exclude", "x"), "--exclude")


def test_bad_pictures_and_weights_are_one_line(indexed: tuple[Call, Path], tmp_path: Path) -> None:
    call, photos = indexed
    (tmp_path / "notes.jpg").write_text("no picture")
    known = photos / "photo3.jpg"
    one_line(call("search"), "query is empty")
    one_line(call("search", " "), "query is empty")
    one_line(call("search", "--like", tmp_path / "none.jpg@2"), "none.jpg", "No such file")
    one_line(call("search", "--like", tmp_path / "notes.jpg"), "notes.jpg is not a picture")
    for weight in ("x", "0", "-1", "nan", "1e3", "101", ""):
        one_line(call("search", "--like", f"{known}@{weight}"), "weight", "above 0")
    one_line(call("search", "dog", "--unlike", f"{known}@1.5"), "at most 1")
    one_line(call("search", *["--like", known] * 21), "20 at most")


def test_a_picture_of_the_library_needs_no_captioner(
    indexed: tuple[Call, Path], tmp_path: Path, tiny_bundle: Path
) -> None:
    """Weights that cannot be loaded are not missed; another model's vectors are not compared."""
    call, photos = indexed
    bundle = tmp_path / "bundle"
    shutil.copytree(tiny_bundle, bundle)
    (bundle / "encoder.safetensors").write_bytes(b"damaged")
    found = call("similar", photos / "photo3.jpg", "--bundle", bundle, "--limit", 1)
    assert "photo3.jpg" in found.stdout, found.stderr
    new = draw_picture(tmp_path / "new.png", "blue")
    one_line(call("similar", new, "--bundle", bundle), "encoder")


def test_a_file_that_cannot_be_written_is_one_line(call: Call, photos: Path) -> None:
    (photos / "bad.jpg").touch()
    one_line(call("index", photos, "--errors", photos / "no" / "such" / "errors.txt"), "No such file")
    one_line(call("status"), "there is no library")  # it is told before the work


def test_an_empty_folder_and_a_second_run(call: Call, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    one_line(call("index", tmp_path / "empty"), "no pictures found there")
    assert "12 captioned" in call("index", photos).stdout
    again = call("index", photos).stdout
    assert "12 unchanged" in again
    assert "0 captioned before under another name" in again
    assert "no pictures found" in call("index", tmp_path / "empty").stdout


def test_a_damaged_bundle_is_one_line(call: Call, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    one_line(call("index", photos, "--bundle", tmp_path / "bundle"), "checksums.json")
    one_line(call("index", photos, "--bundle", tmp_path / "none"), "no captioner bundle")


def read_until(terminal: int, wanted: bytes | None) -> bytes:
    """What a terminal shows until `wanted` has appeared, or to its end."""
    shown = b""
    while wanted is None or wanted not in shown.replace(b"?pic/s", b""):
        try:
            shown += os.read(terminal, 1024)
        except OSError:  # Linux says so when the other side has closed.
            break
    return shown
