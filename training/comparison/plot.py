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
    """Draw P@10, or without classes the copies found, over the time to describe; of several searches also their recall.

    Each kind of vectors has a colour.
    """
    quality, title = ("p10", "P@10, %") if any(row.p10 is not None for row in rows) else ("copies", "copies found, %")
    several = len({row.search for row in rows if row.recall is not None}) > 1
    figure = Figure(figsize=(7 + 7 * several, 5.5), layout="constrained")
    panels = figure.subplots(1, 1 + several, squeeze=False)[0]
    colours = {name: f"C{number % 10}" for number, name in enumerate(dict.fromkeys(row.features for row in rows))}
    kinds = {row.features: row for row in reversed(rows)}
    points = [(row.ms_describe, getattr(row, quality), name, colours[name]) for name, row in kinds.items()]
    _scatter(panels[0], points, "milliseconds to describe a picture", title)
    if several:
        points = [(row.ms_query, row.recall, f"{row.features}, {row.search}", colours[row.features]) for row in rows]
        _scatter(panels[1], points, "milliseconds a query", "recall of the ten true neighbours, %")
    figure.savefig(path, dpi=110)


def _scatter(axes: Axes, points: Sequence[tuple[float | None, float | None, str, str]], x: str, y: str) -> None:
    """Draw points (across, up, label, colour), across in logarithms; those that lack a figure are left out."""
    axes.set(xscale="log", xlabel=x, ylabel=y)
    axes.margins(x=0.25)
    axes.grid(alpha=0.3)
    for across, up, label, colour in points:
        if across and up is not None:
            axes.scatter(across, up, s=24, color=colour)
            axes.annotate(label, (across, up), xytext=(4, 4), textcoords="offset points", fontsize=8)
