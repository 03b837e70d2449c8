"""Filters restrict which pictures are searched, counted or shown; a selection is what they leave, in an order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from data.facts import Facts
from retrieval.search import fields
from retrieval.search.fields import Field, Masks
from retrieval.search.folders import FolderTree


class Filters(Mapping[str, Any]):
    """The values of the options of fields that are set, by option name; a picture must pass all of them.

    The fields are FIELDS, or in a library with a catalogue those of `Collection.fields`. A folder is a path (bytes), a
    day a `date`, a number an int, a choice a str, several choices a tuple.
    """

    def __init__(self, own: Sequence[Field] | None = None, /, **values: Any) -> None:
        """Leave out values that are None or (). Raise QueryError where two exclude each other, TypeError for a name
        that no field has."""
        self._fields = fields.FIELDS if own is None else tuple(own)
        names = [option.name for field in self._fields for option in field.options]
        if unknown := values.keys() - set(names):
            raise TypeError(f"no field has an option {', '.join(sorted(unknown))}")
        self._values = {name: values[name] for name in names if values.get(name) not in (None, ())}
        for field in self._fields:
            field.check(self._values)

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def replace(self, **values: Any) -> Filters:
        """Return these filters with other values for some options; None or () leaves one out. Raise QueryError."""
        return Filters(self._fields, **self._values | values)

    def masks(self, facts: Facts, tree: FolderTree) -> Masks:
        """Return which pictures each filter keeps, bool (n,), by option name."""
        masks = Masks()
        for field in self._fields:
            masks |= field.masks(self._values, facts, tree)
        return masks


@dataclass(frozen=True)
class Selection:
    """The pictures that may be hits: `ids`, int64 (n,), rising.

    Hits are sorted by `keys`, numbers (n,), lowest first, or by relevance where that is None.
    """

    ids: np.ndarray
    keys: np.ndarray | None = None

    def sorted(self, ids: np.ndarray) -> np.ndarray:
        """Return the positions in `ids`, all of them selected and best first, in the order of this selection."""
        if self.keys is None:
            return np.arange(len(ids))
        return np.argsort(self.keys[np.searchsorted(self.ids, ids)], kind="stable")
