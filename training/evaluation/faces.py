"""Evaluate faces on pictures of known people, a folder a person with one main face in each picture.

Three vectors are compared: VGG16's of the whole picture, VGG16's of the face (both the papers' way), and that by which
faces are searched. Pictures without a face have no vector of a face: they find nothing and are like nobody.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from captioner.captioner import Captioner
from captioner.faces.base import FaceFinder, FoundFace
from captioner.faces.calibration import LINKED
from data.errors import PictureError
from data.limits import DEFAULT_LIMITS
from data.paths import display
from data.pictures import read_bytes
from data.progress import progress_bar
from retrieval.faces.grouping import groups_of
from retrieval.faces.indexing import CropEncoder, read_pixels
from training.evaluation.folders import Labelled

FOLDS = 10
UNLIKE = -1.0
"""The cosine of a picture without a face."""
WHOLE, CROP, FACE = "VGG16, picture", "VGG16, face", "face vector"


class Vectors(NamedTuple):
    """Vectors of n pictures by kind, float32 (n, d), zeros without a face; which have a face, bool (n,).

    `several` have more than one; `milliseconds` is the time to find and describe the faces of a picture.
    """

    kinds: Mapping[str, np.ndarray]
    found: np.ndarray
    several: int
    milliseconds: float
    problems: list[str]


class Pairs(NamedTuple):
    """m pairs of pictures: `rows` int64 (m, 2), and whether they are of the `same` person, bool (m,)."""

    rows: np.ndarray
    same: np.ndarray


def evaluate_faces(
    captioner: Captioner, finder: FaceFinder, labelled: Labelled, seed: int, roc: Path | None = None
) -> dict[str, Any]:
    """Measure detection, verification, search by person and groups; draw ROC curves to `roc` if it is given."""
    people = np.unique(labelled.labels, return_inverse=True)[1]
    vectors = _described(captioner, finder, labelled.files)
    pairs = balanced_pairs(people, seed)
    cosines = {kind: _cosines(values) for kind, values in vectors.kinds.items()}
    rows = {kind: _figures(matrix, people, pairs, seed) for kind, matrix in cosines.items()}
    if roc is not None:
        draw_roc(roc, {kind: matrix[tuple(pairs.rows.T)] for kind, matrix in cosines.items()}, pairs.same)
    labels = np.full(len(people), -1)
    there = np.flatnonzero(vectors.found)
    for number, group in enumerate(groups_of(vectors.kinds[FACE][there])):
        labels[there[group]] = number
    return {
        "task": "faces",
        "model_version": captioner.model_version,
        "faces_version": finder.model_version,
        "seed": seed,
        "pictures": len(people),
        "people": len(labelled.classes),
        "pairs": len(pairs.same),
        "with_a_face": int(vectors.found.sum()),
        "with_several": vectors.several,
        "milliseconds_a_picture": round(vectors.milliseconds, 1),
        "kinds": rows,
        "calibration": fitted(cosines[FACE][tuple(pairs.rows.T)], pairs.same),
        "groups": {f"average linkage at {LINKED}": grouping_figures(labels, people)},
        "problems": vectors.problems,
    }


def _described(captioner: Captioner, finder: FaceFinder, files: Sequence[Path]) -> Vectors:
    encoder = CropEncoder(captioner.search_model.encoder, captioner)
    kinds: dict[str, list[np.ndarray | None]] = {WHOLE: [], CROP: [], FACE: []}
    several, seconds, problems = 0, 0.0, []
    for file in progress_bar(files, desc="faces", unit="pic", delay=1):
        try:
            pixels = read_pixels(read_bytes(file), DEFAULT_LIMITS)
        except PictureError as error:
            problems.append(f"{display(file)} {error}")
            pixels = np.zeros((64, 64, 3), np.uint8)
        begin = time.perf_counter()
        found = finder.find(pixels)
        seconds += time.perf_counter() - begin
        face: FoundFace | None = max(found, key=lambda one: one.box.area, default=None)
        several += len(found) > 1
        kinds[WHOLE].append(encoder.encode([pixels])[0])
        kinds[CROP].append(None if face is None else encoder.encode([face.crop])[0])
        kinds[FACE].append(None if face is None else face.vector)
    there = np.array([vector is not None for vector in kinds[FACE]])
    stacked = {kind: _stacked(vectors) for kind, vectors in kinds.items()}
    return Vectors(stacked, there, several, 1000 * seconds / max(len(files), 1), problems)


def _stacked(vectors: Sequence[np.ndarray | None]) -> np.ndarray:
    size = next((len(vector) for vector in vectors if vector is not None), 1)
    return np.array([np.zeros(size, np.float32) if vector is None else vector for vector in vectors], np.float32)


def _cosines(vectors: np.ndarray) -> np.ndarray:
    """Return the cosines (n, n) between vectors of length 1, UNLIKE for those that are zero and with themselves."""
    cosines = vectors @ vectors.T
    without = ~vectors.any(axis=1)
    cosines[without] = cosines[:, without] = UNLIKE
    np.fill_diagonal(cosines, UNLIKE)
    return np.asarray(cosines)


def balanced_pairs(people: np.ndarray, seed: int) -> Pairs:
    """Return all pairs of pictures of one person, and as many drawn pairs of two, by `people` int (n,)."""
    rows = np.stack(np.triu_indices(len(people), 1), axis=1)
    same = people[rows[:, 0]] == people[rows[:, 1]]
    count = min(int(same.sum()), int((~same).sum()))
    others = np.random.default_rng(seed).choice(np.flatnonzero(~same), count, replace=False)
    chosen = np.concatenate([np.flatnonzero(same), others])
    return Pairs(rows[chosen], same[chosen])


def _figures(cosines: np.ndarray, people: np.ndarray, pairs: Pairs, seed: int) -> dict[str, float]:
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :3]
    right = people[nearest] == people[:, None]
    right &= np.take_along_axis(cosines, nearest, axis=1) > UNLIKE
    scores = cosines[tuple(pairs.rows.T)]
    border, _ = best_border(scores, pairs.same)
    return {
        "R@1": 100 * float(right[:, 0].mean()),
        "P@3": 100 * float(right.mean()),
        "verified": 100 * verification(scores, pairs.same, seed),
        "AUC": 100 * area_under_curve(scores, pairs.same),
        "border": border,
    }


def verification(scores: np.ndarray, same: np.ndarray, seed: int) -> float:
    """Return the share of pairs that are told right, each tenth by the border that is best on the other nine."""
    folds = np.random.default_rng(seed).permutation(len(scores)) % FOLDS
    right = [
        ((scores[folds == fold] >= best_border(scores[folds != fold], same[folds != fold])[0]) == same[folds == fold])
        for fold in range(FOLDS)
    ]
    return float(np.mean([one.mean() for one in right if len(one)]))


def best_border(scores: np.ndarray, same: np.ndarray) -> tuple[float, float]:
    """Return the score from which on pairs are best called the same, and the share of pairs told right by it."""
    order = np.argsort(-scores, kind="stable")
    told = np.cumsum(np.where(same[order], 1, -1)) + int((~same).sum())
    best = int(np.argmax(told))
    return float(scores[order[best]]), float(told[best] / len(scores))


def fitted(scores: np.ndarray, same: np.ndarray) -> dict[str, float]:
    """Return the logistic curve that makes the likelihood of one person of a cosine, see `captioner.faces.calibration`.

    Pairs with a picture without a face are left out.
    """
    from sklearn.linear_model import LogisticRegression

    there = scores > UNLIKE
    curve = LogisticRegression(C=1e6, max_iter=1000).fit(scores[there, None], same[there])
    slope = float(curve.coef_[0, 0])
    return {"same_person": float(-curve.intercept_[0] / slope), "slope": slope}


def area_under_curve(scores: np.ndarray, same: np.ndarray) -> float:
    """Return the share of pairs of a right and a wrong pair in which the right one has the higher score, ties half."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(same, scores))


def grouping_figures(labels: np.ndarray, people: np.ndarray) -> dict[str, float]:
    """Return precision, recall and F1 of pairs in one group, and the adjusted Rand index; -1 is alone."""
    from sklearn.metrics import adjusted_rand_score

    alone = np.where(labels < 0, labels.max(initial=-1) + 1 + np.arange(len(labels)), labels)
    rows = np.triu_indices(len(people), 1)
    together, same = alone[rows[0]] == alone[rows[1]], people[rows[0]] == people[rows[1]]
    right = int((together & same).sum())
    precision, recall = right / max(int(together.sum()), 1), right / max(int(same.sum()), 1)
    f1 = 2 * precision * recall / max(precision + recall, 1e-12)
    rand = float(adjusted_rand_score(people, alone))
    return {"precision": 100 * precision, "recall": 100 * recall, "F1": 100 * f1, "Rand": 100 * rand}


def draw_roc(file: Path, scores: Mapping[str, np.ndarray], same: np.ndarray) -> None:
    """Draw the curves of right against false acceptances of pairs as a PNG file."""
    from matplotlib.figure import Figure
    from sklearn.metrics import roc_curve

    figure = Figure(figsize=(5.0, 5.0))
    axis = figure.subplots()
    for kind, values in scores.items():
        false, right, _ = roc_curve(same, values)
        axis.plot(false, right, label=kind)
    axis.set(xlabel="pairs of two persons taken for one", ylabel="pairs of one person found", title="Verification")
    axis.grid(alpha=0.3)
    axis.legend()
    figure.savefig(file, dpi=120)
