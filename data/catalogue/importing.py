"""Import the rows of a table into the catalogue: only differences are written, a batch of rows in a transaction.

A kill at any time loses no batch that was reported; the next run finds what is there already and writes the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

from data.catalogue.files import ROWS_AT_ONCE, Progress, TableFile, TableRow
from data.catalogue.listing import Listing
from data.catalogue.matching import FileNames, leads_out, shown_paths
from data.catalogue.values import LONGEST_TEXT, CatalogueField, Value, ValueProblem, parse
from data.catalogue.writes import (
    Changed,
    NewField,
    ValueIds,
    declare_fields,
    prune_values,
    put_facts,
    remove_imported,
    with_imported,
)
from data.store import Store


@dataclass
class ImportReport:
    """What an import did: counts, and lists of rows without pictures, pictures without rows and problems.

    `rows_lost` counts pictures that had values of rows of an earlier file that this one lacks.
    """

    rows: int = 0
    pictures: int = 0
    unchanged: int = 0
    changed: Changed = field(default_factory=Changed)
    rows_lost: int = 0
    rows_without_pictures: Listing = field(default_factory=Listing)
    pictures_without_rows: Listing = field(default_factory=Listing)
    problems: Listing = field(default_factory=Listing)


@dataclass(frozen=True)
class _Seen:
    """The row that a picture has got its values of."""

    line: int
    key: str


class Importer:
    """Imports one table into a store."""

    def __init__(self, store: Store, names: FileNames, key: str, columns: Mapping[str, NewField]) -> None:
        """`key` is the column that names the picture of a row; `columns` are the fields that columns become."""
        self._store, self._names, self._key, self._columns = store, names, key, columns
        self._seen: dict[int, _Seen] = {}
        self._ids = ValueIds()
        self.report = ImportReport()

    def run(self, table: TableFile, progress: Progress, forget: bool = False) -> ImportReport:
        """Import all rows; with `forget` remove the values of rows that the file does not have any more.

        Raises RetroflexError.
        """
        with self._store.writing() as connection:
            fields = declare_fields(connection, list(self._columns.values()))
        by_column = {column: fields[new.name] for column, new in self._columns.items()}
        rows = table.rows(self.report.problems, progress)
        while batch := list(islice(rows, ROWS_AT_ONCE)):
            self._write(batch, by_column)
        self._finish(by_column, forget)
        return self.report

    def _write(self, batch: list[TableRow], fields: Mapping[str, CatalogueField]) -> None:
        values: dict[int, dict[int, Value | None]] = {}
        empty = dict.fromkeys(fields, "")
        for row in batch:
            self.report.rows += 1
            for item in self._pictures_of(row):
                values[item] = read_values(empty | dict(row.cells), fields, partial(self._problem, row.line))
        if not values:
            return
        with self._store.writing() as connection:
            changed = put_facts(connection, values, ids=self._ids)
        self.report.changed += changed
        self.report.unchanged += len(values) - changed.pictures
        self.report.pictures += len(values)

    def _pictures_of(self, row: TableRow) -> list[int]:
        """Return the pictures of a row, without those that an earlier row describes."""
        key = " ".join(row.cells.get(self._key, "").split())
        if not key:
            self._problem(row.line, f"has no {self._key}, which names its picture")
            return []
        items = self._names.find(key)
        if not items:
            entry = {"line": row.line, "key": key[:LONGEST_TEXT]}
            reason = {"reason": "leads out of the folder of pictures"} if leads_out(key) else {}
            self.report.rows_without_pictures.append(entry | reason)
        new = [item for item in items if item not in self._seen]
        for item in items:
            before = self._seen.setdefault(item, _Seen(row.line, key))
            if item not in new:
                self._problem(row.line, _twice(self._key, key, before))
                break
        return new

    def _problem(self, line: int, what: str) -> None:
        self.report.problems.append(f"line {line}: {what}")

    def _finish(self, fields: Mapping[str, CatalogueField], forget: bool) -> None:
        here = {picture_id for _, picture_id in self._names}
        field_ids = [one.id for one in fields.values()]
        with self._store.reading() as connection:
            lost = (with_imported(connection, fields[self._key].id) & here) - self._seen.keys()
        self.report.rows_lost = len(lost)
        with self._store.writing() as connection:
            if forget and lost:
                self.report.changed += remove_imported(connection, lost, field_ids)
            prune_values(connection, field_ids)
        for path in shown_paths(self._names, set(self._seen)):
            self.report.pictures_without_rows.append(path)


def read_values(
    cells: Mapping[str, str], fields: Mapping[str, CatalogueField], problem: Callable[[str], None]
) -> dict[int, Value | None]:
    """Return the value of each field by its id, None for an empty cell. Cells that are no value of the field's type
    are told to `problem`, and leave what is stored as it is; so do columns that the row does not have."""
    values: dict[int, Value | None] = {}
    for column, of in fields.items():
        if column not in cells:
            continue
        try:
            values[of.id] = parse(of.type, cells[column])
        except ValueProblem as error:
            problem(f"{column} {_shown(cells[column])} {error}; left out")
    return values


def _shown(cell: str) -> str:
    return ascii(cell[:40]) if len(cell) <= 40 else f"{cell[:40]!a}…"


def _twice(column: str, key: str, before: _Seen) -> str:
    if before.key == key:
        return f"has the {column} {_shown(key)} of line {before.line} again; line {before.line} counts"
    return (
        f"its picture is that of line {before.line} too, since the files of {_shown(before.key)} and {_shown(key)} "
        f"have the same content; line {before.line} counts"
    )
