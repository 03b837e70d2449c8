"""Faces on the command line, end to end with the networks that ship."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from captioner.faces import finder
from data.errors import RetroflexError
from data.faces.records import Box
from retrieval.commands.index_faces import check_faces_option
from retrieval.commands.progress import Lines, counting_faces
from tests.conftest import draw_picture
from tests.drawn_faces import photographs, real_faces
from tests.test_commands import Call, caller, one_line


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path) -> tuple[Call, dict[str, Path]]:
    """A library of three photographs of faces, and one without; the small one is not in it."""
    folder = tmp_path_factory.mktemp("known")
    paths = photographs(folder)
    (folder / "photos").mkdir()
    there = {
        name: paths[name].rename(folder / "photos" / paths[name].name) for name in ("astronaut", "admiral", "both")
    }
    there["grass"] = draw_picture(folder / "photos" / "grass.png", "green")
    call = caller(folder / "library", tiny_bundle)
    done = call("index", "--faces", folder / "photos", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["faces"] == {"pictures": 4, "faces": 4, "unreadable": []}
    return call, {**there, "small": paths["small"]}


def hits(done: Any) -> dict[str, list[float]]:
    assert done.returncode == 0, done.stderr
    return {Path(hit["path"]).stem: hit["face"]["box"] for hit in json.loads(done.stdout)["hits"]}


@real_faces
def test_a_photograph_from_elsewhere_finds_the_person(known: tuple[Call, dict[str, Path]]) -> None:
    call, paths = known
    found = hits(call("similar", "--face", paths["small"], "--json"))
    assert found.keys() == {"astronaut", "both"}
    assert Box(*found["astronaut"]).overlap(Box(0.36, 0.12, 0.52, 0.33)) > 0.7


@real_faces
def test_a_film_from_elsewhere_finds_a_person_in_it(known: tuple[Call, dict[str, Path]]) -> None:
    pytest.importorskip("av")
    call, paths = known
    scenes = [Image.open(paths[name]).resize((300, 300)) for name in ("grass", "admiral")]
    film = paths["small"].with_name("clip.webp")
    scenes[0].save(film, save_all=True, append_images=scenes[1:], duration=2000)
    done = call("similar", "--face", film, "--json")
    assert hits(done).keys() == {"admiral", "both"}
    assert json.loads(done.stdout)["query"]["face"]["time"] == 2


@real_faces
def test_the_largest_face_counts_unless_another_is_asked_for(known: tuple[Call, dict[str, Path]]) -> None:
    call, paths = known
    done = call("similar", "--face", paths["both"], "--json")
    assert hits(done).keys() == {"admiral", "both"}
    assert done.stderr == (
        f"retroflex: {paths['both']} has 2 faces; searched for the largest; --face-number takes the others: 2\n"
    )
    assert hits(call("similar", "--face-number", 2, paths["both"], "--json")).keys() == {"astronaut", "both"}
    shown = call("similar", "--face", paths["astronaut"], "--limit", 1, "--explain")
    assert "face 1.000" in shown.stdout
    assert "1 of 2 hits" in shown.stdout


@real_faces
def test_a_later_run_goes_on_and_can_be_told_not_to(known: tuple[Call, dict[str, Path]]) -> None:
    call, _ = known
    assert "faces: 0 found in 0 pictures" in call("index").stdout
    assert "faces" not in call("index", "--no-faces").stdout
    assert "faces" not in call("index").stdout
    assert json.loads(call("index", "--faces", "--json").stdout)["faces"]["pictures"] == 0


@real_faces
def test_what_cannot_be_done_is_said_in_one_line(known: tuple[Call, dict[str, Path]]) -> None:
    call, paths = known
    one_line(call("similar", "--face", paths["grass"]), "no face is found in", "use a larger or clearer picture")
    one_line(call("similar", "--face-number", 3, paths["both"]), "has 2 faces, so there is no face 3")
    one_line(call("similar", "--face", paths["both"].parent / "none.jpg"), "none.jpg cannot be read: No such file")
    assert "--face needs one picture" in call("similar", "--face").stderr
    assert "--face needs one picture" in call("similar", "--face", paths["both"], "--by", "vgg16").stderr


def test_a_library_without_faces_says_how_to_find_them(tmp_path: Path, tiny_bundle: Path) -> None:
    call = caller(tmp_path / "library", tiny_bundle)
    picture = draw_picture(tmp_path / "one.png", "red")
    assert call("index", picture).returncode == 0
    one_line(call("similar", "--face", picture), "the library has no faces yet; find them: retroflex index --faces")


def test_a_missing_package_is_named_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finder, "find_spec", lambda name: None if name == "dlib" else object())
    with pytest.raises(RetroflexError, match=r"^faces need dlib-bin: pip install '\.\[faces\]'$"):
        check_faces_option(True)
    check_faces_option(None)
    check_faces_option(False)


@real_faces
def test_people_are_named_searched_by_words_changed_and_forgotten(
    known: tuple[Call, dict[str, Path]], tmp_path: Path, tiny_bundle: Path
) -> None:
    shutil.copytree(known[1]["small"].parent / "library", tmp_path / "library")
    call = caller(tmp_path / "library", tiny_bundle)
    listed = json.loads(call("faces", "list", "--json").stdout)["people"]
    assert [(one["faces"], one["pictures"], one["name"]) for one in listed] == [(2, 2, None), (2, 2, None)]
    first, second = (str(one["id"]) for one in listed)
    shown = json.loads(call("faces", "show", first, "--json").stdout)["listed"]
    assert {Path(one["path"]).stem for one in shown} == {"astronaut", "both"}
    assert call("faces", "name", first, "Eileen Collins").stdout == f"group {first} is now Eileen Collins: 2 faces\n"
    result = json.loads(call("search", "eileen", "--json").stdout)
    assert {Path(hit["path"]).stem for hit in result["hits"]} == {"astronaut", "both"}
    assert result["hits"][0]["matched"] == [{"field": "person", "text": "Eileen Collins"}]
    assert call("faces", "merge", "Eileen Collins", second).stdout == "Eileen Collins has 4 faces now\n"
    assert call("faces", "undo").stdout == f"undone: {second} merged into Eileen Collins\n"
    assert call("faces", "split", "eileen collins", shown[0]["id"]).returncode == 0
    assert call("faces", "hide", "Eileen Collins").stdout == "Eileen Collins is hidden\n"
    assert "Eileen" not in call("faces", "list").stdout
    assert "Eileen Collins  1 face in 1 picture  (hidden)" in call("faces", "list", "--hidden").stdout
    assert call("faces", "hide", "--show", "Eileen Collins").stdout == "Eileen Collins is shown\n"
    one_line(call("faces", "name", "Dora", "Eve"), "no person or group Dora", "retroflex faces list")
    one_line(call("faces", "name", second, "eileen collins"), "retroflex faces merge")
    assert call("faces", "forget").returncode != 0  # nobody said yes
    forgotten = call("faces", "forget", "--yes").stdout
    assert forgotten.startswith("forgotten: 4 faces with their vectors, 3 groups")
    one_line(call("faces", "list"), "the library has no faces yet")
    assert call("faces", "undo").stdout == "there is nothing to undo\n"
    written = b"".join(path.read_bytes() for path in (tmp_path / "library").rglob("*") if path.is_file())
    assert b"Eileen" not in written
    assert "faces" not in call("index").stdout


def test_programs_get_a_line_for_every_step_of_faces(capsys: pytest.CaptureFixture[str]) -> None:
    with counting_faces(Lines) as show:
        show(3, 8)
    assert json.loads(capsys.readouterr().out) == {"faces_done": 3, "faces_total": 8}
