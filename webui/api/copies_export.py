"""The files that a person decided not to keep, as a table or as a shell script that moves them to a folder.

Retroflex itself moves and deletes nothing: the script is for a person to read and to run.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from flask import Blueprint, Response, request

from data.paths import clean_text
from retrieval.copies.duplicates import KINDS
from retrieval.copies.keeping import NotKept, facts_of, not_kept
from webui.api.duplicates import groups_of
from webui.api.export import as_cell, csv_line
from webui.openapi.operations import Parameter, operation
from webui.request.values import known_value
from webui.services import services

FORMATS = ("csv", "sh")
COLUMNS = ("path", "kept", "kind", "bytes")
_MIMETYPES = {"csv": "text/csv", "sh": "text/x-shellscript"}
_HEAD = """#!/bin/sh
# Moves the copies that you decided not to keep into a folder, which you can look through and delete.
# Usage: sh not-kept.sh FOLDER
# Nothing is overwritten, and a copy stays where the one that you keep in its place is missing.
set -u
to=${1:?name a folder to move the copies to, such as: sh not-kept.sh ~/not-kept}
mkdir -p -- "$to" || exit 1
number=0
move() {
  if [ -n "$2" ] && [ ! -f "$2" ]; then printf 'stays, as its other copy is missing: %s\\n' "$1" >&2; return; fi
  [ -f "$1" ] || return
  number=$((number + 1))
  mv -n -- "$1" "$to/$number-${1##*/}"
}
"""

copies_export = Blueprint("copies_export", __name__, url_prefix="/api/v1")


@copies_export.get("/duplicates/not-kept")
@operation(
    answer=dict.fromkeys(_MIMETYPES.values(), str),
    problems=(503,),
    query=(
        Parameter("kind", Literal[KINDS], "Of exact copies, or of near ones"),
        Parameter("format", Literal[FORMATS], "csv: a table; sh: a script that moves the files to a folder"),
    ),
)
def list_not_kept() -> Response:
    """The files that a person decided not to keep, with the one kept in the place of each."""
    kind = known_value(request.args, "kind", KINDS) or KINDS[0]
    form = known_value(request.args, "format", FORMATS) or FORMATS[0]
    groups = [group for group in groups_of(kind)[0] if group.decided]
    files = not_kept(groups, facts_of(services().library.store, groups))
    response = Response(b"".join(_WRITERS[form](files)), mimetype=_MIMETYPES[form])
    response.headers["Content-Disposition"] = f"attachment; filename=not-kept.{form}"
    response.headers["Cache-Control"] = "no-store"
    return response


def as_csv(files: Iterable[NotKept]) -> Iterator[bytes]:
    """Yield a table in UTF-8 with a header."""
    yield csv_line(COLUMNS)
    for one in files:
        yield csv_line(map(as_cell, (clean_text(one.path), clean_text(one.kept), one.kind, one.bytes)))


def as_script(files: Sequence[NotKept]) -> Iterator[bytes]:
    """Yield a shell script; paths keep their bytes, whatever characters these are."""
    yield _HEAD.encode()
    for one in files:
        line = f"move {shlex.quote(os.fsdecode(one.path))} {shlex.quote(os.fsdecode(one.kept))}\n"
        yield os.fsencode(line)


_WRITERS = {"csv": as_csv, "sh": as_script}
