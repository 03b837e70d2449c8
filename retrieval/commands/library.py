"""`retroflex status` and `retroflex remove`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import click

from data.errors import RetroflexError
from data.identity import DAYS_KEPT
from data.notices import Notices, noted_pictures, read_notices
from data.paths import clean_text, display, to_bytes
from data.remote import located
from data.roots import Root, count_root, forget, lies_in, read_roots
from data.settings import IN_INDEX, load_settings
from data.text import plural
from retrieval.commands.options import EMPTY, json_option, library_option, print_json, remark
from retrieval.library import Library, library_model

ASK_ABOVE = 100
"""Forgetting more pictures than this has to be confirmed."""


@click.command()
@library_option
@json_option
def status(library: Path | None, as_json: bool) -> None:
    """Show what the library holds."""
    opened = Library.open(load_settings(library=library))
    notices = read_notices(opened.store)
    noted = [{"path": clean_text(one.path), "notes": one.notes} for one in noted_pictures(opened.store)]
    skipped = [{"path": clean_text(path), "reason": reason} for path, reason in opened.store.skipped_files()]
    if as_json:
        facts = {"library": display(opened.settings.library), **asdict(opened.store.status()), **notices._asdict()}
        told = _candidates_told(opened)
        print_json({**facts, **({"bleu": told} if told else {}), "skipped_files": skipped, "noted_pictures": noted})
        return
    for name, text in _facts(opened, notices).items():
        click.echo(f"{name:10} {text}")
    for root in read_roots(opened.store):
        click.echo(f"{'folder':10} {_folder(opened, root)}")
    for skip in skipped:
        click.echo(f"skipped: {skip['path']} {skip['reason']}")
    for one in noted:
        click.echo(f"note: {one['path']} {'; '.join(one['notes'])}")


def _facts(library: Library, notices: Notices) -> Mapping[str, str]:
    """Return what a person needs to know of the library, by name."""
    status = library.store.status()
    model = library_model(library.settings, status)
    facts = {
        "library": display(library.settings.library),
        "pictures": EMPTY if not status.pictures else f"{status.pictures:,} in {plural(status.files, 'file')}",
        "captions": f"{status.captions:,}, {status.user_captions:,} of them yours",
        "skipped": plural(status.skipped, "file"),
    }
    if told := _candidates_told(library):
        facts["BLEU"] = told
    if status.absent:
        facts["absent"] = (
            f"{plural(status.absent, 'picture')}, kept for {DAYS_KEPT} days, your captions longer; is a disk out?"
        )
    if notices.noted:
        facts["notes"] = f"{plural(notices.noted, 'picture')} could not be read completely, see below"
    if notices.damaged:
        facts["damaged"] = f"{notices.damaged:,} rows of the library, left out; `retroflex check` mends what it can"
    if model.version is None:
        return facts | {"captioner": "cannot be loaded; `retroflex caption` with a picture says why"}
    if model.stale:
        return facts | {"captioner": f"has not described {plural(model.stale, 'picture')} yet; `retroflex index` does"}
    return facts


def _candidates_told(library: Library) -> str:
    """Return where BLEU finds candidates if that was set, else ""."""
    if library.settings.bleu_candidates == IN_INDEX:
        return ""
    from retrieval.index.candidates import candidates_told  # a library without Milvus needs none of it

    return candidates_told(library.settings)


def _folder(library: Library, root: Root) -> str:
    when = f"indexed {root.indexed_at:%Y-%m-%d %H:%M} UTC" if root.indexed_at else "not fully indexed yet"
    return f"{clean_text(root.path)} ({plural(count_root(library.store, root).pictures, 'picture')}, {when})"


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help=f"Do not ask before more than {ASK_ABOVE} pictures are forgotten.")
@library_option
def remove(paths: tuple[Path, ...], library: Path | None, yes: bool) -> None:
    """Forget the pictures at or below PATHS, and the folders there that were indexed. Nothing on disk is touched."""
    opened = Library.open(load_settings(library=library))
    remembered = [root.path for root in read_roots(opened.store)]
    counts = {path: count_root(opened.store, Root(path)) for path in _outermost(paths)}
    missing = [
        path
        for path, count in counts.items()
        if not (count.files or count.skipped or any(lies_in(root, path) for root in remembered))
    ]
    if missing:
        more = f" and {len(missing) - 1:,} more" if missing[1:] else ""
        raise RetroflexError(f"not in the library: {clean_text(missing[0])}{more}; nothing was removed")
    pictures = sum(count.pictures for count in counts.values())
    if pictures > ASK_ABOVE and not yes:
        _confirm(pictures)
    click.echo(f"{plural(forget(opened.store, list(counts)), 'file')} forgotten")
    for root in remembered:
        if any(lies_in(root, path) for path in counts):
            remark(f"{clean_text(root)} is forgotten too: `retroflex index` reads it no more unless it is named")
        elif any(lies_in(path, root) for path in counts):
            remark(f"{clean_text(root)} is still remembered: the next `retroflex index` finds there what was removed")


def _outermost(paths: Sequence[Path]) -> list[bytes]:
    """Return the absolute paths, without those below others."""
    wanted = dict.fromkeys(to_bytes(located(path)) for path in paths)
    return [path for path in wanted if not any(path != other and lies_in(path, other) for other in wanted)]


def _confirm(pictures: int) -> None:
    """Ask a person. Raises RetroflexError if there is none or the answer is no."""
    if not sys.stdin.isatty():
        raise RetroflexError(f"this would forget {plural(pictures, 'picture')}; add --yes to do so")
    if not click.confirm(
        f"Forget {plural(pictures, 'picture')}? Files stay; your captions return when they are indexed again."
    ):
        raise RetroflexError("nothing was removed")
