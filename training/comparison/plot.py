"""The picture of a comparison: how good kinds of vectors are for their price, and searches for theirs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from data.errors import RetroflexError
from data.paths import display
from training.comparison.rows import Row

FORMATS = (".png", ".svg", ".pdf")


def check_format(path: Path) -> None:
    """Raise RetroflexError for a suffix that cannot be drawn."""
    if path.suffix.lower() not in FORMATS:
        raise RetroflexError(f"{display(path)} is no picture that can be drawn; end it in {', '.join(FORMATS)}")


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw P@10, or without classes the copies found, over the time to describe; and recall over that of a query."""
    quality, title = ("p10", "P@10, %") if any(row.p10 is not None for row in rows) else ("copies", "copies found, %")
    figure = Figure(figsize=(13, 5.5), layout="constrained")
    first, second = figure.subplots(1, 2)
    exact = {row.features: row for row in reversed(rows)}
    _points(first, list(exact.values()), "ms_describe", quality, [row.features for row in exact.values()])
    first.set(xlabel="milliseconds to describe a picture", ylabel=title)
    _points(second, rows, "ms_query", "recall", [f"{row.features}, {row.search}" for row in rows])
    second.set(xlabel="milliseconds a query", ylabel="recall of the ten true neighbours, %")
    figure.savefig(path, dpi=110)


def _points(axes: Axes, rows: Sequence[Row], x: str, y: str, titles: Sequence[str]) -> None:
    """Draw a labelled point for each row that has both figures."""
    axes.set_xscale("log")
    axes.grid(alpha=0.3)
    for row, title in zip(rows, titles, strict=True):
        across, up = getattr(row, x), getattr(row, y)
        if across and up is not None:
            axes.scatter(across, up, s=24)
            axes.annotate(title, (across, up), xytext=(4, 4), textcoords="offset points", fontsize=8)
