"""Options that restrict a search to some pictures of the library, and sort its hits; made from FIELDS."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from data.paths import absolute, to_bytes
from retrieval.library import Library
from retrieval.search.fields import (
    FIELDS,
    RELEVANCE,
    ChoiceField,
    DayRange,
    Field,
    FolderField,
    NumberRange,
    order_names,
)
from retrieval.search.filters import Filters


def filter_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add `--sort`, and an option for each filter, whose values are for `read_filters`."""
    orders = click.Choice(order_names(queried=True))
    sort = click.option("--sort", type=orders, default=RELEVANCE.name, show_default=True, help="Order of the hits.")
    command = sort(command)
    for field in reversed(FIELDS):
        several = isinstance(field, ChoiceField) and field.several
        for option in reversed(field.options):
            add = click.option(option.cli, option.name, type=_type(field), multiple=several, help=option.help)
            command = add(command)
    return command


def read_filters(library: Library, values: dict[str, Any]) -> Filters:
    """Return the filters for the values of the options. Raise QueryError."""
    return Filters(**{name: _value(library, value) for name, value in values.items()})


def _type(field: Field) -> click.ParamType:
    match field:
        case FolderField():
            return click.Path(path_type=Path)
        case DayRange():
            return click.DateTime(["%Y-%m-%d"])
        case NumberRange():
            return click.IntRange(1, field.largest)
        case ChoiceField():
            return click.Choice(field.values)
    raise TypeError(f"no command line option is known for {field!r}")


def _value(library: Library, value: Any) -> Any:
    if isinstance(value, Path):
        return library.collection.folder_at(to_bytes(absolute(value)))
    return value.date() if isinstance(value, datetime) else value
