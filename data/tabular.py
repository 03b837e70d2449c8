"""Read the rows of a CSV or TSV file, also of one written by hand."""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from data.errors import RetroflexError
from data.paths import display

SUFFIXES = {".csv": ",", ".tsv": "\t", ".txt": ","}  # the captions.txt of Kaggle's Flickr8k is a CSV file

Row = tuple[int, list[str]]
"""The line (from 1) on which a row begins, and its fields stripped of white space."""


class Problems(Protocol):
    """Takes a line about each row that was left out; a list does."""

    def append(self, line: str, /) -> None:
        """Take a line."""


def read_table(path: Path, problems: list[str]) -> tuple[list[str], list[Row]]:
    """Return the fields of the header and the rows with as many fields, without blank rows.

    Rows that are not UTF-8, badly quoted or of another length are skipped and named in `problems`. Raises
    RetroflexError when the file cannot be read, is empty, or its header is malformed.
    """
    bad_rows: list[str] = []
    rows = _well_formed(parsed(_lines(path), SUFFIXES[path.suffix.lower()], bad_rows), bad_rows)
    _, header = next(rows, (0, []))
    if bad_rows:
        raise RetroflexError(f"the header of {display(path)} cannot be read: {bad_rows[0]}")
    if not header:
        raise RetroflexError(f"{display(path)} is empty; its first line must name the columns")
    whole = list(fitting(rows, len(header), bad_rows))
    problems += [f"{display(Path(path.name))} {problem}" for problem in bad_rows]
    return header, whole


def _lines(path: Path) -> list[str]:
    """Lines with their ends, as the csv module needs them; str.splitlines also splits at form feeds."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RetroflexError(f"{display(path)} cannot be read: {error.strerror}") from error
    # Bytes that are not UTF-8 are kept as surrogates, so that only the row that holds them is lost.
    text = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="surrogateescape")
    return list(io.StringIO(text, newline=""))


def parsed(lines: Iterable[str], delimiter: str, problems: Problems) -> Iterator[Row]:
    """Parse row by row; after a bad row, continue with the next line, since an open quote consumes the rest.

    Only the lines of the present row are in memory, for an open quote those of 128 KiB.
    """
    remaining, again, begin = iter(lines), deque[str](), 1
    while True:
        taken: list[str] = []

        def next_lines(taken: list[str] = taken) -> Iterator[str]:
            while (line := again.popleft() if again else next(remaining, None)) is not None:
                taken.append(line)
                yield line

        try:
            for fields in csv.reader(next_lines(), delimiter=delimiter, skipinitialspace=True, strict=True):
                yield begin, [field.strip() for field in fields]
                begin += len(taken)
                taken.clear()
            return
        except csv.Error as error:
            problems.append(f"line {begin}: {_reason(error)}")
            again.extendleft(reversed(taken[1:]))
            begin += 1


def _reason(error: csv.Error) -> str:
    if "field limit" in str(error):
        return f"has a cell of more than {csv.field_size_limit():,} characters, or a quote that is not closed"
    return 'has a quote that is not closed; write one inside a quoted field as ""'


def _well_formed(rows: Iterator[Row], problems: Problems) -> Iterator[Row]:
    for line, fields in rows:
        if any("\udc80" <= character <= "\udcff" for field in fields for character in field):
            problems.append(f"line {line}: is not UTF-8; save the file as UTF-8")
        elif any(fields):
            yield line, fields


def fitting(rows: Iterator[Row], columns: int, problems: Problems) -> Iterator[Row]:
    """Yield the rows of the right length; spreadsheets may add empty fields at the end."""
    for line, fields in rows:
        if len(fields) < columns or any(fields[columns:]):
            problems.append(
                f"line {line}: the header has {columns} fields, this row {len(fields)}; "
                "a field that holds the separator needs quotes"
            )
        else:
            yield line, fields[:columns]
