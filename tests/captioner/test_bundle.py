"""Bundles come back as they were saved, and damage is one clear error."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from captioner.bundle import load_bundle, load_search_model, save_bundle
from captioner.calibration import FORMAT_1_LIKENESS, Calibration
from captioner.checksums import CALIBRATION, FILES, OPTIONAL, bundle_version, version_of
from captioner.embedding import TextEmbedder
from captioner.errors import BundleError
from data.errors import RetroflexError


@pytest.fixture
def copy(tiny_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))


def test_saves_and_loads_again(copy: Path, tmp_path: Path) -> None:
    bundle = load_bundle(copy)
    save_bundle(bundle, tmp_path / "again", lambda _: "another card")
    again = load_bundle(tmp_path / "again")
    assert again.version == bundle.version == bundle_version(copy)
    assert again.vocabulary.words == bundle.vocabulary.words
    assert again.activations == bundle.activations != {}
    for name, value in bundle.encoder_weights.items():
        np.testing.assert_allclose(again.encoder_weights[name], value, rtol=1e-6)


def test_overwrites_an_older_bundle_whole(copy: Path) -> None:
    (copy / "stray").write_text("left over")
    save_bundle(load_bundle(copy), copy, lambda version: f"# {version}\n")
    assert (copy / "README.md").read_text() == f"# {bundle_version(copy)}\n"
    assert sorted(path.name for path in copy.iterdir()) == sorted([*FILES, *OPTIONAL, CALIBRATION, "checksums.json"])


@pytest.mark.parametrize("name", [*FILES, *OPTIONAL, CALIBRATION])
def test_a_changed_file_is_named(copy: Path, name: str) -> None:
    with (copy / name).open("r+b") as file:
        file.seek(0, 2)
        file.write(b" ")
    with pytest.raises(BundleError, match=f"{name} does not match its checksum"):
        load_bundle(copy)


@pytest.mark.parametrize("name", [*FILES, *OPTIONAL, "checksums.json"])
def test_a_missing_file_is_one_line(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(BundleError) as caught:
        load_bundle(copy)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_search_model_can_be_loaded_alone(copy: Path, tmp_path: Path) -> None:
    bundle = load_bundle(copy)
    assert bundle.embedding is not None
    whole = TextEmbedder(bundle.embedding.config, bundle.embedding.weights, bundle.embedding.vocabulary)
    (copy / "encoder.safetensors").unlink()
    alone = load_search_model(copy)
    assert (alone.version, alone.encoder, alone.calibration) == (bundle.version, "vgg16", bundle.calibration)
    assert alone.embedder is not None
    np.testing.assert_array_equal(alone.embedder.embed(["dog"]), whole.embed(["dog"]))
    assert alone.likelihood is not None
    save_bundle(replace(bundle, embedding=None, version=""), tmp_path / "without", lambda _: "")
    without = load_search_model(tmp_path / "without")
    assert (without.embedder, without.calibration) == (None, bundle.calibration)
    assert load_bundle(tmp_path / "without").embedding is None


def test_a_damaged_text_encoder_is_named(copy: Path) -> None:
    (copy / OPTIONAL[1]).write_bytes(b"nothing")
    with pytest.raises(BundleError, match="does not match its checksum"):
        load_search_model(copy)


def test_another_calibration_is_the_same_model(copy: Path, tmp_path: Path) -> None:
    bundle = load_bundle(copy)
    save_bundle(replace(bundle, calibration=Calibration(near_copy=0.6)), tmp_path / "again", lambda _: "")
    again = load_bundle(tmp_path / "again")
    assert again.calibration.near_copy == 0.6
    assert again.version == bundle.version == bundle_version(copy)
    save_bundle(replace(bundle, version="", activations={}), tmp_path / "changed", lambda _: "")
    assert bundle_version(tmp_path / "changed") != bundle.version


def test_a_bundle_of_format_1_is_read_under_its_old_name(copy: Path) -> None:
    bundle = load_bundle(copy)
    config = json.loads((copy / "config.json").read_text())
    relevance = {"words": bundle.calibration.words, "second look": {"logprob": 0.5}, "unsaid": {"share": -0.6}}
    encoder = {name: value for name, value in config["encoder"].items() if name != "name"}
    older = {**config, "format": 1, "encoder": encoder, "relevance": relevance}
    del older["model_version"]
    (copy / "config.json").write_text(json.dumps(older))
    (copy / CALIBRATION).unlink()
    sign(copy)
    expected = Calibration(
        bundle.calibration.words, {"logprob": 0.5}, unsaid=-0.6, picture=FORMAT_1_LIKENESS, near_copy=0.75
    )
    found = load_bundle(copy)
    assert found.calibration == load_search_model(copy).calibration == expected
    assert found.encoder == bundle.encoder
    recorded = json.loads((copy / "checksums.json").read_text())
    assert found.version == bundle_version(copy) == version_of(recorded)


def test_encoder_and_decoder_of_different_bundles(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    config["decoder"]["grid_channels"] = 7
    (copy / "config.json").write_text(json.dumps(config))
    sign(copy)
    with pytest.raises(BundleError, match="encoder and decoder do not belong together"):
        load_bundle(copy)


def test_an_unknown_encoder_is_named_with_the_nearest(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    config["encoder"]["name"] = "vgg166"
    (copy / "config.json").write_text(json.dumps(config))
    sign(copy)
    with pytest.raises(RetroflexError, match="no encoder is called 'vgg166'; did you mean vgg16"):
        load_bundle(copy)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no captioner bundle there"):
        load_bundle(tmp_path / "nowhere")


def test_vocabulary_of_another_bundle(copy: Path) -> None:
    words = json.loads((copy / "vocabulary.json").read_text())
    (copy / "vocabulary.json").write_text(json.dumps(words[:-1]))
    sign(copy)
    with pytest.raises(BundleError, match="do not belong together"):
        load_bundle(copy)


def test_newer_format(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "format": 99}))
    sign(copy)
    with pytest.raises(BundleError, match="format 99 is not known"):
        load_bundle(copy)


@pytest.mark.parametrize("text", ["[1, 2]", '{"block1_conv1": "large"}', "null"])
def test_activations_that_are_no_numbers_by_name(copy: Path, text: str) -> None:
    (copy / "activations.json").write_text(text)
    sign(copy)
    with pytest.raises(BundleError, match="the bundle cannot be read"):
        load_bundle(copy)


def sign(folder: Path) -> None:
    """Write checksums that match, as someone who edits a bundle by hand might."""
    names = [name for name in (*FILES, *OPTIONAL, CALIBRATION) if (folder / name).exists()]
    sums = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    (folder / "checksums.json").write_text(json.dumps(sums))
