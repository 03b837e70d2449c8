"""Evaluate search by picture: are copies found, is what is found of the same class, which cosine tells copies apart?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from captioner.types import SearchDescriber, StagedDescriber
from data.captioned import Dataset
from data.loading import SUFFIXES
from data.progress import progress_bar
from retrieval.search.query import Query, QueryImage
from training.evaluation.evaluate import EvaluationError
from training.evaluation.folders import Labelled
from training.evaluation.gallery import Described, RowRanker, describe_labelled, searchable
from training.evaluation.transformations import TRANSFORMATIONS, transformed
from training.features import Encoded, Transform, encode_files
from training.metrics import NEAREST, ranks_of, recall_at


def evaluate_copies(captioner: StagedDescriber, dataset: Dataset, seed: int) -> dict[str, Any]:
    """Search for every picture of the split with each of its copies, by cosine, among all pictures of its folder.

    Return the facts of the run and `recall_at_1`, percent by transformation, and their `average`. `seed` is that of
    transformations and ties. Raise EvaluationError when no picture can be read.
    """
    started = time.monotonic()
    files = _gallery(dataset)
    gallery = _vectors(captioner, files, "gallery")
    positions = {files[row]: index for index, row in enumerate(gallery.rows)}
    queries = [picture.path for picture in dataset.pictures if picture.path in positions]
    if not queries:
        raise EvaluationError(f"no picture of the {dataset.split} split can be read ({gallery.problems[0]})")
    targets = np.asarray([positions[path] for path in queries])
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


def evaluate_similar(captioner: SearchDescriber, labelled: Labelled, seed: int) -> dict[str, Any]:
    """Search with every picture as the product does, and count how many of the ten best others are of its class.

    Return the facts of the run and `precision_at_10`, percent by class, and the `mean` of the classes. Raise
    EvaluationError when a class has fewer than two readable pictures.
    """
    started = time.monotonic()
    described, labels = describe_labelled(captioner, labelled)
    for name in labelled.classes:
        if np.count_nonzero(labels == name) < 2:
            raise EvaluationError(f"class {name} has fewer than two readable pictures; two or more are needed")
    shares = 100 * _shares_of_class(captioner, described, labels)
    precisions = {name: float(shares[labels == name].mean()) for name in labelled.classes}
    return {
        "task": "similar",
        "model_version": captioner.model_version,
        "pictures": len(labels),
        "classes": len(precisions),
        "seed": seed,
        "problems": described.problems,
        "precision_at_10": {**precisions, "mean": float(np.mean(list(precisions.values())))},
        "seconds": round(time.monotonic() - started, 1),
    }


def _shares_of_class(captioner: SearchDescriber, described: Described, labels: np.ndarray) -> np.ndarray:
    """Return for each picture the share of the NEAREST others that have its label, (n,); fewer others all count."""
    shares = np.empty(len(labels))
    with searchable(described, captioner) as (searcher, rows):
        ranker = RowRanker(described, searcher, rows)
        bar = progress_bar(described.descriptions, desc="searching", unit="query")
        for picture, description in enumerate(bar):
            found = ranker.rank(Query(like=[QueryImage(description)]))
            nearest = found[found != picture][:NEAREST]
            shares[picture] = np.mean(labels[nearest] == labels[picture])
    return shares


def _vectors(
    captioner: StagedDescriber, files: Sequence[Path], title: str, transform: Transform | None = None
) -> Encoded:
    return encode_files(
        lambda pictures: captioner.encode(pictures).vectors, captioner.input_side, files, title, transform
    )


def _gallery(dataset: Dataset) -> list[Path]:
    """Return all pictures in the folders of the split's pictures, of any split."""
    folders = sorted({one.path.parent for one in dataset.pictures})
    return [path for folder in folders for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES]


def _recall_at_1(queries: np.ndarray, gallery: np.ndarray, targets: np.ndarray, seed: int) -> float:
    return recall_at(ranks_of((gallery @ query for query in queries), targets, seed), (1,))["r1"]


THRESHOLDS = (0.40, 0.45, 0.50, 0.55, 0.60, 0.65, 0.70, 0.75, 0.80, 0.85, 0.90)


def evaluate_duplicates(
    captioner: StagedDescriber, dataset: Dataset, seed: int, copied: int | None = None
) -> dict[str, Any]:
    """Compare the cosines of the first `copied` pictures (all by default) to their copies with those of other pairs.

    Other pairs are all pairs of different pictures of the split. Return the facts of the run and, by threshold,
    `recall` (percent of copies at or above it, of all and by transformation), `others` (other pairs at or above it; a
    data set may have near copies itself) and `precision` (percent of all pairs at or above it that are copies). Raise
    EvaluationError when fewer than two pictures can be read.
    """
    started = time.monotonic()
    files = [one.path for one in dataset.pictures]
    originals = _vectors(captioner, files, "originals")
    if len(originals.rows) < 2:
        raise EvaluationError(f"fewer than two pictures of the {dataset.split} split can be read")
    position = {int(row): index for index, row in enumerate(originals.rows)}
    cosines = {}
    for name in TRANSFORMATIONS:
        copies = _vectors(captioner, files[:copied], name, partial(transformed, name=name, seed=seed))
        own = originals.values[[position[int(row)] for row in copies.rows]]
        cosines[name] = np.sum(copies.values * own, axis=1)
    others = (originals.values @ originals.values.T)[np.triu_indices(len(originals.rows), 1)]
    return {
        "task": "duplicates",
        "split": dataset.split,
        "model_version": captioner.model_version,
        "pictures": len(originals.rows),
        "copied": len(files[:copied]),
        "pairs": len(others),
        "seed": seed,
        "problems": [*dataset.problems, *originals.problems],
        "thresholds": {f"{one:.2f}": _at(one, cosines, others) for one in THRESHOLDS},
        "seconds": round(time.monotonic() - started, 1),
    }


def _at(threshold: float, cosines: dict[str, np.ndarray], others: np.ndarray) -> dict[str, float]:
    above = {name: values >= threshold for name, values in cosines.items()}
    copies = sum(int(np.count_nonzero(values)) for values in above.values())
    wrong = int(np.count_nonzero(others >= threshold))
    count = sum(len(values) for values in above.values())
    return {
        "recall": 100 * copies / count,
        "precision": 100 * copies / max(1, copies + wrong),
        "others": float(wrong),
        **{name: 100 * float(np.mean(values)) for name, values in above.items()},
    }
