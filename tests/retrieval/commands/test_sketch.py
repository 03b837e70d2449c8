"""`retroflex similar --sketch`: drawn outlines find pictures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image, ImageDraw

from retrieval.commands.index import index
from retrieval.commands.search import similar

pytest.importorskip("cv2")

SHAPES = {"round": (20, 20, 100, 100), "tall": (45, 8, 75, 112), "wide": (8, 45, 112, 75), "small": (5, 5, 40, 40)}


def drawn(path: Path, name: str, fill: str | None, ink: str | None = None) -> Path:
    image = Image.new("RGB", (120, 120), "white")
    pencil = ImageDraw.Draw(image)
    shape = pencil.ellipse if name == "round" else pencil.rectangle
    shape(SHAPES[name], fill, ink, 2)
    image.save(path)
    return path


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path) -> list[str]:
    """The arguments that name a library of four pale shapes with outlines."""
    folder = tmp_path_factory.mktemp("shapes")
    (folder / "photos").mkdir()
    for name in SHAPES:
        drawn(folder / "photos" / f"{name}.png", name, "#f2f2ee")
    arguments = ["--library", str(folder / "library"), "--bundle", str(tiny_bundle)]
    done = CliRunner().invoke(index, [str(folder / "photos"), "--features", "sketch", *arguments])
    assert done.exit_code == 0, done.output
    return arguments


def search(*arguments: object) -> Result:
    return CliRunner().invoke(similar, [str(one) for one in arguments])


@pytest.mark.parametrize("name", SHAPES)
def test_a_sketch_finds_what_it_outlines(where: list[str], tmp_path: Path, name: str) -> None:
    sketch = drawn(tmp_path / "sketch.png", name, None, "black")
    found = search("--sketch", sketch, "--json", *where)
    assert found.exit_code == 0, found.output
    hits = json.loads(found.stdout)["hits"]
    assert Path(hits[0]["path"]).stem == name
    assert set(hits[0]["scores"]) == {"sketch"}


def test_an_empty_sketch_is_refused(where: list[str], tmp_path: Path) -> None:
    Image.new("RGB", (50, 50), "white").save(tmp_path / "empty.png")
    assert "as an empty sketch" in str(search("--sketch", tmp_path / "empty.png", *where).exception)


def test_what_is_no_picture_is_refused(where: list[str], tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("no picture")
    assert "not a picture" in str(search("--sketch", tmp_path / "notes.png", *where).exception)


def test_a_library_without_outlines_says_how_to_add_them(tmp_path: Path, tiny_bundle: Path) -> None:
    photo = drawn(tmp_path / "a.png", "tall", "red")
    arguments = ["--library", str(tmp_path / "library"), "--bundle", str(tiny_bundle)]
    assert CliRunner().invoke(index, [str(photo), *arguments]).exit_code == 0
    said = str(search("--sketch", photo, *arguments).exception)
    assert said == "the library has no outlines for a sketch yet; run: retroflex index --features sketch"


@pytest.mark.parametrize("arguments", [(), ("a.png", "--sketch", "b.png"), ("--sketch", "b.png", "--by", "vgg16")])
def test_one_picture_or_one_sketch(arguments: tuple[str, ...]) -> None:
    result = search(*arguments)
    assert result.exit_code == 2
    assert "give one picture, or a sketch" in result.stderr
