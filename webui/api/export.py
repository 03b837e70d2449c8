"""Exports of hits, of a filtered library or of a selection, as CSV, JSON or ZIP, made in constant memory."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from http import HTTPStatus
from tempfile import SpooledTemporaryFile
from typing import IO, Annotated, Any, Literal, NamedTuple, TypedDict
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from flask import Blueprint, Response, request

from data import limits
from data.catalogue.attribution import COLUMNS as CREDITED
from data.catalogue.attribution import attribution
from data.limits import Limits
from data.paths import clean_text
from data.store import Store, StoredPicture
from retrieval.search.fields import COUNT, FIELDS, RELEVANCE
from retrieval.search.results import values_of
from webui.api.answers import ranked
from webui.api.streams import StreamLimit
from webui.media import read_original
from webui.openapi.classes import PREDICTED
from webui.openapi.operations import Parameter, operation
from webui.problems import Problem
from webui.request.filters import catalogue, default_order, read_filters, read_order
from webui.request.search_request import SEARCH, read_search_request
from webui.request.values import body_field, known_value, read_body
from webui.services import services

PREDICTED_COLUMN = "predicted"
"""Which values of the catalogue are predicted, with the confidence: articleType 0.93 | gender 0.8."""
FIELD_COLUMNS = tuple(column for field in FIELDS for column in field.columns)
COLUMNS = ("id", "paths", "caption", "captions", "score", *(column.name for column in FIELD_COLUMNS), PREDICTED_COLUMN)
BETWEEN = " | "
"""Between several paths or captions in one cell."""
PIECE = 2**20
LONGEST_NAME = 100
MISSING = "MISSING.txt"
ATTRIBUTION = "ATTRIBUTION.csv"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_RESERVED = re.compile(r"(CON|PRN|AUX|NUL|CLOCK\$|CONIN\$|CONOUT\$|(COM|LPT)[0-9¹²³])", re.IGNORECASE)
"""Names of devices on Windows, with any suffix."""
_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]+')


class Exported(NamedTuple):
    """A picture, and its score in a search."""

    picture: StoredPicture
    score: float | None


def as_csv(pictures: Iterable[Exported], names: Sequence[str] = ()) -> Iterator[bytes]:
    """Yield a table in UTF-8 with a header; a text that a spreadsheet would take for a formula begins with '.

    `names` are fields of the catalogue, whose columns come last.
    """
    yield csv_line(map(as_cell, (*COLUMNS, *names)))
    for one in pictures:
        facts = _facts(one)
        cells = facts | {name: BETWEEN.join(facts[name]) for name in ("paths", "captions")}
        cells[PREDICTED_COLUMN] = BETWEEN.join(f"{name} {sure:g}" for name, sure in facts["predicted"].items())
        values = [*(cells[name] for name in COLUMNS), *(facts["fields"].get(name) for name in names)]
        yield csv_line(map(as_cell, values))


def as_json(pictures: Iterable[Exported]) -> Iterator[bytes]:
    """Yield one document, {"pictures": [...]}, whose members are the columns of the table, those of the catalogue as
    `fields`."""
    before = b'{"pictures": [\n'
    for one in pictures:
        yield before + json.dumps(_facts(one), ensure_ascii=False).encode()
        before = b",\n"
    yield b"\n]}\n" if before == b",\n" else before + b"]}\n"


def as_zip(pictures: Iterable[Exported], limits: Limits) -> Iterator[bytes]:
    """Yield an archive of the files, uncompressed; missing ones are listed in MISSING.txt inside, and ATTRIBUTION.csv
    says whose the others are, where the catalogue knows.

    Only a file that still holds what was indexed is included. One file is in memory at a time.
    """
    sink, names, missing = _Sink(), _Names(), list[str]()
    with ZipFile(sink, "w", ZIP_STORED) as archive, SpooledTemporaryFile(PIECE) as credits:
        for picture, _ in pictures:
            try:
                content = read_original(picture, limits)
            except Problem:
                missing += picture.shown_paths or [f"picture {picture.id}"]
                continue
            name = names.name(picture)
            _credit(credits, name, picture)
            with archive.open(ZipInfo(name, _moment(picture.taken_at)), "w") as entry:
                for start in range(0, len(content), PIECE):
                    entry.write(content[start : start + PIECE])
                    yield sink.take()
            yield sink.take()
        if credits.tell():
            credits.seek(0)
            with archive.open(ATTRIBUTION, "w") as entry:
                shutil.copyfileobj(credits, entry)
        if missing:
            archive.writestr(MISSING, "".join(f"{path}\n" for path in missing))
    yield sink.take()


def _credit(table: IO[bytes], name: str, picture: StoredPicture) -> None:
    """Add a row on whose the picture is, after a header; nothing where nobody says."""
    known = attribution(picture.facts)
    if not known:
        return
    if not table.tell():
        table.write(csv_line(("file", *CREDITED)))
    table.write(csv_line(map(as_cell, (name, *(known.get(column) for column in CREDITED)))))


class _Sink(io.RawIOBase):
    """Collects what is written until it is taken."""

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
    """Names inside an archive: the files' own, without characters that some systems refuse, each only once."""

    def __init__(self) -> None:
        self._taken = {MISSING.casefold(), ATTRIBUTION.casefold()}

    def name(self, picture: StoredPicture) -> str:
        stem, suffix = os.path.splitext(_valid_name(clean_text(os.path.basename(picture.paths[0]))))
        number, name = 1, f"{stem}{suffix}"
        while _key(name) in self._taken:
            number += 1
            name = f"{stem} ({number}){suffix}"
        self._taken.add(_key(name))
        return name


def _valid_name(name: str) -> str:
    """Return a file's name as every system accepts it."""
    stem, suffix = os.path.splitext(_UNSAFE.sub("_", name).strip(" ."))
    stem, suffix = _shortened(stem, LONGEST_NAME) or "picture", _shortened(suffix, 10)
    return f"_{stem}{suffix}" if _RESERVED.fullmatch(stem.partition(".")[0].rstrip()) else f"{stem}{suffix}"


def _key(name: str) -> str:
    """Return what is equal for names that some file system takes for the same."""
    return unicodedata.normalize("NFC", name).casefold()


def _shortened(name: str, longest: int) -> str:
    """Return the beginning of a name, in UTF-8 at most twice as many bytes; Windows drops a dot or space at its end."""
    return name[:longest].encode()[: 2 * longest].decode(errors="ignore").rstrip(" .")


def _facts(one: Exported) -> dict[str, Any]:
    picture = one.picture
    return (
        {
            "id": picture.id,
            "paths": picture.shown_paths,
            "caption": next(iter(picture.texts), ""),
            "captions": picture.texts,
            "score": one.score,
        }
        | {column.name: column.read(picture) for column in FIELD_COLUMNS}
        | values_of(picture)
    )


def as_cell(value: Any) -> Any:
    """Return a value of a table; a text that a spreadsheet would take for a formula begins with '."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def csv_line(cells: Iterable[Any]) -> bytes:
    """Return a line of a table in UTF-8."""
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue().encode()


def _moment(taken_at: datetime | None) -> tuple[int, int, int, int, int, int]:
    """ZIP supports the years 1980 to 2107 only."""
    if taken_at is None or not 1980 <= taken_at.year <= 2107:
        return (1980, 1, 1, 0, 0, 0)
    return (taken_at.year, taken_at.month, taken_at.day, taken_at.hour, taken_at.minute, taken_at.second)


FORMATS = ("csv", "json", "zip")
MIMETYPES = {"csv": "text/csv", "json": "application/json", "zip": "application/zip"}
MOST_FILES = 10_000
"""Pictures in one archive, and ids in one request."""
AT_ONCE = 2
"""Each takes a thread of the server until it is done, and the memory of one file."""
CHUNK = 200

export = Blueprint("export", __name__, url_prefix="/api/v1")
_exports = StreamLimit(AT_ONCE, "too many exports are running; try again when they are done")
_FORMAT = Parameter(
    "format",
    Annotated[list[Literal[(*FORMATS, *limits.FORMATS)]], {"minItems": 1}],  # type: ignore[valid-type]
    "csv or json for data, zip for the files; further values filter by the format of pictures",
    required=True,
)
_PROBLEMS = (404, 503)


class Selected(TypedDict):
    """Pictures of the library, and the format of the export."""

    format: Literal[FORMATS]  # type: ignore[valid-type]
    ids: Annotated[list[COUNT], {"maxItems": MOST_FILES}]


ExportedPicture = TypedDict(  # type: ignore[misc]
    "ExportedPicture",
    {"id": COUNT, "paths": list[str], "caption": str, "captions": list[str], "score": float | None}
    | {column.name: column.type for column in FIELD_COLUMNS}
    | {"fields": dict[str, Any], "predicted": PREDICTED},
)
ExportedPicture.__doc__ = "A picture; the score is that of a search."


class ExportedPictures(TypedDict):
    """An export as JSON."""

    pictures: list[ExportedPicture]


_ANSWER = {MIMETYPES["csv"]: str, MIMETYPES["json"]: ExportedPictures, MIMETYPES["zip"]: bytes}


@export.get("/export")
@operation(
    answer=_ANSWER,
    problems=_PROBLEMS,
    query=(_FORMAT, *(one for one in SEARCH if not (isinstance(one, Parameter) and one.name == "format"))),
)
def export_hits() -> Response:
    """All hits of a search, or without a query all pictures that the filters keep, as a file."""
    fields = request.args.copy()
    given = fields.poplist("format")
    forms = [one for one in given if one in FORMATS]
    fields.setlist("format", [one for one in given if one not in FORMATS])
    form = _form(forms[0] if len(forms) == 1 else None)
    library = services().library
    if not request.args.keys() & {"q", "like", "face"}:
        order = read_order(fields, queried=True)
        order = default_order(bool(fields.get("album")), queried=False) if order == RELEVANCE.name else order
        return exported(form, library.collection.browse(read_filters(fields), order).tolist())
    return exported(form, *ranked(read_search_request(fields)))


@export.post("/export")
@operation(answer=_ANSWER, body=Selected, problems=(415, *_PROBLEMS))
def export_selection() -> Response:
    """A selection of pictures as a file, in the order of their ids in the request; unknown ids are left out."""
    body = read_body()
    form, ids = _form(known_value(body, "format", FORMATS)), body_field(body, "ids", list)
    if not all(type(one) is int and 0 <= one < 2**63 for one in ids):
        raise Problem(HTTPStatus.BAD_REQUEST, "the field ids must list ids of pictures")
    if len(ids) > MOST_FILES:
        raise Problem(HTTPStatus.BAD_REQUEST, f"{len(ids):,} pictures are selected; select at most {MOST_FILES:,}")
    return exported(form, list(dict.fromkeys(ids)))


def _form(given: str | None) -> str:
    if given is None:
        raise Problem(HTTPStatus.BAD_REQUEST, f"format must name one of {', '.join(FORMATS)}")
    return given


def exported(form: str, ids: Sequence[int], scores: Sequence[float] | None = None) -> Response:
    """Return pictures as a file to download. Raise Problem 400 for too many files."""
    if form == "zip" and len(ids) > MOST_FILES:
        raise Problem(HTTPStatus.BAD_REQUEST, f"{len(ids):,} files are too many for one archive; filter more")
    pictures = _pictures(services().library.store, ids, scores)
    limits = services().library.settings.limits
    made = {
        "csv": lambda: as_csv(pictures, [field.of.name for field in catalogue()]),
        "json": lambda: as_json(pictures),
        "zip": lambda: as_zip(pictures, limits),
    }[form]()
    response = Response(_exports.stream(made), mimetype=MIMETYPES[form])
    response.headers["Content-Disposition"] = f'attachment; filename="retroflex.{form}"'
    response.headers["Cache-Control"] = "no-store"
    return response


def _pictures(store: Store, ids: Sequence[int], scores: Sequence[float] | None) -> Iterator[Exported]:
    """Read the pictures in chunks; those removed in the meantime are left out."""
    for start in range(0, len(ids), CHUNK):
        piece = ids[start : start + CHUNK]
        score_of: dict[int, Any] = dict(zip(piece, scores[start : start + CHUNK], strict=True)) if scores else {}
        for picture in store.pictures(piece).values():
            yield Exported(picture, score_of.get(picture.id))
