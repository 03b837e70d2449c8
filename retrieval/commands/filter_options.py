"""Options that restrict a search to some pictures of the library, and order its hits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import click

from data.limits import FORMATS
from data.paths import absolute, to_bytes
from retrieval.library import Library
from retrieval.search.filters import ORDERS, ORIENTATIONS, Filters

_DAY = click.DateTime(["%Y-%m-%d"])
_OPTIONS = (
    click.option("--folder", type=click.Path(path_type=Path), help="Only pictures in this folder, at any depth."),
    click.option("--from", "taken_from", type=_DAY, help="Taken on this day or later; else the file's time counts."),
    click.option("--to", "taken_to", type=_DAY, help="Taken on this day or earlier."),
    click.option("--orientation", type=click.Choice(ORIENTATIONS), help="How the picture is held."),
    click.option("--format", "formats", multiple=True, type=click.Choice(FORMATS), help="May be given several times."),
    click.option("--sort", type=click.Choice(ORDERS), default=ORDERS[0], show_default=True, help="Order of the hits."),
)


def filter_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options; all but `sort` are for `read_filters`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def read_filters(
    library: Library,
    folder: Path | None,
    taken_from: datetime | None,
    taken_to: datetime | None,
    orientation: str | None,
    formats: tuple[str, ...],
) -> Filters:
    """Return the filters that the options ask for. Raises QueryError."""
    return Filters(
        library.collection.folder_at(to_bytes(absolute(folder))) if folder else None,
        taken_from.date() if taken_from else None,
        taken_to.date() if taken_to else None,
        orientation,
        formats=formats,
    )
