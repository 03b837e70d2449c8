"""`retroflex index` and `retroflex caption`."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click
from tqdm import tqdm

from captioner.captioner import Captioner
from captioner.encoders.registry import build_further
from captioner.pipeline import ThreadExecutor, VectorDescriber, in_groups, read_files
from captioner.types import Caption, StagedDescriber
from data.children import end_with_parent
from data.errors import RetroflexError
from data.paths import display
from data.scan import Skip, scan
from data.settings import Settings, load_settings
from retrieval.commands.options import bundle_option, json_option, library_option, print_json
from retrieval.indexing.indexer import Report
from retrieval.indexing.run import Progress, plan_given, plan_remembered
from retrieval.indexing.run import run as run_plan
from retrieval.indexing.turn import take_turn
from retrieval.library import Library

SHOWN_SKIPPED = 5
LABELS = {"known_content": "captioned before under another name", "gone": "no longer there"}
"""How the counts read that do not explain themselves by their names in JSON."""


@click.command()
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path))
@library_option
@bundle_option
@click.option("--exclude", multiple=True, help="Leave out names or paths that match this pattern; may be repeated.")
@click.option("--keep-captions", is_flag=True, help="Leave pictures alone that another captioner has captioned.")
@click.option("--forget", is_flag=True, help="Forget pictures whose files are gone, instead of keeping them 30 days.")
@click.option("--features", metavar="NAME", multiple=True, help="Also add vectors by this encoder; may be repeated.")
@click.option("--errors", type=click.Path(path_type=Path), help="Write every skipped file and its reason to this file.")
@click.option("--json-progress", is_flag=True, help="Print a line of JSON for every step, for programs.")
@json_option
def index(
    folders: tuple[Path, ...],
    library: Path | None,
    bundle: Path | None,
    exclude: tuple[str, ...],
    keep_captions: bool,
    forget: bool,
    features: tuple[str, ...],
    errors: Path | None,
    json_progress: bool,
    as_json: bool,
) -> None:
    """Caption every new or changed picture in FOLDERS, by default in all folders indexed before; make it searchable."""
    end_with_parent()
    if exclude and not folders:
        raise RetroflexError("--exclude needs folders; remembered folders keep their own")
    settings = load_settings(library=library, bundle=bundle)
    opened = Library.open(settings, create=bool(folders))
    opened.store.check_writable()
    if errors is not None:
        errors.write_text("")  # If it cannot be written, fail before the work.
    added = {}
    with _progress_display(json_progress, quiet=as_json) as show, take_turn(settings.library, _announce, show) as turn:
        plan = plan_given(opened.store, folders, exclude) if folders else plan_remembered(opened.store)
        captioner = Captioner.load(settings.bundle)
        further = _further_describers(features, captioner)
        near_copy = captioner.search_model.calibration.near_copy

        def run(describer: StagedDescriber, recaption: bool) -> Report:
            shared = turn.sharing(show)
            return run_plan(plan, opened.store, describer, settings.limits, recaption, shared, near_copy, forget)

        report = run(captioner, not keep_captions)
        for name, describer in further.items():
            added[name] = run(describer, True).captioned
    opened.searcher()
    opened.merge()
    if errors is not None:
        errors.write_text("".join(f"{display(skip.path)}\t{skip.reason}\n" for skip in report.skipped))
    if not json_progress:
        _print_report(report, added, settings, as_json)


def _announce(line: str) -> None:
    click.echo(f"retroflex: {line}", err=True)


@contextmanager
def _progress_display(json_progress: bool, quiet: bool) -> Iterator[Progress]:
    """Show progress as lines of JSON, or as a bar on a terminal."""
    if json_progress:
        # The server stops it by SIGTERM: a process started in the background inherits that Ctrl-C is ignored.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        yield _print_step
        return
    with tqdm(desc="indexing", unit="pic", disable=True if quiet else None) as bar:
        yield lambda done, total, _: _update_bar(bar, done, total)


def _print_step(done: int, total: int, report: Report) -> None:
    step = {"done": done, "total": total, "captioned": report.captioned, "skipped": len(report.skipped)}
    click.echo(json.dumps(step))  # which flushes


def _update_bar(bar: tqdm, done: int, total: int) -> None:
    bar.total = total
    bar.update(done - bar.n)


def _further_describers(names: Sequence[str], captioner: Captioner) -> dict[str, VectorDescriber]:
    """Return describers by further encoders. Raises RetroflexError for an unknown name."""
    if not names:
        return {}
    own = captioner.search_model.encoder
    if own in names:
        raise RetroflexError(f"{own} is the captioner's own encoder; its vectors are always made")
    return {name: VectorDescriber(build_further(name)) for name in dict.fromkeys(names)}


def _print_report(report: Report, added: Mapping[str, int], settings: Settings, as_json: bool) -> None:
    counts = {
        "captioned": report.captioned,
        "known_content": report.known_content,
        "unchanged": report.unchanged,
        "gone": report.gone,
        "skipped": len(report.skipped),
    }
    skipped = [{"path": display(skip.path), "reason": skip.reason} for skip in report.skipped]
    for warning in report.warnings:
        click.echo(f"retroflex: {warning}", err=True)
    if as_json:
        listed = {"features": added, "warnings": report.warnings, "skipped_files": skipped}
        print_json({"library": display(settings.library), **counts, **listed})
        return
    click.echo(", ".join(f"{count:,} {LABELS.get(name, name)}" for name, count in counts.items()))
    for name, pictures in added.items():
        click.echo(f"{name}: {pictures:,} pictures described")
    for skip in skipped[:SHOWN_SKIPPED]:
        click.echo(f"skipped: {skip['path']} {skip['reason']}")
    if len(skipped) > SHOWN_SKIPPED:
        click.echo(
            f"... and {len(skipped) - SHOWN_SKIPPED} more; `retroflex status` lists them, --errors FILE keeps them"
        )
    if not any(counts.values()):
        click.echo("no pictures found there")


@click.command()
@click.argument("pictures", nargs=-1, required=True, type=click.Path(path_type=Path))
@bundle_option
@json_option
def caption(pictures: tuple[Path, ...], bundle: Path | None, as_json: bool) -> None:
    """Say what is in PICTURES (files or folders); nothing is stored."""
    settings = load_settings(bundle=bundle)
    found = scan([path for path in pictures if path.is_dir()], {})
    paths = [path for path in pictures if not path.is_dir()] + [file.path for file in found.changed]
    captioner = Captioner.load(settings.bundle)
    captioned, skipped = [], list(found.skipped)
    read = partial(read_files, side=captioner.input_side, limits=settings.limits)
    with tqdm(total=len(paths), desc="captioning", unit="pic", disable=True if as_json else None) as bar:
        for group in ThreadExecutor().describe(in_groups(paths), read, captioner):
            captioned += [(file.path, description.captions) for file, description in group if description is not None]
            skipped += [Skip(file.path, file.problem) for file, description in group if description is None]
            bar.update(len(group))
    _print_captions(captioned, skipped, as_json)
    if skipped:
        sys.exit(1)


def _print_captions(captioned: Sequence[tuple[Path, list[Caption]]], skipped: Sequence[Skip], as_json: bool) -> None:
    for bad in skipped:
        click.echo(f"retroflex: {display(bad.path)} {bad.reason}", err=True)
    if as_json:
        pictures = [
            {
                "path": display(path),
                "captions": [{"text": caption.text, "logprob": caption.logprob} for caption in captions],
            }
            for path, captions in captioned
        ]
        print_json({"pictures": pictures})
        return
    for path, captions in captioned:
        click.echo(display(path))
        for caption in captions:
            click.echo(f"  {caption.logprob:7.2f}  {caption.text}")
