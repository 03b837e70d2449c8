"""`retroflex index` and `retroflex caption`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
from tqdm import tqdm

from captioner.facade import Captioner
from captioner.types import Caption
from data.paths import display
from data.pictures import PictureError, read_square
from data.scan import Skip, scan
from data.settings import Settings, load_settings
from retrieval.indexer import BATCH, Report
from retrieval.indexer import index as run_index
from retrieval.library import Library
from retrieval.options import bundle_option, json_option, library_option, print_json

FEW = 5


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@library_option
@bundle_option
@click.option("--exclude", multiple=True, help="Leave out names or paths that match this pattern; may be repeated.")
@click.option("--errors", type=click.Path(path_type=Path), help="Write every skipped file and its reason to this file.")
@json_option
def index(
    folders: tuple[Path, ...],
    library: Path | None,
    bundle: Path | None,
    exclude: tuple[str, ...],
    errors: Path | None,
    as_json: bool,
) -> None:
    """Caption every new or changed picture in FOLDERS and make it searchable."""
    settings = load_settings(library=library, bundle=bundle)
    opened = Library.open(settings, create=True)
    captioner = Captioner.load(settings.bundle)
    with tqdm(desc="indexing", unit="pic", disable=True if as_json else None) as bar:
        report = run_index(opened.store, captioner, folders, settings.limits, exclude, lambda *at: _show(bar, *at))
    opened.searcher()
    opened.merge()
    if errors is not None:
        errors.write_text("".join(f"{display(one.path)}\t{one.reason}\n" for one in report.skipped))
    _tell(report, settings, as_json)


def _show(bar: tqdm, done: int, total: int) -> None:
    bar.total = total
    bar.update(done - bar.n)


def _tell(report: Report, settings: Settings, as_json: bool) -> None:
    counts = {
        "captioned": report.captioned,
        "known_content": report.known_content,
        "unchanged": report.unchanged,
        "gone": report.gone,
        "skipped": len(report.skipped),
    }
    skipped = [{"path": display(one.path), "reason": one.reason} for one in report.skipped]
    if as_json:
        print_json({"library": display(settings.library), **counts, "skipped_files": skipped})
        return
    click.echo(", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items()))
    for one in skipped[:FEW]:
        click.echo(f"skipped: {one['path']} {one['reason']}")
    if len(skipped) > FEW:
        click.echo(f"... and {len(skipped) - FEW} more; `retroflex status` lists them, --errors FILE keeps them")
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
    with tqdm(total=len(paths), desc="captioning", unit="pic", disable=True if as_json else None) as bar:
        for start in range(0, len(paths), BATCH):
            captioned += _caption_batch(captioner, paths[start : start + BATCH], settings, skipped)
            bar.update(len(paths[start : start + BATCH]))
    _tell_captions(captioned, skipped, as_json)
    if skipped:
        sys.exit(1)


def _caption_batch(
    captioner: Captioner, paths: Sequence[Path], settings: Settings, skipped: list[Skip]
) -> list[tuple[Path, list[Caption]]]:
    squares: dict[Path, np.ndarray] = {}
    for path in paths:
        try:
            squares[path] = read_square(path, captioner.input_side, settings.limits)
        except PictureError as error:
            skipped.append(Skip(path, str(error)))
    if not squares:
        return []
    descriptions = captioner.describe(np.stack(list(squares.values())))
    return [(path, one.captions) for path, one in zip(squares, descriptions, strict=True)]


def _tell_captions(captioned: Sequence[tuple[Path, list[Caption]]], skipped: Sequence[Skip], as_json: bool) -> None:
    for bad in skipped:
        click.echo(f"retroflex: {display(bad.path)} {bad.reason}", err=True)
    if as_json:
        pictures = [
            {"path": display(path), "captions": [{"text": one.text, "logprob": one.logprob} for one in captions]}
            for path, captions in captioned
        ]
        print_json({"pictures": pictures})
        return
    for path, captions in captioned:
        click.echo(display(path))
        for one in captions:
            click.echo(f"  {one.logprob:7.2f}  {one.text}")
