"""Decoder training on a tiny data set: it learns, resumes exactly, and ends with a bundle that loads."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from captioner.bundle import load_bundle
from captioner.captioner import Captioner
from captioner.checksums import DECODER
from data.dataset import CAPTION_FILE, PICTURE_FOLDER
from tests.conftest import COLOURS, draw_picture
from training import pipeline
from training.config import EmbedConfig, TrainConfig
from training.decoder import trainer as module
from training.inputs import EncoderSource, load_encoder_source
from training.pipeline import TrainingInputs, train_bundle
from training.relevance.whitening import Poolings
from training.texts import Texts

pytestmark = pytest.mark.usefixtures("few_steps")
CONFIG = TrainConfig(epochs=3, batch=4, rate=3e-3, min_count=1, text_encoders=1)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight train and four dev pictures in Flickr8k layout, one of each split broken or missing."""
    folder = tmp_path_factory.mktemp("flickr")
    (folder / PICTURE_FOLDER).mkdir()
    lines, splits = [], {"train": 8, "dev": 4}
    for split, count in splits.items():
        names = []
        for number in range(count):
            colour = list(COLOURS)[number % 4]
            name = draw_picture(folder / PICTURE_FOLDER / f"{split}{number}.jpg", colour, seed=number).name
            lines += [f"{name}#{place}\tA {colour} picture with {number} dots ." for place in range(5)]
            names.append(name)
        (folder / f"Flickr_8k.{split}Images.txt").write_text("\n".join(names))
    (folder / PICTURE_FOLDER / "train7.jpg").write_text("broken")
    (folder / CAPTION_FILE).write_text("\n".join([*lines, "no caption line"]))
    return folder


@pytest.fixture(scope="module")
def few_steps(small_networks: None) -> Iterator[None]:
    """Train small networks, and those for sentences in one epoch."""
    few = EmbedConfig(members=1, epochs=1, batch=4, pairs=2, text_steps=2, buckets=32, min_count=1)
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(pipeline, "_embed_config", lambda _: few)
        tf.config.run_functions_eagerly(True)  # To trace the few steps into graphs would take far longer.
        yield
        tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def trained(
    dataset: Path, tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory, few_steps: None
) -> tuple[Path, list[str]]:
    out = tmp_path_factory.mktemp("runs") / "whole"
    return train_bundle(TrainingInputs(dataset), out, load_encoder_source(str(tiny_bundle)), CONFIG)


def test_ends_with_a_bundle_that_captions(trained: tuple[Path, list[str]]) -> None:
    captioner = Captioner.load(trained[0])
    picture = np.zeros((1, captioner.input_side, captioner.input_side, 3), np.uint8)
    assert captioner.describe(picture)[0].captions
    bundle = load_bundle(trained[0])
    assert bundle.made_by["pictures"] == {"train": 8, "dev": 4}
    assert bundle.pooling is not None
    assert "retroflex train" in (trained[0] / "README.md").read_text()


def test_names_what_was_left_out(trained: tuple[Path, list[str]]) -> None:
    assert any("train7.jpg" in problem for problem in trained[1])
    assert any("no caption line" in problem for problem in trained[1])


def test_writes_curves_and_logs(trained: tuple[Path, list[str]]) -> None:
    run = trained[0].parent
    assert (run / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert len((run / "log.csv").read_text().splitlines()) == 1 + CONFIG.epochs
    assert list((run / "tensorboard").iterdir())


def test_no_further_epochs_keep_the_decoder(
    dataset: Path, tiny_bundle: Path, tmp_path: Path, trained: tuple[Path, list[str]]
) -> None:
    inputs, config = TrainingInputs(dataset, initial_bundle=trained[0]), replace(CONFIG, epochs=0, text_encoders=0)
    folder, _ = train_bundle(inputs, tmp_path / "run", load_encoder_source(str(tiny_bundle)), config)
    assert (folder / DECODER).read_bytes() == (trained[0] / DECODER).read_bytes()


@pytest.mark.slow
def test_a_stopped_run_ends_as_an_undisturbed_one(
    dataset: Path, tiny_bundle: Path, tmp_path: Path, trained: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = module.Trainer.train_teacher_forcing, []

    def stop_in_second_epoch(trainer: module.Trainer, epoch: int) -> dict[str, float]:
        learnt = real(trainer, epoch)
        calls.append(learnt)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return learnt

    monkeypatch.setattr(module.Trainer, "train_teacher_forcing", stop_in_second_epoch)
    source = load_encoder_source(str(tiny_bundle))
    with pytest.raises(KeyboardInterrupt):
        train_bundle(TrainingInputs(dataset), tmp_path / "run", source, CONFIG)
    pooling = load_bundle(trained[0]).pooling
    assert pooling is not None
    monkeypatch.setattr(EncoderSource, "build", lambda _: FrozenEncoder())
    monkeypatch.setattr(pipeline, "learn_poolings", lambda *_: Poolings(pooling))
    monkeypatch.setattr(pipeline, "calibrate_activations", lambda *_: {})
    resumed, _ = train_bundle(TrainingInputs(dataset), tmp_path / "run", source, CONFIG)
    whole, again = load_bundle(trained[0]).decoder_weights, load_bundle(resumed).decoder_weights
    for name, value in whole.items():
        np.testing.assert_allclose(again[name], value, rtol=1e-2, atol=1e-3, err_msg=name)


@pytest.mark.slow
def test_all_kinds_of_training_combine(dataset: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    config = replace(CONFIG, epochs=2, average=0.9, own_words=0.5, tune_epochs=2, critic_epochs=2, distinction=0.3)
    config = replace(config, tune_rate=1e-3, views=1, bits=4, text_epochs=1)
    spoken = [[f"a {colour} picture with dots".split()] * 3 for colour in COLOURS]
    german = {f"train{number}.jpg": [[["ein", "bild"]]] for number in range(4)}
    inputs = TrainingInputs(dataset, also=dataset, texts=Texts(german, spoken, spoken))
    folder, _ = train_bundle(inputs, tmp_path / "run", load_encoder_source(str(tiny_bundle)), config)
    assert Captioner.load(folder).warm_up()
    bundle = load_bundle(folder)
    assert bundle.made_by["pictures"] == {"train": 8 + 12, "dev": 4}
    assert bundle.embedding is not None
    assert "bild" in bundle.embedding.vocabulary.words
    assert len(bundle.further_decoders) == 1
    run = tmp_path / "run"
    epochs = [len(_rows(run / name / "log.csv")) for name in (".", "tuned", "again", "critic")]
    assert epochs == [1 + 2, 2, 1 + 1, 1 + 2]
    # Written when an epoch of fine-tuning beats the decoder from before, as its bundle rounds it.
    improved = (run / "tuned" / "best.safetensors").exists()
    assert bundle.made_by["encoder"].endswith("fine-tuned") == improved


def _rows(log: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(log.read_text().splitlines()))


class FrozenEncoder:
    """Fails to encode: a resumed run must read its features from disk."""

    def encode(self, pictures: np.ndarray) -> None:
        raise AssertionError("features were encoded twice")
