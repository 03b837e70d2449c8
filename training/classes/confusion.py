"""Which classes are taken for which: a matrix of counts as a picture, as a table, and in words."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

INCHES = 0.32
"""Of a cell."""
MOST_NUMBERED = 60
"""Classes up to which a picture has numbers in its cells."""


class ClassFigures(NamedTuple):
    """Of one class: how many pictures it has, and the percent of them, and of those taken for it, that are right."""

    name: str
    pictures: int
    recall: float
    precision: float


def confusion_matrix(truth: np.ndarray, answers: np.ndarray, count: int) -> np.ndarray:
    """Return how many pictures of each class (rows) were taken for each (columns), int64 (k, k)."""
    return np.bincount(truth * count + answers, minlength=count * count).reshape(count, count)


def class_figures(matrix: np.ndarray, classes: Sequence[str]) -> list[ClassFigures]:
    """Return the figures of each class."""
    right, given, taken = matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)
    shares = 100 * right / np.maximum(given, 1), 100 * right / np.maximum(taken, 1)
    rows = zip(classes, given.tolist(), *(share.tolist() for share in shares), strict=True)
    return [ClassFigures(*row) for row in rows]


def most_confused(matrix: np.ndarray, classes: Sequence[str], most: int) -> list[tuple[str, str, int]]:
    """Return the pairs (class, taken for, pictures) of the most frequent errors."""
    wrong = matrix - np.diag(matrix.diagonal())
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    pairs = [divmod(int(place), len(classes)) for place in order]
    return [(classes[row], classes[column], int(wrong[row, column])) for row, column in pairs if wrong[row, column]]


def write_table(matrix: np.ndarray, classes: Sequence[str], path: Path) -> None:
    """Write a CSV file with a row for each class and a column for each that it was taken for. Raise OSError."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["class", *map(_harmless, classes)])
        writer.writerows([_harmless(name), *row] for name, row in zip(classes, matrix.tolist(), strict=True))


def _harmless(name: str) -> str:
    """Return a name that no spreadsheet takes for a formula."""
    return f"'{name}" if name.startswith(("=", "+", "-", "@")) else name


def draw(matrix: np.ndarray, classes: Sequence[str], path: Path, title: str) -> None:
    """Draw the matrix, shares of each row as shades, counts as numbers. Raise OSError."""
    count = len(classes)
    edge = max(4.0, INCHES * count)
    figure = Figure(figsize=(edge + 2.5, edge + 2), layout="constrained")
    axes = figure.subplots()
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    names = [name.replace("$", r"\$")[:30] for name in classes]  # a dollar would begin a formula
    axes.set_xticks(range(count), names, rotation=90, fontsize=8)
    axes.set_yticks(range(count), names, fontsize=8)
    axes.set(xlabel="taken for", ylabel="class", title=title.replace("$", r"\$"))
    if count <= MOST_NUMBERED:
        for row, column in zip(*np.nonzero(matrix), strict=True):
            dark = shares[row, column] > 0.5
            shown = f"{matrix[row, column]:,}"
            axes.text(column, row, shown, ha="center", va="center", fontsize=7, color="white" if dark else "black")
    figure.savefig(path, dpi=110)
