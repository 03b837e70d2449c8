"""Searches for what no picture shows: a captioner whose captions are known, a tiny real one, and what goes wrong."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import training.commands.evaluate
from data.errors import RetroflexError
from data.limits import Limits
from tests.training.conftest import COLOURS, ColourCaptioner
from tests.training.evaluation.test_rankers import SeeingCaptioner
from training.commands.evaluate import evaluate
from training.evaluation import folders
from training.evaluation.absent import evaluate_absent, read_words
from training.evaluation.evaluate import EvaluationError
from training.evaluation.folders import unlabelled_pictures


@pytest.fixture
def gallery(colour_dataset: Path) -> Path:
    return colour_dataset / "Flicker8k_Dataset"


@pytest.fixture
def packed(gallery: Path, tmp_path: Path) -> Path:
    """A tar file of two pictures among what must not be read: a link, a path that leads out, a text."""
    with tarfile.open(tmp_path / "pictures.tar.gz", "w:gz") as archive:
        archive.add(gallery / "red.jpg", "photos/red.jpg")
        archive.add(gallery / "blue.jpg", "../../out.JPG")
        link = tarfile.TarInfo("photos/link.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, str(gallery / "green.jpg")
        archive.addfile(link)
        note = tarfile.TarInfo("photos/note.txt")
        note.size = 4
        archive.addfile(note, io.BytesIO(b"text"))
    return tmp_path / "pictures.tar.gz"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(evaluate, ["absent", *map(str, arguments)])


def test_hits_are_counted_beside_captions_with_the_word(colour_captioner: ColourCaptioner, gallery: Path) -> None:
    result = evaluate_absent(colour_captioner, gallery, ["zebra", "walls", "red"], None, seed=0)
    hits = {word: (one["hits"], one["said"]) for word, one in result["words"].items()}
    assert hits == {"zebra": (0, 0), "walls": (4, 4), "red": (1, 1)}
    assert (result["pictures"], result["queries"]) == (4, 3)
    assert (result["mean_hits"], result["max_hits"], result["percent_with_hits"]) == (1.67, 4, 66.67)


def test_only_close_pictures_are_hits(gallery: Path) -> None:
    found = evaluate_absent(SeeingCaptioner(), gallery, ["green"], None, seed=0)["words"]["green"]
    assert (found["hits"], found["said"]) == (1, 0)
    assert found["closest"] > 0.5


def test_a_tar_file_is_a_gallery(colour_captioner: ColourCaptioner, packed: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    with unlabelled_pictures(packed, None, 0) as (pictures, problems):
        assert [one.name for one in pictures] == ["photos/red.jpg", "../../out.JPG"]
        assert all(one.path.parent == pictures[0].path.parent != tmp_path for one in pictures)
        assert problems == []
    assert not pictures[0].path.exists()
    assert sorted(tmp_path.rglob("*")) == before
    assert evaluate_absent(colour_captioner, packed, ["red", "green"], None, 0)["max_hits"] == 1


def test_what_is_too_large_stays_packed(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "DEFAULT_LIMITS", Limits(max_bytes=10))
    with unlabelled_pictures(packed, None, 0) as (pictures, problems):
        assert pictures == []
    assert len(problems) == 2
    assert "cap" in problems[0]


@pytest.mark.parametrize("kind", ["folder", "tar"])
def test_a_sample_is_drawn_by_the_seed(kind: str, gallery: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "all.tar", "w") as archive:
        archive.add(gallery, ".")
    source = gallery if kind == "folder" else tmp_path / "all.tar"

    def drawn(seed: int) -> list[str]:
        with unlabelled_pictures(source, 2, seed) as (pictures, _):
            return [one.name for one in pictures]

    assert all(len(drawn(seed)) == 2 for seed in range(3))
    assert drawn(1) == drawn(1)
    assert len({tuple(drawn(seed)) for seed in range(8)}) > 1


def test_a_bad_picture_is_left_out_and_only_bad_ones_are_an_error(
    colour_captioner: ColourCaptioner, gallery: Path
) -> None:
    for colour in COLOURS:
        if colour != "red":
            (gallery / f"{colour}.jpg").write_bytes(b"no picture")
    result = evaluate_absent(colour_captioner, gallery, ["zebra"], None, seed=0)
    assert (result["pictures"], len(result["problems"])) == (1, 3)
    (gallery / "red.jpg").write_bytes(b"")
    with pytest.raises(EvaluationError, match="can be read"):
        evaluate_absent(colour_captioner, gallery, ["zebra"], None, seed=0)


def test_no_gallery_is_one_line(tmp_path: Path, packed: Path) -> None:
    (tmp_path / "notes.tar").write_text("no tar file")
    (tmp_path / "cut.tar.gz").write_bytes(packed.read_bytes()[:400])
    (tmp_path / "empty").mkdir()
    with tarfile.open(tmp_path / "empty.tar", "w"):
        pass
    expected = {"nowhere": "no such folder", "notes.tar": "cannot be read", "cut.tar.gz": "cannot be read"}
    for name, message in {**expected, "empty": "has no pictures", "empty.tar": "has no pictures"}.items():
        with (
            pytest.raises(RetroflexError, match=message) as error,
            unlabelled_pictures(tmp_path / name, None, 0),
        ):
            pass
        assert "\n" not in str(error.value)


def test_words_are_read_from_options_and_a_file(tmp_path: Path) -> None:
    file = tmp_path / "words.txt"
    file.write_text("\ufeffzebra\r\n\n  fire   truck \ncat\n", encoding="utf-8")
    assert read_words(file, ["cat", "dog"]) == ["cat", "dog", "zebra", "fire truck"]
    for content, message in ((b"\xff", "not UTF-8"), (b"\n", "no words"), (b"?!\n", "has no word")):
        file.write_bytes(content)
        with pytest.raises(RetroflexError, match=message):
            read_words(file, [])
    with pytest.raises(RetroflexError, match="No such file"):
        read_words(tmp_path / "none.txt", [])


def test_as_json(monkeypatch: pytest.MonkeyPatch, gallery: Path) -> None:
    monkeypatch.setattr(training.commands.evaluate, "_load_captioner", lambda bundle, how: ColourCaptioner())
    result = run("--pictures", gallery, "--word", "zebra", "--word", "red", "--sample", 4, "--seed", 2, "--json")
    document = json.loads(result.stdout)
    command = "retroflex evaluate absent --pictures DIR --seed 2 --words FILE --sample 4"
    assert (document["command"], document["mean_hits"]) == (command, 0.5)
    assert set(document["words"]) == {"zebra", "red"}


def test_for_people_with_a_real_captioner(tiny_bundle: Path, gallery: Path) -> None:
    result = run("--pictures", gallery, "--word", "zebra", "--word", "dog", "--bundle", tiny_bundle)
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["queries", "2"] in lines
    assert ["hits", "said", "closest"] in lines
    assert [line[0] for line in lines if line[0] in ("zebra", "dog")] == ["zebra", "dog"]
    assert isinstance(run("--pictures", gallery).exception, RetroflexError)
