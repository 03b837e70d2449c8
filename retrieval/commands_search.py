"""`retroflex search` and `retroflex similar`."""

from __future__ import annotations

from pathlib import Path

import click

from data.settings import load_settings
from retrieval.library import Library
from retrieval.options import bundle_option, json_option, library_option, limit_option, print_result
from retrieval.query import Query, Wanted


@click.command()
@click.argument("words", nargs=-1, required=True)
@library_option
@limit_option
@json_option
def search(words: tuple[str, ...], library: Path | None, limit: int, as_json: bool) -> None:
    """Find pictures by WORDS."""
    opened = Library.open(load_settings(library=library))
    print_result(opened.search(Query(text=" ".join(words)), limit), as_json)


@click.command()
@click.argument("picture", type=click.Path(path_type=Path))
@library_option
@bundle_option
@limit_option
@json_option
def similar(picture: Path, library: Path | None, bundle: Path | None, limit: int, as_json: bool) -> None:
    """Find pictures like PICTURE, which need not be in the library."""
    from retrieval.describe import describe_file

    settings = load_settings(library=library, bundle=bundle)
    opened = Library.open(settings)
    print_result(opened.search(Query(like=[Wanted(describe_file(picture, settings))]), limit), as_json)
