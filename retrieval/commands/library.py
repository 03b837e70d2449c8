"""`retroflex status` and `retroflex remove`."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import click

from data.identity import DAYS_KEPT
from data.paths import clean_text, display, to_bytes
from data.settings import load_settings
from data.soundness import count_damaged
from retrieval.commands.options import json_option, library_option, print_json
from retrieval.library import Library


@click.command()
@library_option
@json_option
def status(library: Path | None, as_json: bool) -> None:
    """Show what the library holds."""
    settings = load_settings(library=library)
    opened = Library.open(settings)
    facts = {"library": display(settings.library), **asdict(opened.store.status())}
    with opened.store.reading() as connection:
        facts["damaged"] = count_damaged(connection)
    skipped = [{"path": clean_text(path), "reason": reason} for path, reason in opened.store.skipped_files()]
    if as_json:
        print_json({**facts, "skipped_files": skipped})
        return
    for name, value in facts.items():
        click.echo(f"{name.replace('_', ' '):15} {_plain(value)}")
    if facts["absent"]:
        click.echo(f"absent pictures are kept for {DAYS_KEPT} days, captions by people for ever; connect their disk?")
    if facts["damaged"]:
        click.echo("damaged rows are left out of all listings; `retroflex check` mends what it can")
    for skip in skipped:
        click.echo(f"skipped: {skip['path']} {skip['reason']}")


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@library_option
def remove(paths: tuple[Path, ...], library: Path | None) -> None:
    """Forget the pictures at or below PATHS. Nothing on disk is touched."""
    opened = Library.open(load_settings(library=library))
    forgotten = opened.store.remove([to_bytes(Path(os.path.abspath(path))) for path in paths])
    click.echo(f"{forgotten} files forgotten")


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} ({count:,} pictures)" for name, count in value.items()) or "none"
    return f"{value:,}" if isinstance(value, int) else str(value)
