"""`retroflex features`, and the options of commands that add vectors by further encoders."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click

from captioner.encoders.registry import build_further, families, family, what_is_missing
from captioner.encoders.weights import of_library
from captioner.pipeline import VectorDescriber
from data.errors import RetroflexError
from data.settings import load_settings
from retrieval.commands.options import json_option, library_option, print_json


@click.command()
@library_option
@json_option
def features(library: Path | None, as_json: bool) -> None:
    """List the encoders that `retroflex index --features` takes, and what those that are not ready need.

    One that is trained on a library's own pictures is ready in that library.
    """
    folder = load_settings(library=library).library
    rows = [(one, "" if of_library(folder, one.name) else what_is_missing(one)) for one in families()]
    if as_json:
        keys = ("name", "dimension", "summary", "ready", "missing")
        values = ((one.name, one.dimension or None, one.summary, not missing, missing) for one, missing in rows)
        print_json({"features": [dict(zip(keys, row, strict=True)) for row in values]})
        return
    width = max(len(one.name) for one, _ in rows)
    for one, missing in rows:
        dimension = f"{one.dimension:,}" if one.dimension else "-"
        click.echo(f"{one.name:<{width}}  {dimension:>6}  {one.summary}")
        if missing:
            click.echo(f"{'':<{width}}          not ready: {missing}")


def features_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add `--features` and `--weights`, whose values are for `read_choice`."""
    weights = click.option(
        "--weights", metavar="NAME=FILE", multiple=True, help="File of weights for an encoder of --features."
    )
    names = click.option(
        "--features",
        metavar="NAME[,NAME]",
        multiple=True,
        help="Also add vectors by these encoders, see `retroflex features`; may be repeated.",
    )
    return names(weights(command))


def read_choice(names: Sequence[str], weights: Sequence[str], metrics: Sequence[str] = ()) -> dict[str, Path | None]:
    """Return the chosen encoders, in order, each with the file of its weights, None for the usual ones.

    `metrics` are names of learned metrics, which may be chosen, too. Raises RetroflexError for a name that nothing
    has, or a file that is missing or not for a chosen one.
    """
    chosen = dict.fromkeys(name for listed in names for name in listed.split(",") if name)
    for name in chosen.keys() - set(metrics):
        family(name)
    files = dict(_named_file(one) for one in weights)
    for name in files.keys() - chosen.keys():
        raise RetroflexError(f"--weights {name}=... needs --features {name}")
    return {name: files.get(name) for name in chosen}


def _named_file(argument: str) -> tuple[str, Path]:
    name, mark, file = argument.partition("=")
    if not (name and mark and file):
        raise RetroflexError(f"--weights {argument}: give NAME=FILE, such as resnet50=weights.h5")
    if not Path(file).is_file():
        raise RetroflexError(f"--weights {argument}: there is no such file")
    return name, Path(file)


def further_describers(chosen: Mapping[str, Path | None], own: str) -> dict[str, VectorDescriber]:
    """Return describers by the chosen encoders. Raises RetroflexError, also for `own`, the captioner's encoder."""
    if own in chosen:
        raise RetroflexError(f"{own} is the captioner's own encoder; its vectors are always made")
    return {name: VectorDescriber(build_further(name, source)) for name, source in chosen.items()}
