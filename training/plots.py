"""Training curves: the columns of the log over epochs, in a panel for each kind of figure."""

from __future__ import annotations

import csv
import math
import os
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from data.errors import RetroflexError

X_AXIS = "epoch"
PANEL_INCHES = (5.0, 3.4)
PANELS_PER_ROW = 3
DOTS_PER_INCH = 120
SUBSETS = ("train_", "val_", "dev_")

Columns = dict[str, list[float]]


class LogError(RetroflexError):
    """The training log cannot be drawn; the message says why."""


def plot_curves(log: Path, out: Path) -> None:
    """Draw the training log `log`, a CSV file with a column `epoch` and a row for each epoch, as the PNG `out`.

    Columns that measure the same thing share a panel: `loss` with `val_loss`, `bleu1` with `bleu4`. Cells that are
    not numbers are gaps. Raise LogError when the log is missing or empty.
    """
    columns = _read(log)
    epochs = columns.pop(X_AXIS)
    panels = _panels(columns)
    figure, axes = _grid(len(panels))
    for axis, (name, members) in zip(axes, panels.items(), strict=True):
        for column in members:
            axis.plot(epochs, columns[column], marker=".", label=column)
        axis.set(title=name, xlabel=X_AXIS)
        axis.grid(alpha=0.3)
        axis.legend()
    temporary = out.with_name(f"{out.stem}.tmp.png")
    figure.savefig(temporary, dpi=DOTS_PER_INCH)
    os.replace(temporary, out)


def _grid(count: int) -> tuple[Figure, list[Axes]]:
    columns = min(count, PANELS_PER_ROW)
    rows = -(-count // columns)
    figure = Figure(figsize=(PANEL_INCHES[0] * columns, PANEL_INCHES[1] * rows), layout="constrained")
    return figure, [figure.add_subplot(rows, columns, index) for index in range(1, count + 1)]


def _read(log: Path) -> Columns:
    try:
        with log.open(newline="", encoding="utf-8") as lines:
            reader = csv.DictReader(lines)
            names, rows = [name for name in reader.fieldnames or () if name], list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LogError(f"the training log {log} cannot be read: {error}") from error
    if not rows or X_AXIS not in names or len(names) < 2:
        raise LogError(f"the training log {log} has no rows, no column '{X_AXIS}' or no other column; train first")
    return {name: [_number(row[name]) for row in rows] for name in names}


def _number(cell: str | None) -> float:
    try:
        return float(cell or "nan")
    except ValueError:
        return math.nan


def _panels(columns: Columns) -> dict[str, list[str]]:
    """Group columns by what they measure: their name without subset prefix and trailing number."""
    panels: dict[str, list[str]] = {}
    for name, values in columns.items():
        if not all(math.isnan(value) for value in values):
            kind = next((name.removeprefix(one) for one in SUBSETS if name.startswith(one)), name)
            panels.setdefault(kind.rstrip("0123456789") or kind, []).append(name)
    if not panels:
        raise LogError("the training log has no numbers; train first")
    return panels
