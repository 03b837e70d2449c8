"""The fields of a picture by which a library is filtered, counted, sorted and exported.

Each field is declared once, in FIELDS. The masks over the library, the columns read by SQL, the command line, the API,
its OpenAPI document, the page and the exports all iterate FIELDS, so a new field needs one more entry there. Fields of
a library's catalogue come after them, see `retrieval.search.catalogue`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

import numpy as np

from data.colour.names import NAMES
from data.facts import Facts
from data.limits import FORMATS
from data.metadata.dates import SOURCES
from retrieval.arrays import where, years_of
from retrieval.search.declarations import AlbumCount, Choice, Codes, Column, Count, FolderCount, Option, Order
from retrieval.search.folders import FolderTree
from retrieval.search.query import QueryError

Masks = dict[str, np.ndarray]
COUNT = Annotated[int, {"minimum": 0}]
"""The type of a whole number that is never negative, with what its JSON schema adds."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """What all kinds of fields have in common.

    `facet` names the counts by value, "" for none. `stored` names the columns of the table `pictures` that the field
    reads from `Facts.columns`. `orders` sort by the field; `columns` are those of exports.
    """

    name: str
    options: tuple[Option, ...]
    facet: str = ""
    stored: tuple[str, ...] = ()
    orders: tuple[Order, ...] = ()
    columns: tuple[Column, ...] = ()

    def check(self, values: Mapping[str, Any]) -> None:
        """Check the values given for the options. Raise QueryError."""

    def masks(self, values: Mapping[str, Any], facts: Facts, tree: FolderTree) -> Masks:
        """Return which pictures each option in `values` keeps, bool (n,), by option name."""
        raise NotImplementedError

    def counts(self, facts: Facts, tree: FolderTree, kept: np.ndarray) -> list[Any]:
        """Count the pictures where `kept`, bool (n,), by value: a list of Count, FolderCount or AlbumCount."""
        raise NotImplementedError

    def sort_keys(self, facts: Facts, values: Mapping[str, Any]) -> np.ndarray:
        """Return a number for each picture by which `orders` sort, (n,); `values` are those of all filters."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class FolderField(Field):
    """The folder that holds a picture at any depth. The value of its option is the path of the folder."""

    any: str

    def masks(self, values: Mapping[str, Any], facts: Facts, tree: FolderTree) -> Masks:
        """See Field."""
        name = self.options[0].name
        return {name: tree.holding(tree.paths.index(values[name]), len(facts.ids))} if name in values else {}

    def counts(self, facts: Facts, tree: FolderTree, kept: np.ndarray) -> list[FolderCount]:
        """See Field."""
        rows = zip(tree.ids, tree.paths, tree.above, tree.counts(kept).tolist(), strict=True)
        return [
            FolderCount(folder, path, tree.ids[above] if above >= 0 else None, count)
            for folder, path, above, count in rows
            if count
        ]


@dataclass(frozen=True, kw_only=True)
class AlbumField(Field):
    """A hand-picked album that holds a picture. The value of its option is the id of the album."""

    any: str

    def masks(self, values: Mapping[str, Any], facts: Facts, tree: FolderTree) -> Masks:
        """See Field."""
        asked = self.options[0].name in values
        return {self.options[0].name: _marked(facts, self._members(values, facts))} if asked else {}

    def counts(self, facts: Facts, tree: FolderTree, kept: np.ndarray) -> list[AlbumCount]:
        """See Field; by name."""
        counted = ((one, int(kept[_rows(facts, one.ids)].sum())) for one in facts.membership.albums)
        return [AlbumCount(one.id, one.name, count) for one, count in counted if count]

    def sort_keys(self, facts: Facts, values: Mapping[str, Any]) -> np.ndarray:
        """See Field; the places in the chosen album, NaN without one."""
        places = np.full(len(facts.ids), np.nan)
        rows = _rows(facts, self._members(values, facts))
        places[rows] = np.arange(len(rows))
        return places

    def _members(self, values: Mapping[str, Any], facts: Facts) -> np.ndarray:
        album = facts.membership.album(values.get(self.options[0].name, -1))
        return np.zeros(0, np.int64) if album is None else album.ids


def _rows(facts: Facts, ids: np.ndarray) -> np.ndarray:
    """Return the rows of the pictures `ids`, int64 (k,), in that order, without those that have no file."""
    rows = np.searchsorted(facts.ids, ids)
    return rows[np.append(facts.ids, -1)[rows] == ids]


def _marked(facts: Facts, ids: np.ndarray) -> np.ndarray:
    """Return which pictures are among `ids`, bool (n,)."""
    marked = np.zeros(len(facts.ids), bool)
    marked[_rows(facts, ids)] = True
    return marked


@dataclass(frozen=True, kw_only=True)
class ChoiceField(Field):
    """One of a few values. With `several` the option takes a tuple of alternatives, without it a single value.

    `any` is the label for no choice.
    """

    choices: tuple[Choice, ...]
    read: Callable[[Facts], Codes]
    several: bool = False
    any: str = "Any"

    @property
    def values(self) -> tuple[str, ...]:
        """The values that can be chosen."""
        return tuple(choice.value for choice in self.choices)

    def coded(self, facts: Facts) -> Codes:
        """Return what `read` returns, which is kept with the facts."""
        return facts.once(f"codes of {self.name}", self.read)

    def masks(self, values: Mapping[str, Any], facts: Facts, tree: FolderTree) -> Masks:
        """See Field."""
        name = self.options[0].name
        if name not in values:
            return {}
        chosen = values[name] if self.several else (values[name],)
        present, codes = self.coded(facts)
        return {name: np.array([value in chosen for value in present], bool)[codes]}

    def counts(self, facts: Facts, tree: FolderTree, kept: np.ndarray) -> list[Count]:
        """See Field."""
        present, codes = self.coded(facts)
        counts = np.bincount(where(kept, codes), minlength=len(present)).tolist()
        return [Count(value, count) for value, count in zip(present, counts, strict=True) if count]


@dataclass(frozen=True, kw_only=True)
class SetField(ChoiceField):
    """Any number of a few values; a picture passes that has one of those chosen, and counts for each that it has.

    `read` returns as code of a picture an integer with a bit for each of its values. With `swatches` the page shows the
    values as colours.
    """

    several: bool = True
    swatches: bool = False

    def masks(self, values: Mapping[str, Any], facts: Facts, tree: FolderTree) -> Masks:
        """See Field."""
        name = self.options[0].name
        if name not in values:
            return {}
        present, codes = self.coded(facts)
        return {name: codes & sum(1 << present.index(value) for value in {*values[name]}) > 0}

    def counts(self, facts: Facts, tree: FolderTree, kept: np.ndarray) -> list[Count]:
        """See Field."""
        present, codes = self.coded(facts)
        together = np.bincount(where(kept, codes), minlength=1)
        sets = np.arange(len(together))
        counts = [int(together[sets >> bit & 1 == 1].sum()) for bit in range(len(present))]
        return [Count(value, count) for value, count in zip(present, counts, strict=True) if count]


@dataclass(frozen=True, kw_only=True)
class RangeField(Field):
    """A value between two options, lowest and highest, both inclusive. `wrong_order` is the error for low > high."""

    read: Callable[[Facts], np.ndarray]
    wrong_order: str

    def check(self, values: Mapping[str, Any]) -> None:
        """See Field."""
        low, high = (values.get(option.name) for option in self.options)
        if low is not None and high is not None and low > high:
            raise QueryError(self.wrong_order.format(low=low, high=high))

    def masks(self, values: Mapping[str, Any], facts: Facts, tree: FolderTree) -> Masks:
        """See Field."""
        low, high = (option.name for option in self.options)
        if not values.keys() & {low, high}:
            return {}
        column, masks = self.read(facts), Masks()
        if low in values:
            masks[low] = column >= self.lowest(values[low])
        if high in values:
            masks[high] = column < self.above(values[high])
        return masks

    def sort_keys(self, facts: Facts, values: Mapping[str, Any]) -> np.ndarray:
        """See Field."""
        return self.read(facts).astype(np.int64)

    def lowest(self, value: Any) -> Any:
        """Return the smallest number in the column that the lower option keeps."""
        return value

    def above(self, value: Any) -> Any:
        """Return the smallest number in the column that the upper option leaves out."""
        return value + 1


@dataclass(frozen=True, kw_only=True)
class DayRange(RangeField):
    """A range of days; the column holds datetime64. Its facet counts by year, latest first."""

    def lowest(self, value: date) -> np.datetime64:
        """See RangeField."""
        return np.datetime64(value)

    def above(self, value: date) -> np.datetime64:
        """See RangeField."""
        return np.datetime64(value) + np.timedelta64(1, "D")

    def counts(self, facts: Facts, tree: FolderTree, kept: np.ndarray) -> list[Count]:
        """See Field."""
        years = facts.once(f"years of {self.name}", lambda facts: years_of(self.read(facts)))
        first = int(years.min(initial=1970))
        counts = np.bincount(where(kept, years) - first).tolist()
        return [Count(str(first + after), count) for after, count in reversed([*enumerate(counts)]) if count]


@dataclass(frozen=True, kw_only=True)
class NumberRange(RangeField):
    """A range of whole numbers from 1 to `largest`. The page offers `steps`, or without them a field to type in."""

    largest: int
    steps: tuple[int, ...] = ()
    unit: str = ""
    any: str = "Any"


@dataclass(frozen=True, kw_only=True)
class ConfidenceField(Field):
    """No field of its own: the confidence below which predicted values of others count as none, see `Collection`."""

    def masks(self, values: Mapping[str, Any], facts: Facts, tree: FolderTree) -> Masks:
        return {}


CONFIDENCE = Option(
    "min_confidence", "Sure at least", "From 0 to 1: predicted values that are less sure count as none.", "Sure from {}"
)


ALBUM_ORDER = Order("album", "As in the album")
"""The order that a person gave to the pictures of an album."""


def _orientation(facts: Facts) -> Codes:
    codes = np.where(facts.widths > facts.heights, 0, np.where(facts.widths < facts.heights, 1, 2))
    return Codes(("landscape", "portrait", "square"), codes)


FIELDS: tuple[Field, ...] = (
    FolderField(
        name="folder",
        any="All folders",
        options=(Option("folder", "Folder", "Only pictures in this folder, at any depth.", "In {}"),),
        facet="folder",
    ),
    AlbumField(
        name="album",
        any="Any album",
        options=(Option("album", "Album", "Only pictures in this album.", "In the album {}"),),
        facet="album",
        orders=(ALBUM_ORDER,),
    ),
    ChoiceField(
        name="favourite",
        choices=(Choice("yes", "Favourites", "Favourites"), Choice("no", "No favourites", "No favourites")),
        read=lambda facts: Codes(("no", "yes"), _marked(facts, facts.membership.favourites).astype(np.int64)),
        options=(Option("favourite", "Favourite", "yes: a person marked it as a favourite; no: nobody did."),),
        facet="favourite",
        columns=(Column("favourite", bool, lambda picture: picture.favourite),),
    ),
    ChoiceField(
        name="orientation",
        choices=(
            Choice("landscape", "Landscape", "Landscape"),
            Choice("portrait", "Portrait", "Portrait"),
            Choice("square", "Square", "Square"),
        ),
        read=_orientation,
        options=(Option("orientation", "Orientation", "Orientation of the picture."),),
        facet="orientation",
    ),
    NumberRange(
        name="side",
        read=lambda facts: np.maximum(facts.widths, facts.heights),
        largest=1_000_000,
        steps=(640, 1024, 1600, 2560, 4000),
        unit="px",
        any="Any size",
        options=(
            Option("min_side", "Longer side at least", "Longer side has at least this many pixels.", "At least {} px"),
            Option("max_side", "Longer side at most", "Longer side has at most this many pixels.", "At most {} px"),
        ),
        wrong_order="no side is from {low} to {high} pixels; give the smaller one first",
        columns=(
            Column("width", COUNT, lambda picture: picture.width),
            Column("height", COUNT, lambda picture: picture.height),
        ),
    ),
    DayRange(
        name="taken",
        read=lambda facts: facts.dates,
        options=(
            Option(
                "taken_from",
                "Taken from",
                "Taken on this day or later; without a date taken, the file's time counts.",
                "From {}",
                "--from",
            ),
            Option("taken_to", "Taken until", "Taken on this day or earlier.", "Until {}", "--to"),
        ),
        wrong_order="nothing was taken from {low} to {high}; give the earlier day first",
        facet="year",
        orders=(Order("newest", "Newest first", descending=True), Order("oldest", "Oldest first")),
        columns=(
            Column("taken_at", str | None, lambda picture: picture.taken_as_text),
            Column("taken_from", Literal[(*SOURCES,)] | None, lambda picture: picture.taken_from),
        ),
    ),
    ChoiceField(
        name="source",
        choices=(
            Choice("user", "You", "Captioned by you"),
            Choice("model", "The captioner only", "Not captioned by you"),
        ),
        read=lambda facts: Codes(("user", "model"), np.where(facts.by_user, 0, 1)),
        options=(Option("source", "Captioned by", "user: a person wrote a caption; model: nobody did."),),
        any="Anyone",
        facet="source",
    ),
    ChoiceField(
        name="format",
        choices=tuple(map(Choice, FORMATS)),
        read=lambda facts: Codes(facts.format_names, facts.formats),
        several=True,
        options=(Option("format", "Format", "Format of the file; may be given several times."),),
        facet="format",
    ),
    SetField(
        name="dominant_colour",  # and not colour, which many a catalogue has as a field of its own
        stored=("colours",),
        choices=tuple(Choice(colour, chip=f"Mostly {colour}") for colour in NAMES),
        read=lambda facts: Codes(NAMES, facts.columns["colours"].astype(np.int64)),
        swatches=True,
        options=(
            Option("colour", "Colour", "A colour that the picture mostly has; given several times, one is enough."),
        ),
        facet="colour",
    ),
    ConfidenceField(name="confidence", options=(CONFIDENCE,)),
)
"""All fields, in the order of the page's form."""

RELEVANCE = Order("relevance", "Best first")
ADDED = Order("added", "Last added")


def orders(queried: bool, further: Sequence[Field] = ()) -> tuple[Order, ...]:
    """Return the orders of hits, or without a query of the library's pictures; the first is the default.

    `further` are fields beside FIELDS.
    """
    every = [order for field in (*FIELDS, *further) for order in field.orders if order != ALBUM_ORDER]
    return (RELEVANCE, *every, ALBUM_ORDER) if queried else (*every, ADDED, ALBUM_ORDER)


def order_names(queried: bool, further: Sequence[Field] = ()) -> tuple[str, ...]:
    """Return the names of these orders."""
    return tuple(order.name for order in orders(queried, further))
