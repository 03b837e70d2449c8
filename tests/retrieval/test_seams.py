"""A second encoder, registered by a test alone, is indexed, stored and searched beside VGG16."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from data.settings import load_settings
from retrieval.commands.index import index
from retrieval.commands.search import similar
from retrieval.library import Library
from retrieval.search.query import Query, QueryError, QueryImage
from tests.conftest import draw_picture
from tests.tiny_encoder import MeanColour, mean_colour


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path) -> Iterator[list[str]]:
    """The arguments that name a library of nine pictures, three of each colour, with a second kind of vectors."""
    folder = tmp_path_factory.mktemp("seams")
    (folder / "photos").mkdir()
    for number in range(9):
        colour = ("red", "green", "blue")[number % 3]
        draw_picture(folder / "photos" / f"{colour}{number}.png", colour, seed=number)
    where = ["--library", str(folder / "library"), "--bundle", str(tiny_bundle)]
    with mean_colour():
        done = CliRunner().invoke(index, [str(folder / "photos"), "--features", MeanColour.name, "--json", *where])
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["features"] == {MeanColour.name: 9}
        yield where


def opened(where: list[str]) -> Library:
    return Library.open(load_settings(library=where[1], bundle=where[3]))


def test_the_store_holds_both_kinds_and_captions_by_the_captioner_alone(colours: list[str]) -> None:
    library = opened(colours)
    models = library.store.main_models()
    assert models[MeanColour.name] == MeanColour.model_version
    assert models["vgg16"] == library.model.version
    assert library.searcher().index.models == models
    assert all(one.captions for one in library.store.pictures(range(1, 10)).values())
    library.close()


def test_the_library_is_searched_by_either_kind(colours: list[str], tmp_path: Path) -> None:
    red = draw_picture(tmp_path / "another red.png", "red", seed=77)
    found = CliRunner().invoke(similar, [str(red), "--by", MeanColour.name, "--json", "--limit", "3", *colours])
    assert found.exit_code == 0, found.output
    hits = json.loads(found.stdout)["hits"]
    assert [Path(hit["path"]).name[:3] for hit in hits] == ["red"] * 3
    assert all(set(hit["scores"]) == {MeanColour.name} for hit in hits)
    usual = CliRunner().invoke(similar, [str(red), "--json", *colours])
    assert "cosine" in json.loads(usual.stdout)["hits"][0]["scores"]


def test_a_picture_of_the_library_needs_no_encoder(colours: list[str]) -> None:
    library = opened(colours)
    described = library.description(1)
    assert described is not None
    hits = library.search(Query(like=[QueryImage(described)], by=MeanColour.name)).hits
    assert hits[0].id == 1
    assert hits[0].scores[MeanColour.name] == pytest.approx(1, abs=1e-3)
    with pytest.raises(
        QueryError, match="no vectors of the kind 'hog' in the library; there are joint, mean_colour, vgg16"
    ):
        library.search(Query(like=[QueryImage(described)], by="hog"))
    library.close()


def test_indexing_again_describes_nothing_again(colours: list[str]) -> None:
    again = CliRunner().invoke(index, ["--features", MeanColour.name, "--json", *colours])
    assert json.loads(again.stdout) | {"features": {MeanColour.name: 0}, "captioned": 0} == json.loads(again.stdout)


@pytest.mark.parametrize(("name", "message"), [("vgg61", "did you mean vgg16"), ("vgg16", "captioner's own encoder")])
def test_a_wrong_encoder_is_one_line_before_any_work(colours: list[str], name: str, message: str) -> None:
    done = CliRunner().invoke(index, ["--features", name, *colours])
    assert done.exit_code != 0
    assert message in str(done.exception)
