"""The two judgements of search by picture: are copies found again, and is what is found of the same kind?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from captioner.encoders.base import Features
from data.captioned import Dataset
from data.pictures import SUFFIXES
from training.encoding import Change, Encoded, encode_files
from training.judging.evaluate import EvaluationError
from training.judging.labelled import Labelled, precision_at_nearest
from training.judging.protocol import ranks_of, recall_at
from training.judging.transformations import TRANSFORMATIONS, transformed


class Encodes(Protocol):
    """Whatever gives pictures vectors; `captioner.captioner.Captioner` does."""

    @property
    def model_version(self) -> str: ...

    @property
    def input_side(self) -> int: ...

    def encode(self, pictures: np.ndarray) -> Features:
        """Encode uint8 RGB pictures (n, input_side, input_side, 3)."""


def evaluate_copies(captioner: Encodes, dataset: Dataset, seed: int) -> dict[str, Any]:
    """Look for every picture of the split by each of its copies, by cosine, among all pictures of its folder.

    Returns the facts of the run and `recall_at_1`, percent by transformation, and their `average`. `seed` decides
    what is drawn in a transformation, and ties. Raises EvaluationError when no picture can be read.
    """
    started = time.monotonic()
    files = _gallery(dataset)
    gallery = _vectors(captioner, files, "gallery")
    places = {files[row]: place for place, row in enumerate(gallery.rows)}
    queries = [one.path for one in dataset.pictures if one.path in places]
    if not queries:
        raise EvaluationError(f"no picture of the {dataset.split} split can be read ({gallery.problems[0]})")
    targets = np.asarray([places[path] for path in queries])
    recalls = {}
    for name in TRANSFORMATIONS:
        copies = _vectors(captioner, queries, name, partial(transformed, name=name, seed=seed))
        recalls[name] = _recall_at_1(copies.values, gallery.values, targets[copies.rows], seed)
    return {
        "task": "copies",
        "split": dataset.split,
        "model_version": captioner.model_version,
        "pictures": len(queries),
        "gallery": len(gallery.rows),
        "seed": seed,
        "problems": [*dataset.problems, *gallery.problems],
        "recall_at_1": {**recalls, "average": float(np.mean(list(recalls.values())))},
        "seconds": round(time.monotonic() - started, 1),
    }


def evaluate_similar(captioner: Encodes, labelled: Labelled, seed: int) -> dict[str, Any]:
    """Take every picture as a query: of the ten nearest others by cosine, how many are of its class?

    Returns the facts of the run and `precision_at_10`, percent by class, and the classes' `mean`. Raises
    EvaluationError when a class has not two readable pictures.
    """
    started = time.monotonic()
    encoded = _vectors(captioner, labelled.files, "encoding")
    labels = np.asarray(labelled.labels)[encoded.rows]
    for name in labelled.classes:
        if np.count_nonzero(labels == name) < 2:
            raise EvaluationError(f"class {name} has fewer than two readable pictures, so nothing can be found in it")
    shares = 100 * precision_at_nearest(encoded.values, labels)
    precisions = {name: float(shares[labels == name].mean()) for name in labelled.classes}
    return {
        "task": "similar",
        "model_version": captioner.model_version,
        "pictures": len(labels),
        "classes": len(precisions),
        "seed": seed,
        "problems": encoded.problems,
        "precision_at_10": {**precisions, "mean": float(np.mean(list(precisions.values())))},
        "seconds": round(time.monotonic() - started, 1),
    }


def _vectors(captioner: Encodes, files: Sequence[Path], title: str, change: Change | None = None) -> Encoded:
    return encode_files(lambda pictures: captioner.encode(pictures).vectors, captioner.input_side, files, title, change)


def _gallery(dataset: Dataset) -> list[Path]:
    """All pictures that lie beside those of the split, of whatever split."""
    folders = sorted({one.path.parent for one in dataset.pictures})
    return [path for folder in folders for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES]


def _recall_at_1(queries: np.ndarray, gallery: np.ndarray, targets: np.ndarray, seed: int) -> float:
    return recall_at(ranks_of((gallery @ query for query in queries), targets, seed), (1,))["r1"]
