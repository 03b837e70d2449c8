"""What the columns of a table hold: how many values, of which type, and what their fields are called."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from data.catalogue.files import MOST_COLUMNS, EncodingProblem, Progress, TableFile, TableRow, in_fallback
from data.catalogue.values import (
    BOOLEAN,
    CATEGORY,
    DATE,
    DECIMAL,
    INTEGER,
    LONGEST_NAME,
    LONGEST_TEXT,
    TEXT,
    CatalogueField,
    ValueProblem,
    label_of,
    parse,
)
from data.catalogue.writes import NewField
from data.errors import RetroflexError
from data.tabular import Problems

MOST_CATEGORIES = 1000
FEW_CATEGORIES = 20
LONGEST_CATEGORY = 100
"""A column is a category with at most so many different values, on average each in two rows unless they are few,
and none longer than this."""
PREFIX = "catalogue_"
"""Begins the name of a field whose column is named like something that every picture has."""
EXAMPLES = 3
_STRICT = (BOOLEAN, INTEGER, DECIMAL, DATE)


@dataclass
class ColumnProfile:
    """What a column holds: numbers of filled and empty cells, the types that fit all, and its first values."""

    filled: int = 0
    empty: int = 0
    fits: list[str] = field(default_factory=lambda: list(_STRICT))
    different: dict[str, None] | None = field(default_factory=dict)
    longest: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, cell: str) -> None:
        """Count a cell."""
        if not cell or cell.isspace():
            self.empty += 1
            return
        self.filled += 1
        self.longest = max(self.longest, len(cell))
        if self.longest > LONGEST_CATEGORY:
            self.different = None
        if self.different is not None and cell in self.different:
            return
        if len(self.examples) < EXAMPLES:
            self.examples.append(" ".join(cell.split())[:LONGEST_CATEGORY])
        self.fits = [kind for kind in self.fits if _fits(kind, cell)]
        if self.different is not None:
            self.different[cell] = None
            if len(self.different) > MOST_CATEGORIES:
                self.different = None

    @property
    def type(self) -> str:
        """The type that fits best."""
        if self.fits and self.filled:
            return self.fits[0]
        if self.different is None:
            return TEXT
        count = len(self.different)
        repeated = count < self.filled if count <= FEW_CATEGORIES else 2 * count <= self.filled
        return CATEGORY if repeated else TEXT


def _fits(kind: str, cell: str) -> bool:
    try:
        return len(cell) <= LONGEST_TEXT and parse(kind, cell) is not None
    except ValueProblem:
        return False


@dataclass(frozen=True)
class TableProfile:
    """A table file as it can be read, the number of its rows, and its columns by name in order."""

    table: TableFile
    rows: int
    columns: Mapping[str, ColumnProfile]


def profile(table: TableFile, problems: Problems, progress: Progress) -> TableProfile:
    """Read the whole table once. One that is not in its encoding, where none was given, is read as Latin-1.

    Raises RetroflexError, also where there is no row.
    """
    try:
        profiled = _profile(table, table.rows(problems, progress))
    except EncodingProblem:
        if table.encoding != "utf-8":
            raise
        return profile(in_fallback(table), problems, progress)
    if not profiled.rows:
        raise RetroflexError(f"{table.path.name} has no row below its header; nothing was imported")
    return profiled


def _profile(table: TableFile, rows: Iterable[TableRow]) -> TableProfile:
    columns = {name: ColumnProfile() for name in table.columns}
    count = 0
    for count, row in enumerate(rows, 1):
        for name, cell in row.cells.items():
            if name not in columns:  # of JSON lines
                if len(columns) == MOST_COLUMNS:
                    raise RetroflexError(
                        f"line {row.line} has the {MOST_COLUMNS + 1}st different name; that is too many"
                    )
                columns[name] = ColumnProfile(empty=count - 1)
            columns[name].add(cell)
        for name in columns.keys() - row.cells.keys():
            columns[name].empty += 1
    return TableProfile(replace(table, columns=tuple(columns)), count, columns)


@dataclass(frozen=True)
class Wishes:
    """What a person wants of the columns, by column: types, labels and names of fields, and those to skip."""

    types: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    skip: Collection[str] = ()


def map_columns(
    profiled: TableProfile, key: str, wishes: Wishes, stored: Sequence[CatalogueField], taken: Collection[str]
) -> dict[str, NewField]:
    """Return the field that each column becomes; one that is stored keeps type and label unless wished otherwise.

    A column named like something that every picture has (`taken`) gets a prefix. Raises RetroflexError for a column
    that is not there, a key that is skipped, or two columns that become one field.
    """
    known = {one.name: one for one in stored}
    for name in [key, *wishes.types, *wishes.labels, *wishes.names, *wishes.skip]:
        _check_column(profiled, name)
    if key in wishes.skip:
        raise RetroflexError(f"the column {key} is the key; it cannot be skipped")
    fields: dict[str, NewField] = {}
    for column, content in profiled.columns.items():
        if column in wishes.skip:
            continue
        name = field_name(column, wishes.names, taken)
        before = known.get(name)
        kind = wishes.types.get(column) or (before.type if before else TEXT if column == key else content.type)
        label = wishes.labels.get(column) or (before.label if before else label_of(column))
        fields[column] = NewField(name, kind, label, column == key)
    _check_distinct(fields)
    return fields


class NameProblem(RetroflexError):
    """A column's name cannot be that of a field."""


def field_name(column: str, names: Mapping[str, str], taken: Collection[str]) -> str:
    """Return the name of the field that a column becomes. Raises NameProblem for a name that cannot be one."""
    name = names.get(column)
    if name is None:
        name = f"{PREFIX}{column}" if column in taken else column
    elif name in taken:
        raise NameProblem(f"every picture has {name} already; give {column} another name by --rename {column}=NAME")
    if (
        not name.isprintable()
        or len(name) > LONGEST_NAME
        or name.endswith((".from", ".to", ".desc"))
        or _operator(name)
    ):
        raise NameProblem(
            f"{name[:LONGEST_NAME]!a} cannot be the name of a field: at most {LONGEST_NAME} characters, without "
            f"=, < and >, not ending with .from, .to or .desc; add --rename COLUMN=NAME, or --skip COLUMN"
        )
    return name


def _operator(name: str) -> bool:
    return not name or any(mark in name for mark in "=<>")


def _check_column(profiled: TableProfile, name: str) -> None:
    if name not in profiled.columns:
        near = get_close_matches(name, profiled.columns, 1, cutoff=0.0)
        folded = [one for one in profiled.columns if one.casefold() == name.casefold()]
        shown = ", ".join(list(profiled.columns)[:10])
        raise RetroflexError(
            f"{profiled.table.path.name} has no column {name[:60]!r}; the nearest is {(folded or near)[0]} (of {shown})"
        )


def _check_distinct(fields: Mapping[str, NewField]) -> None:
    seen: dict[str, str] = {}
    for column, one in fields.items():
        if one.name in seen:
            raise RetroflexError(
                f"the columns {seen[one.name]} and {column} would both become the field {one.name}; "
                f"add --rename {column}=NAME"
            )
        seen[one.name] = column


def renamed(fields: Mapping[str, NewField], wishes: Wishes) -> Iterator[str]:
    """Yield a line about each column that could not keep its name."""
    for column, one in fields.items():
        if one.name != column and column not in wishes.names:
            yield (
                f"every picture has {column} already, so the column {column} becomes the field {one.name}; "
                f"--rename {column}=NAME chooses another name"
            )
