"""`retroflex index` and `retroflex caption`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click
from tqdm import tqdm

from captioner.captioner import Captioner
from captioner.encoders.registry import build_further
from captioner.pipeline import Flow, ThreadExecutor, VectorDescriber, in_groups, read_files
from captioner.types import Caption, StagedDescriber
from data.errors import RetroflexError
from data.machine_made import TAKE
from data.paths import display
from data.scan import Skip, check_roots, scan
from data.settings import load_settings
from retrieval.commands.options import bundle_option, json_option, library_option, print_json
from retrieval.commands.progress import Bar, Display, Lines, stopping_by_signal
from retrieval.commands.report import nothing_found, print_report
from retrieval.indexing.indexer import Report
from retrieval.indexing.run import Plan, plan_given, plan_remembered
from retrieval.indexing.run import run as run_plan
from retrieval.library import Library, opened_for_indexing


@click.command()
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path))
@library_option
@bundle_option
@click.option("--exclude", multiple=True, help="Leave out names or paths that match this pattern; may be repeated.")
@click.option(
    "--include", multiple=True, help="Take machine-made folders, such as @eaDir, that match; may be repeated."
)
@click.option("--keep-captions", is_flag=True, help="Leave pictures alone that another captioner has captioned.")
@click.option("--features", metavar="NAME", multiple=True, help="Also add vectors by this encoder; may be repeated.")
@click.option("--errors", type=click.Path(path_type=Path), help="Write every skipped file and its reason to this file.")
@click.option("--json-progress", is_flag=True, help="Print a line of JSON for every step, for programs.")
@json_option
def index(
    folders: tuple[Path, ...],
    library: Path | None,
    bundle: Path | None,
    exclude: tuple[str, ...],
    include: tuple[str, ...],
    keep_captions: bool,
    features: tuple[str, ...],
    errors: Path | None,
    json_progress: bool,
    as_json: bool,
) -> None:
    """Caption every new or changed picture in FOLDERS, by default in all folders indexed before; make it searchable."""
    if (exclude or include) and not folders:
        raise RetroflexError("--exclude and --include need folders; remembered folders keep their own")
    settings = load_settings(library=library, bundle=bundle)
    check_roots(folders)
    first = not settings.exists
    patterns = (*exclude, *(TAKE + pattern for pattern in include))
    with opened_for_indexing(settings, create=bool(folders)) as opened:
        if errors is not None:
            errors.write_text("")  # If it cannot be written, fail before the work.
        plan = plan_given(opened.store, folders, patterns) if folders else plan_remembered(opened.store)
        report, added = _run(plan, opened, keep_captions, features, json_progress, as_json)
        if first and report.is_empty:
            raise RetroflexError(nothing_found(report))
        opened.searcher()
        opened.merge()
    if errors is not None:
        errors.write_text("".join(f"{display(skip.path)}\t{skip.reason}\n" for skip in report.skipped))
    if not json_progress:
        print_report(report, added, settings, as_json)


def _run(
    plan: Plan, library: Library, keep_captions: bool, features: Sequence[str], json_progress: bool, as_json: bool
) -> tuple[Report, dict[str, int]]:
    """Run the plan; return the report, and the numbers of pictures that further encoders described, by name."""
    settings = library.settings
    captioner = Captioner.load(settings.bundle)
    further = _further_describers(features, captioner)

    def run(describer: StagedDescriber, recaption: bool) -> Report:
        flow = Flow()
        display = Lines(flow) if json_progress else Display(flow) if as_json else Bar(flow)
        # A server stops it by SIGTERM, and may have passed on a Ctrl-C already.
        with stopping_by_signal(flow, at_once=not json_progress), display.running():
            executor = ThreadExecutor(flow)
            return run_plan(plan, library.store, describer, settings.limits, recaption, display.show, executor)

    report = run(captioner, not keep_captions)
    return report, {name: run(describer, True).captioned for name, describer in further.items()}


def _further_describers(names: Sequence[str], captioner: Captioner) -> dict[str, VectorDescriber]:
    """Return describers by further encoders. Raises RetroflexError for an unknown name."""
    if not names:
        return {}
    own = captioner.search_model.encoder
    if own in names:
        raise RetroflexError(f"{own} is the captioner's own encoder; its vectors are always made")
    return {name: VectorDescriber(build_further(name)) for name in dict.fromkeys(names)}


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
