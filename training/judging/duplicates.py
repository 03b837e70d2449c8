"""From which cosine on are two pictures copies of one another?"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import numpy as np

from data.captioned import Dataset
from training.encoding import Encoded, encode_files
from training.judging.evaluate import EvaluationError
from training.judging.similar import Encodes
from training.judging.transformations import TRANSFORMATIONS, transformed

THRESHOLDS = (0.40, 0.45, 0.50, 0.55, 0.60, 0.65, 0.70, 0.75, 0.80, 0.85, 0.90)


def evaluate_duplicates(captioner: Encodes, dataset: Dataset, seed: int, copied: int | None = None) -> dict[str, Any]:
    """Hold the cosine of the first `copied` pictures (all by default) to their copies against those of others.

    Others are all pairs of different pictures of the split. Returns the facts of the run and, by threshold, `recall`
    (percent of copies at or above it, of all and by transformation), `others` (pairs at or above it; a data set may
    hold near copies itself) and `precision` (percent of all pairs at or above it that are copies). Raises
    EvaluationError when fewer than two pictures can be read.
    """
    started = time.monotonic()
    files = [one.path for one in dataset.pictures]
    originals = _encoded(captioner, files, "originals", None)
    if len(originals.rows) < 2:
        raise EvaluationError(f"fewer than two pictures of the {dataset.split} split can be read")
    place = {int(row): own for own, row in enumerate(originals.rows)}
    cosines = {}
    for name in TRANSFORMATIONS:
        copies = _encoded(captioner, files[:copied], name, partial(transformed, name=name, seed=seed))
        own = originals.values[[place[int(row)] for row in copies.rows]]
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


def _encoded(captioner: Encodes, files: list, title: str, change: Any) -> Encoded:
    return encode_files(lambda pictures: captioner.encode(pictures).vectors, captioner.input_side, files, title, change)


def _at(threshold: float, cosines: dict[str, np.ndarray], others: np.ndarray) -> dict[str, float]:
    found = {name: one >= threshold for name, one in cosines.items()}
    copies = sum(int(np.count_nonzero(one)) for one in found.values())
    wrong = int(np.count_nonzero(others >= threshold))
    every = sum(len(one) for one in found.values())
    return {
        "recall": 100 * copies / every,
        "precision": 100 * copies / max(1, copies + wrong),
        "others": float(wrong),
        **{name: 100 * float(np.mean(one)) for name, one in found.items()},
    }
