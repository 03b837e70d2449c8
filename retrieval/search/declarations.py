"""What a declared field consists of: options, orders, export columns, choices; and how its values are counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from data.records import StoredPicture


class Count(NamedTuple):
    """How many pictures have a value."""

    value: str
    pictures: int


class FolderCount(NamedTuple):
    """How many pictures a folder holds at any depth; `above` is the id of its parent folder, None for none."""

    id: str
    path: bytes
    above: str | None
    pictures: int


class AlbumCount(NamedTuple):
    """How many of the pictures are in an album."""

    id: int
    name: str
    pictures: int


class Option(NamedTuple):
    """One way to filter by a field: a query parameter, a command line option and a control of the page.

    `chip` describes the filter where it is active; {} stands for its value. `flag` is the option of the command line,
    by default made from the name.
    """

    name: str
    label: str
    help: str
    chip: str = "{}"
    flag: str = ""

    @property
    def cli(self) -> str:
        """The option of the command line."""
        return self.flag or f"--{self.name.replace('_', '-')}"


class Order(NamedTuple):
    """A way to sort pictures: its name in requests and its label on the page."""

    name: str
    label: str
    descending: bool = False


class Column(NamedTuple):
    """A column of an export: its name, the type of its JSON value, and its value for a picture."""

    name: str
    type: Any
    read: Callable[[StoredPicture], Any]


class Choice(NamedTuple):
    """A value of a ChoiceField with its label in the form and its text as an active filter; "" stands for the value."""

    value: str
    label: str = ""
    chip: str = ""


class Codes(NamedTuple):
    """The value of each of n pictures as an index into `values`: `codes`, integers (n,)."""

    values: Sequence[str]
    codes: np.ndarray
