"""Read the rows of a table file, CSV, TSV, JSON lines or Parquet, one after the other: a file of any size fits."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, NamedTuple

from data.errors import RetroflexError, one_line
from data.paths import display
from data.tabular import Problems, fitting, parsed

DELIMITERS = {".csv": ",", ".tsv": "\t", ".txt": ","}
JSON_LINES = (".jsonl", ".ndjson")
PARQUET = ".parquet"
SUFFIXES = (*DELIMITERS, *JSON_LINES, PARQUET)

MOST_COLUMNS = 200
LONGEST_LINE = 4 * 2**20
"""Characters of a line; longer ones are left out."""
ROWS_AT_ONCE = 1000
FALLBACK = "cp1252"
"""What a file that is not UTF-8 is read as: Latin-1 as Windows extends it."""
_HEAD = 4096
_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_OTHERS = ((";", "';'"), ("\t", "tab"), ("|", "'|'"), (",", "','"))

Cells = Mapping[str, str]
"""The text of each column of a row; a JSON object may lack some."""


class TableRow(NamedTuple):
    """A row and the line on which it begins, from 1; in Parquet the number of the row."""

    line: int
    cells: Cells


Progress = Callable[[int, int], None]
"""Gets how much of the file is read, and all of it: bytes, or rows of Parquet."""


@dataclass(frozen=True)
class TableFile:
    """A table file, and how it is read; `delimiter` is used for text only. Use `open_table`."""

    path: Path
    kind: str
    delimiter: str = ","
    encoding: str = "utf-8"
    columns: Sequence[str] = field(default_factory=tuple)

    def rows(self, problems: Problems, progress: Progress = lambda done, of: None) -> Iterator[TableRow]:
        """Yield the rows; those that cannot be read are named in `problems`. Raises RetroflexError."""
        if self.kind == PARQUET:
            yield from _parquet_rows(self.path, progress)
            return
        with _opened(self.path) as binary:
            text = self.text(binary)
            size = max(1, self.path.stat().st_size)
            lines = _lines(text, problems, lambda: progress(min(binary.tell(), size), size))
            try:
                yield from (
                    self._json_rows(lines, problems) if self.kind in JSON_LINES else self._fields(lines, problems)
                )
            except UnicodeError as error:
                raise EncodingProblem(_not_encoded(self.path, self.encoding)) from error

    def text(self, binary: IO[bytes]) -> IO[str]:
        """Return the text of the file, its line ends as they are."""
        return io.TextIOWrapper(binary, self.encoding, "replace" if self.encoding == FALLBACK else "strict", "")

    def _fields(self, lines: Iterator[str], problems: Problems) -> Iterator[TableRow]:
        rows = ((line, fields) for line, fields in parsed(lines, self.delimiter, problems) if any(fields))
        next(rows, None)
        for line, fields in fitting(rows, len(self.columns), problems):
            yield TableRow(line, dict(zip(self.columns, fields, strict=True)))

    def _json_rows(self, lines: Iterator[str], problems: Problems) -> Iterator[TableRow]:
        for line, text in enumerate(lines, 1):
            if text.strip():
                try:
                    row = json.loads(text)
                    if not isinstance(row, dict):
                        raise ValueError
                    yield TableRow(line, {" ".join(name.split()): as_text(value) for name, value in row.items()})
                except (ValueError, RecursionError):
                    problems.append(f"line {line}: is no JSON object; write one object a line")


class EncodingProblem(RetroflexError):
    """A file is not in the encoding in which it was read."""


def open_table(path: Path, delimiter: str | None = None, encoding: str | None = None) -> TableFile:
    """Return the table in a file, with its columns; of JSON lines they are known only once all were read.

    `encoding` is found by marks at the beginning, else UTF-8. Raises RetroflexError where the file cannot be read, is
    empty, has no header, or one column only.
    """
    kind = path.suffix.lower()
    if kind not in SUFFIXES:
        raise RetroflexError(f"{display(path)} is no table; give a {', '.join(SUFFIXES)} file")
    if kind == PARQUET:
        return TableFile(path, kind, columns=_checked(path, _parquet(path).schema_arrow.names))
    if delimiter is not None and len(delimiter) != 1:
        raise RetroflexError(
            f"the separator must be one character, not {delimiter!r}; for tabs give --delimiter $'\\t'"
        )
    table = TableFile(path, kind, delimiter or DELIMITERS.get(kind, ","), _encoding(path, encoding))
    if kind in JSON_LINES:
        return table
    try:
        return _with_header(table)
    except EncodingProblem:
        if encoding is not None:
            raise
        return _with_header(in_fallback(table))


def in_fallback(table: TableFile) -> TableFile:
    """Return the same table, read as Latin-1."""
    return replace(table, encoding=FALLBACK)


def _with_header(table: TableFile) -> TableFile:
    problems: list[str] = []
    with _opened(table.path) as binary:
        text = table.text(binary)
        try:
            rows = parsed(_lines(text, problems, lambda: None), table.delimiter, problems)
            header = next((fields for _, fields in rows if any(fields)), [])
        except UnicodeError as error:
            raise EncodingProblem(_not_encoded(table.path, table.encoding)) from error
    if problems:
        raise RetroflexError(f"the header of {display(table.path)} cannot be read: {problems[0]}")
    if not header:
        raise RetroflexError(f"{display(table.path)} is empty; its first line must name the columns")
    if len(header) == 1:
        raise RetroflexError(_one_column(table, header[0]))
    columns = [" ".join(name.split()) for name in header]
    while columns and not columns[-1]:
        columns.pop()
    return replace(table, columns=_checked(table.path, columns))


def _one_column(table: TableFile, header: str) -> str:
    found = max(_OTHERS, key=lambda one: header.count(one[0]))
    shown = f"{display(table.path)} has one column only, {header[:60]!r}"
    if not header.count(found[0]):
        return f"{shown}; it needs a key and at least one column of facts"
    given = "$'\\t'" if found[0] == "\t" else found[1]
    return f"{shown}; the separator looks like {found[1]}: add --delimiter {given}"


def _checked(path: Path, columns: Sequence[str]) -> tuple[str, ...]:
    twice = next((name for number, name in enumerate(columns) if name and name in columns[:number]), None)
    if twice is not None:
        raise RetroflexError(f"{display(path)} has two columns named {twice[:60]!r}; give one another name in the file")
    if len(columns) > MOST_COLUMNS:
        raise RetroflexError(f"{display(path)} has {len(columns):,} columns; at most {MOST_COLUMNS} can be imported")
    return tuple(name or f"column {number}" for number, name in enumerate(columns, 1))


def _opened(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as error:
        raise RetroflexError(f"{display(path)} cannot be read: {error.strerror}") from error


def _encoding(path: Path, given: str | None) -> str:
    if given is not None:
        try:
            "".encode(given)
        except LookupError as error:
            raise RetroflexError(
                f"there is no encoding {given!r}; give one such as utf-8, latin-1 or utf-16"
            ) from error
        return given
    with _opened(path) as file:
        try:
            head = file.read(_HEAD)
        except OSError as error:
            raise RetroflexError(f"{display(path)} cannot be read: {error.strerror}") from error
    marked = next((name for mark, name in _MARKS if head.startswith(mark)), None)
    if marked is not None:
        return marked
    even, odd = head[::2].count(0), head[1::2].count(0)
    if even + odd > len(head) // 3:  # UTF-16 without a mark: every second byte of plain letters is NUL
        return "utf-16-le" if odd > even else "utf-16-be"
    return "utf-8"


def _not_encoded(path: Path, encoding: str) -> str:
    return f"{display(path)} is not {encoding}; save it as UTF-8, or name its encoding with --encoding"


def _lines(text: IO[str], problems: Problems, read: Callable[[], None]) -> Iterator[str]:
    """Yield the lines with their ends; those that are too long, or hold NUL bytes, are blank."""
    number = 0
    while line := text.readline(LONGEST_LINE):
        number += 1
        if number % ROWS_AT_ONCE == 0:
            read()
        if len(line) == LONGEST_LINE and not line.endswith(("\n", "\r")):
            while (rest := text.readline(LONGEST_LINE)) and not rest.endswith(("\n", "\r")):
                pass
            problems.append(f"line {number}: has more than {LONGEST_LINE:,} characters; left out")
            line = "\n"
        elif "\0" in line:
            problems.append(f"line {number}: has NUL bytes, which no text has; save the file as UTF-8 text")
            line = "\n"
        yield line
    read()


def as_text(value: Any) -> str:
    """Return a value of JSON or Parquet as the text that a CSV file would have."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(as_text, value))
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return str(value)


def _parquet(path: Path) -> Any:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ModuleNotFoundError as error:
        raise RetroflexError(
            "reading Parquet needs pyarrow; install it with pip install 'retroflex[parquet]', or give a CSV file"
        ) from error
    try:
        return ParquetFile(path)
    except (ArrowException, OSError, ValueError) as error:
        raise RetroflexError(f"{display(path)} cannot be read as Parquet: {one_line(error)[:200]}") from error


def _parquet_rows(path: Path, progress: Progress) -> Iterator[TableRow]:
    file, line = _parquet(path), 0
    names = _checked(path, file.schema_arrow.names)
    try:
        for batch in file.iter_batches(batch_size=ROWS_AT_ONCE):
            for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                line += 1
                yield TableRow(line, dict(zip(names, map(as_text, values), strict=True)))
            progress(line, file.metadata.num_rows)
    except (OSError, ValueError) as error:  # which ArrowException is
        raise RetroflexError(f"{display(path)} is damaged: {one_line(error)[:200]}") from error
