"""A captioner on another encoder than VGG16: trained on a tiny data set, it captions, indexes and finds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import load_file

from captioner.bundle import load_bundle
from captioner.captioner import Captioner
from captioner.checksums import ENCODER
from captioner.encoders import weights
from captioner.encoders.efficientnet_lite import Lite0Config
from data.dataset import CAPTION_FILE, PICTURE_FOLDER
from data.errors import RetroflexError
from retrieval.commands.index import index
from retrieval.commands.search import search, similar
from tests.captioner.encoders.tiny_lite import CHANNELS, random_tensors, shrink
from tests.captioner.encoders.torch_writer import write_torch
from tests.conftest import COLOURS, draw_picture
from tests.tiny_encoder import mean_colour
from training import pipeline
from training.config import EmbedConfig, TrainConfig
from training.inputs import load_encoder_source
from training.pipeline import TrainingInputs, train_bundle

NAME = Lite0Config.name
CONFIG = TrainConfig(epochs=1, batch=4, min_count=1, text_encoders=1)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Four train and four dev pictures in Flickr8k layout, of four colours."""
    folder = tmp_path / "flickr"
    (folder / PICTURE_FOLDER).mkdir(parents=True)
    lines = []
    for split in ("train", "dev"):
        files = [draw_picture(folder / PICTURE_FOLDER / f"{split}-{colour}.png", colour) for colour in COLOURS]
        lines += [f"{one.name}#{place}\tA {one.stem[-5:]} picture ." for one in files for place in range(5)]
        (folder / f"Flickr_8k.{split}Images.txt").write_text("\n".join(one.name for one in files))
    (folder / CAPTION_FILE).write_text("\n".join(lines))
    return folder


@pytest.fixture(autouse=True)
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of weights of a tiny network, whose family is tiny for the test; a cache of the test's own."""
    shrink(monkeypatch)
    monkeypatch.setattr(weights, "user_cache_path", lambda *_, **__: tmp_path / "cache")
    return write_torch(tmp_path / "tiny.pth", random_tensors(Lite0Config()))


@pytest.mark.usefixtures("untraced")
def test_a_captioner_on_another_encoder_works_from_end_to_end(
    dataset: Path, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "_embed_config", lambda _: EmbedConfig(members=1, epochs=1, batch=4, min_count=1))
    monkeypatch.setattr(pipeline, "plot_curves", lambda *_: None)
    source = load_encoder_source(NAME, {"side": 32}, weights=tiny)
    folder, problems = train_bundle(TrainingInputs(dataset), tmp_path / "run", source, CONFIG)
    assert problems == []
    bundle = load_bundle(folder)
    assert (bundle.encoder, bundle.decoder.grid_channels) == (Lite0Config(32), CHANNELS)
    assert bundle.version.startswith(f"{NAME}-lstm-")
    assert NAME in (folder / "README.md").read_text()
    kernels = {name: one.dtype for name, one in load_file(folder / ENCODER).items() if name.endswith("/kernel")}
    assert set(kernels.values()) == {np.dtype(np.int8)}
    described = Captioner.load(folder).describe(np.zeros((1, 32, 32, 3), np.uint8))[0]
    assert described.captions
    assert set(described.vectors) == {NAME, "joint"}
    where = ["--library", str(tmp_path / "library"), "--bundle", str(folder)]
    pictures = dataset / PICTURE_FOLDER
    assert CliRunner().invoke(index, [str(pictures), *where]).exit_code == 0
    found = CliRunner().invoke(similar, [str(pictures / "dev-red.png"), "--json", *where])
    assert Path(json.loads(found.stdout)["hits"][0]["path"]).name in ("dev-red.png", "train-red.png")
    assert CliRunner().invoke(search, ["picture", "--all", *where]).exit_code == 0


def test_the_encoder_of_a_bundle_can_be_trained_on_again(dataset: Path, tiny: Path, tmp_path: Path) -> None:
    source = load_encoder_source(NAME, {"side": 32}, weights=tiny)
    features = source.build().encode(np.full((1, 32, 32, 3), 90, np.uint8))
    assert features.grids is not None
    assert features.grids.shape == (1, source.config.cells, source.config.channels)
    kept = load_encoder_source(NAME)
    assert kept.config.side == 224
    for name, value in source.weights.items():
        np.testing.assert_array_equal(kept.weights[name], value)


def test_what_cannot_be_trained_is_one_line(dataset: Path, tiny: Path, tmp_path: Path) -> None:
    with mean_colour(), pytest.raises(RetroflexError, match=r"mean_colour makes no grid .* these do: .*vgg16"):
        load_encoder_source("mean_colour")
    with pytest.raises(RetroflexError, match="did you mean efficientnet_lite0"):
        load_encoder_source("eficientnet_lite0")
    with pytest.raises(RetroflexError, match="efficientnet_lite0 cannot be changed by --layer"):
        load_encoder_source(NAME, {"layer": "block5_pool"}, weights=tiny)
    with pytest.raises(RetroflexError, match="--weights goes with the name of an encoder"):
        load_encoder_source("bundled", weights=tiny)
    source = load_encoder_source(NAME, {"side": 32}, weights=tiny)
    tuned = TrainConfig(epochs=1, min_count=1, tune_epochs=1)
    with pytest.raises(RetroflexError, match="--fine-tune trains the last block of VGG16 only; leave it out for eff"):
        train_bundle(TrainingInputs(dataset), tmp_path / "run", source, tuned)
