"""The filters as the page shows them: what can be chosen, what is chosen, and what to loosen where nothing is left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, NamedTuple

from data.paths import clean_text, from_bytes
from retrieval.search.collection import Facets, FolderCount
from webui.request.asked import Asked
from webui.request.narrowed import Narrowed
from webui.services import services

SIDES = (640, 1024, 1600, 2560, 4000)
"""Lengths in pixels of the longer side that can be chosen."""

_SHOWN = {"landscape": "Landscape", "portrait": "Portrait", "square": "Square"}
_SOURCES = {"user": "Captioned by you", "model": "Not captioned by you"}
_FILTER_OF = {"format": "formats"}


class Active(NamedTuple):
    """A filter that is set, in words, and the query without it."""

    label: str
    without: Asked


class Folder(NamedTuple):
    """A folder to choose: its id, its name behind as many spaces as it lies deep, and its pictures."""

    id: str
    label: str
    pictures: int


@dataclass(frozen=True)
class Narrowing:
    """All that the form of the filters needs."""

    facets: Facets
    folders: list[Folder]
    active: list[Active]
    sides: tuple[int, ...] = SIDES


def narrowing(asked: Asked) -> Narrowing:
    """Return what can be chosen beside this query, counted, and what is chosen. Raises StoreError."""
    facets = services().library.collection.facets(asked.narrowed.filters)
    return Narrowing(facets, _folders(facets.folder), active(asked))


def active(asked: Asked) -> list[Active]:
    """Return the filters that are set."""
    given = [(name, [value] if isinstance(value, str) else value) for name, value in asked.narrowed.fields.items()]
    return [
        Active(_in_words(name, value, asked), _without(asked, name, value))
        for name, values in given
        if name != "sort"
        for value in values
    ]


def loosened(asked: Asked, count: Callable[[Asked], int]) -> list[tuple[Active, int]]:
    """Return the filters without which there would be hits, with how many; most first."""
    found = [(one, count(one.without)) for one in active(asked)]
    return sorted(((one, hits) for one, hits in found if hits), key=lambda pair: -pair[1])


def _without(asked: Asked, name: str, value: str) -> Asked:
    now = asked.narrowed
    fields = {one: values for one, values in now.fields.items() if one != name}
    rest = [one for one in now.fields[name] if one != value] if name == "format" else []
    changed: dict[str, Any] = {_FILTER_OF.get(name, name): tuple(rest) if name == "format" else None}
    return replace(
        asked,
        narrowed=Narrowed(replace(now.filters, **changed), now.order, fields | {name: rest} if rest else fields),
    )


def _in_words(name: str, value: str, asked: Asked) -> str:
    if name == "folder":
        path = asked.narrowed.filters.folder or b""
        return f"In {from_bytes(path).name or clean_text(path)}"
    if name in {"taken_from", "taken_to"}:
        day = date.fromisoformat(value)
        return f"{'From' if name == 'taken_from' else 'Until'} {day.day} {day:%B %Y}"
    if name in {"min_side", "max_side"}:
        return f"At {'least' if name == 'min_side' else 'most'} {int(value):,} px"
    return (_SHOWN | _SOURCES).get(value, value)


def _folders(counted: list[FolderCount]) -> list[Folder]:
    depths: dict[str, int] = {}
    for one in counted:  # By path, so the folder above comes first.
        depths[one.id] = depths[one.above] + 1 if one.above in depths else 0
    return [Folder(one.id, 2 * depths[one.id] * "\u00a0" + _name(one.path), one.pictures) for one in counted]


def _name(path: bytes) -> str:
    return clean_text(path.rpartition(b"/")[2] or path)
