"""The report at the end of `retroflex index`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from data.films.kinds import INSTALL, can_read_films
from data.films.kinds import SUFFIXES as FILM_SUFFIXES
from data.kinds import counted, passed_over_text
from data.machine_made import left_out_text
from data.paths import display
from data.settings import Settings
from data.text import plural
from retrieval.commands.options import print_json, remark
from retrieval.faces.indexing import FaceReport
from retrieval.indexing.indexer import Report

SHOWN_SKIPPED = 5
LABELS = {"known_content": "captioned before under another name", "gone": "no longer there"}
"""How the counts read that do not explain themselves by their names in JSON."""


def print_report(
    report: Report, added: Mapping[str, int], settings: Settings, as_json: bool, faces: FaceReport | None = None
) -> None:
    """Print what a run did; `added` are the numbers of pictures that further encoders described, by name.

    `faces` is None where no faces were looked for.
    """
    counts = {
        "captioned": report.captioned,
        "known_content": report.known_content,
        "unchanged": report.unchanged,
        "gone": report.gone,
        "skipped": len(report.skipped),
    }
    skipped = [{"path": display(skip.path), "reason": skip.reason} for skip in report.skipped]
    for warning in report.warnings:
        remark(warning)
    noted = [{"path": display(note.path), "note": note.reason} for note in report.notes]
    films = vars(report.films)
    if as_json:
        not_read = {"passed_over": counted(report.passed_over), "left_out": report.left_out}
        listed = {"features": added, "warnings": report.warnings, "notes": noted, "skipped_files": skipped}
        found = {} if faces is None else {"faces": _faces_as_json(faces)}
        print_json({"library": display(settings.library), **counts, "films": films, **not_read, **found, **listed})
        return
    click.echo(", ".join(f"{count:,} {LABELS.get(name, name)}" for name, count in counts.items()))
    described = [f"{name}: {pictures:,} pictures described" for name, pictures in added.items()]
    for line in [*films_indexed(report), *not_indexed(report), *described, *_face_lines(faces)]:
        click.echo(line)
    for skip in skipped[:SHOWN_SKIPPED]:
        click.echo(f"skipped: {skip['path']} {skip['reason']}")
    if len(skipped) > SHOWN_SKIPPED:
        click.echo(
            f"... and {len(skipped) - SHOWN_SKIPPED} more; `retroflex status` lists them, --errors FILE keeps them"
        )
    for note in noted[:SHOWN_SKIPPED]:
        click.echo(f"note: {note['path']} {note['note']}")
    if len(noted) > SHOWN_SKIPPED:
        click.echo(f"... and {len(noted) - SHOWN_SKIPPED} more notes; `retroflex status` lists them")
    if report.is_empty:
        click.echo("no pictures found there")


def _faces_as_json(faces: FaceReport) -> dict[str, Any]:
    unreadable = [{"path": display(skip.path), "reason": skip.reason} for skip in faces.unreadable]
    return {"pictures": faces.pictures, "faces": faces.faces, "unreadable": unreadable}


def _face_lines(faces: FaceReport | None) -> list[str]:
    if faces is None:
        return []
    lines = [f"faces: {faces.faces:,} found in {plural(faces.pictures, 'picture')}"]
    return lines + [f"no faces: {display(skip.path)} {skip.reason}" for skip in faces.unreadable[:SHOWN_SKIPPED]]


def films_indexed(report: Report) -> list[str]:
    """Return a line on the films that were indexed, if there are any."""
    counts = report.films
    if not (counts.films or counts.live_photos):
        return []
    told = [f"{plural(counts.films, 'film')} by {plural(counts.frames, 'frame')}"] if counts.films else []
    told += [f"{plural(counts.live_photos, 'film')} of Live Photos"] if counts.live_photos else []
    return [f"films: {', '.join(told)}"]


def not_indexed(report: Report) -> list[str]:
    """Return lines on the files that are no pictures and on machine-made folders, each only if there are any.

    Films are among the first where nothing reads them.
    """
    passed_over, left_out = passed_over_text(report.passed_over), left_out_text(report.left_out)
    films = {end for end in report.passed_over if end.casefold() in FILM_SUFFIXES}
    lines = [f"passed over: {passed_over}"] if passed_over else []
    lines += [f"to index films: {INSTALL}"] if films and not can_read_films() else []
    return lines + ([f"left out: {left_out}; --include takes them"] if left_out else [])


def nothing_found(report: Report) -> str:
    """Return why no library was made: one line."""
    return "; ".join(["no pictures found there, so no library was made", *not_indexed(report)])
