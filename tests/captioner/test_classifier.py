"""Classifiers on disk, and what they say of vectors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from captioner.classifier import Classifier, classifier_folders, folder_of, load_classifier, save_classifier
from data.errors import RetroflexError


@pytest.fixture
def classifier() -> Classifier:
    random = np.random.default_rng(0)
    numbers = random.normal(size=5), random.normal(size=(5, 3)), random.normal(size=3)
    sources = {"one": "one-1", "two": "two-1"}
    return Classifier("Größe/../x", sources, ["S", "M", "L"], *(part.astype(np.float32) for part in numbers), {"n": 1})


def vectors(count: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(1)
    return {"one": random.normal(size=(count, 2)), "two": random.normal(size=(count, 3))}


def test_probabilities_are_softmax_of_linear_scores_of_unit_vectors(classifier: Classifier) -> None:
    given = vectors(4)
    found = classifier.probabilities(given)
    for row in range(4):
        joined = np.concatenate([own[row] / np.linalg.norm(own[row]) for own in given.values()])
        scores = np.exp((joined - classifier.centre) @ classifier.weights + classifier.bias)
        np.testing.assert_allclose(found[row], scores / scores.sum(), rtol=1e-5)
    given["two"][2] = 0
    assert classifier.probabilities(given)[2].tolist() == [0, 0, 0]


def test_it_belongs_to_the_models_of_its_vectors(classifier: Classifier) -> None:
    assert classifier.belongs_to({"one": "one-1", "two": "two-1", "three": "x"})
    assert not classifier.belongs_to({"one": "one-1", "two": "two-2"})
    assert not classifier.belongs_to({"one": "one-1"})


def test_it_is_read_as_it_was_written(classifier: Classifier, tmp_path: Path) -> None:
    folder = save_classifier(classifier, tmp_path)
    assert classifier_folders(tmp_path) == [folder]
    assert folder.parent == tmp_path / "classes"
    read = load_classifier(folder)
    assert (read.field, read.sources, read.classes, read.made_by) == (
        classifier.field,
        classifier.sources,
        classifier.classes,
        {"n": 1},
    )
    assert read.model_version == classifier.model_version
    np.testing.assert_array_equal(read.probabilities(vectors(2)), classifier.probabilities(vectors(2)))


def test_fields_whose_names_differ_in_signs_have_folders_of_their_own(tmp_path: Path) -> None:
    names = ("a/b", "a b", "a.b", "..", ".", "Ä", "Ö", "x" * 64)
    folders = {folder_of(tmp_path, name) for name in names}
    assert len(folders) == len(names)
    assert {folder.parent for folder in folders} == {tmp_path / "classes"}


@pytest.mark.parametrize("change", ["text", "numbers", "list", "missing", "other"])
def test_damage_is_one_line(classifier: Classifier, tmp_path: Path, change: str) -> None:
    folder = save_classifier(classifier, tmp_path)
    config = folder / "classifier.json"
    document = json.loads(config.read_text())
    match change:
        case "text":
            config.write_text("{")
        case "numbers":
            (folder / "classifier.safetensors").write_bytes(b"no tensors")
        case "list":
            config.write_text("[1]")
        case "missing":
            config.write_text(json.dumps({name: document[name] for name in document if name != "classes"}))
        case "other":
            config.write_text(json.dumps(document | {"classes": ["S", "M", "XL"]}))
    with pytest.raises(RetroflexError, match="train it again") as raised:
        load_classifier(folder)
    assert "\n" not in str(raised.value)
