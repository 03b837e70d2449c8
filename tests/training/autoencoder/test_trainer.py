"""An autoencoder is trained, stopped, resumed, and used by a library."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner, Result
from safetensors.numpy import load_file

from captioner.encoders.autoencoder import SIDE, Autoencoder
from retrieval.commands.index import index
from retrieval.commands.search import similar
from tests.conftest import draw_picture
from training.autoencoder import trainer
from training.autoencoder.model import build_autoencoder, encoder_weights
from training.commands.features import features


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(9):
        colour = ("red", "green", "blue")[number % 3]
        draw_picture(folder / f"{colour}{number}.png", colour, (64, 64), seed=number)
    (folder / "broken.png").write_text("no picture")
    return folder


@pytest.fixture(autouse=True)
def _eagerly() -> Iterator[None]:
    """A few steps take less time than to compile them."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(features, [str(one) for one in arguments])


def test_numpy_encodes_as_keras_does() -> None:
    model = build_autoencoder(3)
    squares = np.random.default_rng(4).integers(0, 256, (2, SIDE, SIDE, 3), np.uint8)
    expected = keras.Model(model.input, model.get_layer("mean").output)(squares.astype(np.float32) / 255).numpy()
    np.testing.assert_allclose(Autoencoder(encoder_weights(model), "").means(squares), expected, atol=1e-4)


def test_a_stopped_training_resumes_to_the_same_weights(
    pictures: Path, tmp_path: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "FEWEST", 9)
    whole, library = tmp_path / "whole.safetensors", tmp_path / "library"
    assert run("--pictures", pictures, "--out", whole, "--epochs", 2).exit_code == 0
    epoch = trainer._epoch

    def stopping(model: object, squares: np.ndarray, settings: trainer.Settings, number: int) -> float:
        if number == 1:
            raise KeyboardInterrupt
        return epoch(model, squares, settings, number)

    with monkeypatch.context() as context:
        context.setattr(trainer, "_epoch", stopping)
        assert run("--pictures", pictures, "--library", library, "--epochs", 2).exit_code != 0
    resumed = run("--pictures", pictures, "--library", library, "--epochs", 2)
    assert resumed.exit_code == 0, resumed.output
    assert "9 pictures" in resumed.stdout
    assert "broken.png" in resumed.stderr
    made = library / "encoders" / "vae.safetensors"
    first, second = load_file(whole), load_file(made)
    for name in first:
        np.testing.assert_allclose(first[name], second[name], atol=1e-5)
    assert json.loads(made.with_suffix(".json").read_text())["made_by"]["epochs"] == 2
    assert [one.name for one in made.parent.iterdir() if one.is_dir()] == []
    _search_by_it(pictures, library, tiny_bundle)


def _search_by_it(pictures: Path, library: Path, bundle: Path) -> None:
    where = ["--library", str(library), "--bundle", str(bundle)]
    done = CliRunner().invoke(index, [str(pictures), "--features", "vae", "--json", *where])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["features"] == {"vae": 9}
    found = CliRunner().invoke(similar, [str(pictures / "red0.png"), "--by", "vae", "--json", *where])
    assert Path(json.loads(found.stdout)["hits"][0]["path"]).name == "red0.png"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--pictures", "{pictures}"), "has 10 pictures; an autoencoder needs 50 at least"),
        (("--pictures", "{pictures}/none"), "no such folder; give one of pictures"),
        (("--pictures", "{pictures}", "--out", "weights.h5"), "ends in .safetensors"),
    ],
)
def test_bad_input_is_one_line(pictures: Path, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    given = [one.format(pictures=pictures) for one in arguments]
    assert said in str(run(*given, "--library", tmp_path / "library").exception)
    assert not (tmp_path / "library").exists()


def test_unreadable_pictures_do_not_count(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "FEWEST", 10)
    said = str(run("--pictures", pictures, "--out", tmp_path / "vae.safetensors").exception)
    assert "has 9 pictures (1 cannot be read: broken.png is not a picture" in said
    assert list(tmp_path.iterdir()) == []
