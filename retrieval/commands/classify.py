"""`retroflex classify`."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import click

from captioner.captioner import Captioner
from captioner.pipeline import ThreadExecutor, in_groups, read_files
from captioner.types import StagedDescriber
from data.errors import RetroflexError
from data.paths import display
from data.progress import progress_bar
from data.scan import Skip, scan
from data.settings import load_settings
from retrieval.classes import Guess, guesses, in_words
from retrieval.commands.options import bundle_option, json_option, library_option, print_json
from retrieval.library import Library


@click.command()
@click.argument("pictures", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--field", "only", metavar="FIELD", multiple=True, help="Only this field; may be repeated.")
@library_option
@bundle_option
@json_option
def classify(
    pictures: tuple[Path, ...], only: tuple[str, ...], library: Path | None, bundle: Path | None, as_json: bool
) -> None:
    """Say which classes PICTURES (files or folders) have, after `retroflex train classes`; nothing is stored."""
    opened = Library.open(load_settings(library=library, bundle=bundle))
    wanted = _classifiers(opened, only)
    found = scan([path for path in pictures if path.is_dir()], {})
    paths = [path for path in pictures if not path.is_dir()] + [file.path for file in found.changed]
    told, skipped = _told(opened, wanted, paths, as_json)
    skipped = [*found.skipped, *skipped]
    for bad in skipped:
        click.echo(f"retroflex: {display(bad.path)} {bad.reason}", err=True)
    if as_json:
        listed = [
            {"path": display(path), "classes": {name: [one._asdict() for one in own] for name, own in classes.items()}}
            for path, classes in told.items()
        ]
        print_json({"pictures": listed})
    else:
        _print(told)
    if skipped:
        sys.exit(1)


def _classifiers(library: Library, only: tuple[str, ...]) -> list[Any]:
    """Return the classifiers of the fields. Raise RetroflexError where there is none, or one of other vectors."""
    known = {one.field: one for one in library.classifiers()}
    if not known:
        raise RetroflexError("no field has been learnt; run: retroflex train classes --field FIELD")
    for name in only:
        if name not in known:
            raise RetroflexError(f"{name[:60]!r} has not been learnt; there are {', '.join(known)}")
    chosen = [known[name] for name in dict.fromkeys(only)] or list(known.values())
    models = library.searcher().index.models
    for one in chosen:
        if not one.belongs_to(models):
            raise RetroflexError(
                f"{one.field} was learnt from vectors of another model; "
                f"train again: retroflex train classes --field {one.field}"
            )
    return chosen


def _told(
    library: Library, classifiers: list[Any], paths: list[Path], hidden: bool
) -> tuple[dict[Path, dict[str, list[Guess]]], list[Skip]]:
    """Describe the files by all encoders that the classifiers need; return their classes, and the files left out."""
    kinds = {kind for one in classifiers for kind in one.sources}
    own = kinds & set(library.model.kinds)
    vectors: dict[Path, dict[str, Any]] = {path: {} for path in paths}
    skipped: dict[Path, Skip] = {}
    describers: list[StagedDescriber] = [Captioner.load(library.settings.bundle)] if own else []
    if own:
        _check_version(describers[0], library, own)
    describers += [library.further_describer(kind) for kind in sorted(kinds - own)]
    for describer in describers:
        read = partial(read_files, side=describer.input_side, limits=library.settings.limits)
        with progress_bar(total=len(paths), desc="classifying", unit="pic", hidden=hidden) as bar:
            for group in ThreadExecutor().describe(in_groups(paths), read, describer):
                for file, description in group:
                    if description is None:
                        skipped[file.path] = Skip(file.path, file.problem)
                    else:
                        vectors[file.path] |= description.vectors
                bar.update(len(group))
    told = {
        path: {one.field: guesses(one, {kind: own[kind][None] for kind in one.sources})[0] for one in classifiers}
        for path, own in vectors.items()
        if path not in skipped
    }
    return told, list(skipped.values())


def _check_version(captioner: StagedDescriber, library: Library, kinds: set[str]) -> None:
    """Raise RetroflexError if the captioner is not the one that made the library's vectors."""
    for kind in sorted(kinds):
        stored = library.searcher().index.models.get(kind)
        if stored != captioner.model_version:
            raise RetroflexError(
                f"the library's {kind} vectors were made by {stored}, and the captioner is {captioner.model_version}; "
                "run: retroflex index, and train the classes again"
            )


def _print(told: dict[Path, dict[str, list[Guess]]]) -> None:
    for path, classes in told.items():
        click.echo(display(path))
        for name, own in classes.items():
            click.echo(f"  {name}: {in_words(own)}")
