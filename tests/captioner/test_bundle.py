"""Bundles come back as they were saved, and damage is one clear error."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from captioner.bundle import load_bundle, load_text_model, save_bundle
from captioner.checksums import FILES, OPTIONAL, bundle_version
from captioner.embedding import TextEmbedder
from captioner.errors import BundleError


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
    assert sorted(path.name for path in copy.iterdir()) == sorted([*FILES, *OPTIONAL, "checksums.json"])


@pytest.mark.parametrize("name", [*FILES, *OPTIONAL])
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


def test_the_text_encoder_can_be_loaded_alone(copy: Path, tmp_path: Path) -> None:
    bundle = load_bundle(copy)
    assert bundle.embedding is not None
    whole = TextEmbedder(bundle.embedding.config, bundle.embedding.weights, bundle.embedding.vocabulary)
    (copy / "encoder.safetensors").unlink()
    alone = load_text_model(copy)
    assert alone is not None
    assert (alone.version, alone.relevance) == (bundle.version, bundle.relevance)
    np.testing.assert_array_equal(alone.embedder.embed(["dog"]), whole.embed(["dog"]))
    save_bundle(replace(bundle, embedding=None), tmp_path / "without", lambda _: "")
    assert load_text_model(tmp_path / "without") is None
    assert load_bundle(tmp_path / "without").embedding is None


def test_a_damaged_text_encoder_is_named(copy: Path) -> None:
    (copy / OPTIONAL[1]).write_bytes(b"nothing")
    with pytest.raises(BundleError, match="does not match its checksum"):
        load_text_model(copy)


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
    sums = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in (*FILES, *OPTIONAL)}
    (folder / "checksums.json").write_text(json.dumps(sums))
