"""A classifier of a library's own pictures: linear in stored vectors, so that no picture is decoded for it.

Each is of one field of the catalogue. A folder holds it: classifier.json says of which field, kinds of vectors and
model versions it is, and what it was worth on pictures held out; classifier.safetensors has the numbers.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as made_of
from pathlib import Path
from typing import Any

import numpy as np

from captioner.arithmetic import unit
from captioner.learned import VERSION, Damaged, load_learned, save_learned, version_of
from data.errors import RetroflexError

FOLDER = "classes"
"""The folder of a library that has its classifiers."""
FILES = "classifier"


@dataclass(frozen=True, eq=False)
class Classifier:
    """Says which of `classes` (k) a picture has in `field`: softmax of (x - centre) @ weights + bias.

    x (d,) are the unit vectors of the kinds of `sources`, side by side; `sources` has the model version of each kind.
    `centre` (d,), `weights` (d, k) and `bias` (k,) are float32, calibrated already. `made_by` says how it was trained
    and what it is worth.
    """

    field: str
    sources: Mapping[str, str]
    classes: Sequence[str]
    centre: np.ndarray
    weights: np.ndarray
    bias: np.ndarray
    made_by: Mapping[str, Any] = made_of(default_factory=dict)

    @property
    def model_version(self) -> str:
        """The name of its numbers and of what they belong to."""
        texts = (self.field, *self.sources, *self.sources.values(), *self.classes)
        return version_of(FILES, *texts, self.centre, self.weights, self.bias)

    def belongs_to(self, models: Mapping[str, str]) -> bool:
        """Return whether vectors by these model versions, by kind, are those that it was trained on."""
        return all(models.get(kind) == version for kind, version in self.sources.items())

    def probabilities(self, vectors: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the probability of each class, float64 (n, k), for vectors (n, d) by kind.

        A picture that lacks a kind, whose vector is zeros, has only zeros.
        """
        joined = side_by_side([vectors[kind] for kind in self.sources])
        there = np.all([np.any(vectors[kind], axis=1) for kind in self.sources], axis=0)
        scores = ((joined - self.centre) @ self.weights + self.bias).astype(np.float64)
        return np.where(there[:, None], softmax(scores), 0.0)


def side_by_side(vectors: Sequence[np.ndarray]) -> np.ndarray:
    """Return the unit vectors of several kinds, (n, d) each, joined to float32 (n, sum of d)."""
    return np.concatenate([np.asarray(unit(np.asarray(one, np.float32)), np.float32) for one in vectors], axis=1)


def softmax(scores: np.ndarray) -> np.ndarray:
    """Return softmax over the last axis."""
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


def folder_of(library: Path, name: str) -> Path:
    """Return the folder of the classifier of a field, whatever characters its name has."""
    readable = re.sub(r"[^A-Za-z0-9]+", "_", name)[:40]
    return library / FOLDER / f"{readable}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def save_classifier(classifier: Classifier, library: Path) -> Path:
    """Write a classifier to the library's folder, replacing that of its field; return its folder. Raise OSError."""
    folder = folder_of(library, classifier.field)
    document = {
        VERSION: classifier.model_version,
        "field": classifier.field,
        "sources": dict(classifier.sources),
        "classes": list(classifier.classes),
        "made_by": dict(classifier.made_by),
    }
    tensors = {name: getattr(classifier, name) for name in ("centre", "weights", "bias")}
    save_learned(folder, FILES, tensors, document)
    return folder


def classifier_folders(library: Path) -> list[Path]:
    """Return the folders of a library's classifiers, sorted."""
    return sorted(path.parent for path in (library / FOLDER).glob(f"*/{FILES}.json"))


def load_classifier(folder: Path) -> Classifier:
    """Read a classifier. Raise RetroflexError, one line, for one that is damaged."""
    try:
        tensors, document = load_learned(folder, FILES)
        sources = {str(kind): str(version) for kind, version in dict(document["sources"]).items()}
        numbers = tensors["centre"], tensors["weights"], tensors["bias"]
        classes = [str(one) for one in document["classes"]]
        classifier = Classifier(str(document["field"]), sources, classes, *numbers, made_by=document["made_by"])
        sound = document.get(VERSION) == classifier.model_version
    except (Damaged, KeyError, TypeError, ValueError) as error:
        raise RetroflexError(f"the classifier in {folder.name} is damaged ({error}); train it again") from error
    if not sound:
        raise RetroflexError(f"the classifier in {folder.name} is damaged: its numbers are others; train it again")
    return classifier
