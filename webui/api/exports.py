"""Pictures as a table, as JSON, or as an archive of their files: made piece by piece, in constant memory."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from data.limits import Limits
from data.paths import clean_text
from data.store import StoredPicture
from retrieval.search.fields import FIELDS
from webui.media.originals import read_original
from webui.problems import Problem

FIELD_COLUMNS = tuple(column for field in FIELDS for column in field.columns)
COLUMNS = ("id", "paths", "caption", "captions", "score", *(column.name for column in FIELD_COLUMNS))
BETWEEN = " | "
"""Between several paths or captions in one cell."""
PIECE = 2**20
LONGEST_NAME = 100
MISSING = "MISSING.txt"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]+')


class Exported(NamedTuple):
    """A picture, and its score where it was searched for."""

    picture: StoredPicture
    score: float | None


def as_csv(pictures: Iterable[Exported]) -> Iterator[bytes]:
    """Yield a table in UTF-8 with a header; a text that a spreadsheet would take for a formula begins with '."""
    yield _csv_line(COLUMNS)
    for one in pictures:
        facts = _facts(one)
        cells = facts | {name: BETWEEN.join(facts[name]) for name in ("paths", "captions")}
        yield _csv_line([_cell(cells[name]) for name in COLUMNS])


def as_json(pictures: Iterable[Exported]) -> Iterator[bytes]:
    """Yield one document, {"pictures": [...]}, whose members are the columns of the table."""
    before = b'{"pictures": [\n'
    for one in pictures:
        yield before + json.dumps(_facts(one), ensure_ascii=False).encode()
        before = b",\n"
    yield b"\n]}\n" if before == b",\n" else before + b"]}\n"


def as_zip(pictures: Iterable[Exported], limits: Limits) -> Iterator[bytes]:
    """Yield an archive of the files, stored as they are; those that are gone are listed in MISSING.txt inside.

    Only a file that still holds what was indexed is taken. At any time one file is in memory.
    """
    sink, names, missing = _Sink(), _Names(), list[str]()
    with ZipFile(sink, "w", ZIP_STORED) as archive:
        for picture, _ in pictures:
            try:
                content = read_original(picture, limits)
            except Problem:
                missing += picture.shown_paths or [f"picture {picture.id}"]
                continue
            with archive.open(ZipInfo(names.name(picture), _moment(picture.taken_at)), "w") as entry:
                for start in range(0, len(content), PIECE):
                    entry.write(content[start : start + PIECE])
                    yield sink.take()
            yield sink.take()
        if missing:
            archive.writestr(MISSING, "".join(f"{path}\n" for path in missing))
    yield sink.take()


class _Sink(io.RawIOBase):
    """Takes what is written until it is taken away."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:
        self._pieces.append(bytes(piece))
        return len(piece)

    def take(self) -> bytes:
        content = b"".join(self._pieces)
        self._pieces.clear()
        return content


class _Names:
    """Names inside an archive: the files' own, without what some system may not take, and each only once."""

    def __init__(self) -> None:
        self._taken = {MISSING.casefold()}

    def name(self, picture: StoredPicture) -> str:
        own = clean_text(os.path.basename(picture.paths[0]))
        stem, suffix = os.path.splitext(_UNSAFE.sub("_", own).strip(" ."))
        stem = stem[:LONGEST_NAME] or "picture"
        number, name = 1, f"{stem}{suffix[:10]}"
        while name.casefold() in self._taken:
            number += 1
            name = f"{stem} ({number}){suffix[:10]}"
        self._taken.add(name.casefold())
        return name


def _facts(one: Exported) -> dict[str, Any]:
    picture = one.picture
    return {
        "id": picture.id,
        "paths": picture.shown_paths,
        "caption": next(iter(picture.texts), ""),
        "captions": picture.texts,
        "score": one.score,
    } | {column.name: column.read(picture) for column in FIELD_COLUMNS}


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _csv_line(cells: Iterable[Any]) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue().encode()


def _moment(taken_at: datetime | None) -> tuple[int, int, int, int, int, int]:
    """The format knows the years 1980 to 2107 only."""
    if taken_at is None or not 1980 <= taken_at.year <= 2107:
        return (1980, 1, 1, 0, 0, 0)
    return (taken_at.year, taken_at.month, taken_at.day, taken_at.hour, taken_at.minute, taken_at.second)
