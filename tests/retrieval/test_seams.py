"""A second encoder, registered by a test alone, is indexed, stored and searched beside VGG16."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from captioner.encoders.registry import Family, register, unregister
from captioner.encoders.weights import trained_file
from data.errors import RetroflexError
from data.settings import load_settings
from retrieval.commands.features import features
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


@pytest.mark.parametrize("kind", ["vgg16", "alike", "joint"])
def test_a_new_picture_is_compared_by_one_of_the_captioners_kinds(
    colours: list[str], tmp_path: Path, kind: str
) -> None:
    red = draw_picture(tmp_path / "another red.png", "red", seed=77)
    found = CliRunner().invoke(similar, [str(red), "--by", kind, "--json", *colours])
    assert found.exit_code == 0, found.output
    assert [set(hit["scores"]) for hit in json.loads(found.stdout)["hits"]] == [{kind}] * 9


def test_a_picture_of_the_library_needs_no_encoder(colours: list[str]) -> None:
    library = opened(colours)
    described = library.description(1)
    assert described is not None
    hits = library.search(Query(like=[QueryImage(described)], by=MeanColour.name)).hits
    assert hits[0].id == 1
    assert hits[0].scores[MeanColour.name] == pytest.approx(1, abs=1e-3)
    with pytest.raises(
        QueryError, match="the library has no vectors of the kind 'hog'; there are alike, joint, mean_colour, vgg16"
    ):
        library.search(Query(like=[QueryImage(described)], by="hog"))
    library.close()


def test_indexing_again_describes_nothing_again(colours: list[str]) -> None:
    again = CliRunner().invoke(index, ["--features", MeanColour.name, "--json", *colours])
    assert json.loads(again.stdout) | {"features": {MeanColour.name: 0}, "captioned": 0} == json.loads(again.stdout)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--features", "mean_colour,men_colour"], "did you mean mean_colour"),
        (["--features", "vgg16"], "captioner's own encoder"),
        (["--weights", "mean_colour=/no/file"], "there is no such file"),
        (["--weights", "mean_colour"], "give NAME=FILE"),
        (["--weights", f"mean_colour={__file__}"], "needs --features mean_colour"),
        (["--features", "mean_colour", "--weights", f"mean_colour={__file__}"], "mean_colour has no weights"),
    ],
)
def test_a_wrong_encoder_is_one_line_before_any_work(colours: list[str], options: list[str], message: str) -> None:
    done = CliRunner().invoke(index, [*options, *colours])
    assert isinstance(done.exception, RetroflexError)
    assert message in str(done.exception)


def test_an_unknown_kind_offers_the_nearest_before_any_picture_is_read(colours: list[str]) -> None:
    done = CliRunner().invoke(similar, ["/no/picture.jpg", "--by", "mean_color", *colours])
    assert isinstance(done.exception, QueryError)
    assert "no vectors of the kind 'mean_color'; did you mean mean_colour?" in str(done.exception)


def test_vectors_of_another_version_are_not_compared(
    colours: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MeanColour, "model_version", "mean-colour-2")
    red = draw_picture(tmp_path / "another red.png", "red", seed=77)
    done = CliRunner().invoke(similar, [str(red), "--by", MeanColour.name, *colours])
    assert isinstance(done.exception, RetroflexError)
    assert "made by mean-colour-1, and this is mean-colour-2" in str(done.exception)
    assert "retroflex index --features mean_colour" in str(done.exception)


def test_a_new_version_describes_again_and_replaces(
    colours: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = shutil.copytree(colours[1], tmp_path / "library")
    where = ["--library", str(library), *colours[2:]]
    monkeypatch.setattr(MeanColour, "model_version", "mean-colour-2")
    again = CliRunner().invoke(index, ["--features", MeanColour.name, "--json", *where])
    assert json.loads(again.stdout)["features"] == {MeanColour.name: 9}
    assert opened(where).store.main_models()[MeanColour.name] == "mean-colour-2"


def test_a_picture_without_such_a_vector_is_told(colours: list[str]) -> None:
    library = opened(colours)
    described = library.description(1)
    assert described is not None
    bare = replace(described, vectors={"vgg16": described.vectors["vgg16"]})
    with pytest.raises(QueryError, match=r"no vector of the kind mean_colour: .* needs: retroflex index --features"):
        library.search(Query(like=[QueryImage(bare)], by=MeanColour.name))
    library.close()


def test_encoders_are_listed_with_what_they_need(colours: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    told = CliRunner().invoke(features).stdout
    assert "vgg16" in told
    assert "mean_colour" in told
    lacking = Family("lacking", MeanColour, lambda *_: MeanColour(), missing=lambda: "install it", dimension=3)
    register(lacking)
    try:
        assert "lacking" in (lines := CliRunner().invoke(features).stdout)
        assert "not ready: install it" in lines
        rows = json.loads(CliRunner().invoke(features, ["--json"]).stdout)["features"]
    finally:
        unregister("lacking")
    by_name = {row["name"]: row for row in rows}
    assert by_name["lacking"] == {
        "name": "lacking",
        "dimension": 3,
        "summary": "",
        "ready": False,
        "missing": "install it",
    }
    assert by_name["mean_colour"]["ready"]


def test_an_encoder_trained_on_a_library_is_ready_there(tmp_path: Path) -> None:
    def ready(library: str) -> bool:
        listed = json.loads(CliRunner().invoke(features, ["--json", "--library", str(tmp_path / library)]).stdout)
        return next(bool(row["ready"]) for row in listed["features"] if row["name"] == "vae")

    file = trained_file(tmp_path / "own", "vae")
    file.parent.mkdir(parents=True)
    file.touch()
    assert (ready("own"), ready("other")) == (True, False)
