"""Options and output that several commands share."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

from data.catalogue.attribution import credit
from data.films.records import clock
from data.text import plural, split_by_query
from retrieval.classes import in_words
from retrieval.search.results import Hit, SearchResult, values_of
from retrieval.search.search import DEFAULT_LIMIT

SHOWN_PROBLEMS = 5
EMPTY = "none yet; run `retroflex index` again, or name a folder: `retroflex index DIR`"
"""Of a library without pictures, as a first run leaves that was killed."""

library_option = click.option(
    "--library",
    type=click.Path(path_type=Path),
    help="Library folder [default: RETROFLEX_LIBRARY, or your data folder].",
)
bundle_option = click.option(
    "--bundle", type=click.Path(path_type=Path), help="Captioner bundle [default: the one shipped]."
)
limit_option = click.option("--limit", type=int, default=DEFAULT_LIMIT, show_default=True, help="Hits to show.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")


class Output(NamedTuple):
    """How hits are printed: the values of `output_options`."""

    as_json: bool
    paths: bool
    print0: bool
    explain: bool

    @property
    def only_paths(self) -> bool:
        """Whether standard output gets paths and nothing else. Raises click.UsageError for --json beside that."""
        if self.as_json and (self.paths or self.print0):
            raise click.UsageError("--json and --paths exclude each other; give one of them")
        return self.paths or self.print0


def output_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of Output."""
    explain = click.option("--explain", is_flag=True, help="Show what each score is made of.")
    print0 = click.option("--print0", is_flag=True, help="As --paths, but end each path by a NUL, for xargs -0.")
    paths = click.option("--paths", is_flag=True, help="Print the paths of the hits and nothing else, one a line.")
    return with_options(command, (explain, json_option, paths, print0))


def with_options(
    command: Callable[..., None], options: Sequence[Callable[[Callable[..., None]], Callable[..., None]]]
) -> Callable[..., None]:
    """Add options to a command, in the order of its help."""
    for option in reversed(options):
        command = option(command)
    return command


def remark(line: str) -> None:
    """Print a line that is no part of the answer, on standard error."""
    click.echo(f"retroflex: {line}", err=True)


def print_json(document: Any) -> None:
    """Print one JSON document on standard output."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))


def print_result(result: SearchResult, output: Output) -> None:
    """Print hits as JSON, as paths or as text; with paths, remarks go to standard error."""
    if output.as_json:
        print_json(result.to_json())
        return
    for caption in result.query.get("captions", []):
        if not output.only_paths:
            click.echo(f"query picture: {caption}")
    for own in result.classes:
        if own and not output.only_paths:
            click.echo("query picture: " + "; ".join(f"{name} {in_words(guesses)}" for name, guesses in own.items()))
    if result.corrected:
        line = f"Showing “{result.corrected['to']}”; --verbatim searches for “{result.corrected['from']}”"
        click.echo(line, err=output.only_paths)
    if result.notice:
        click.echo(result.notice, err=output.only_paths)
    if output.only_paths:
        _print_paths(result.hits, b"\0" if output.print0 else b"\n")
    else:
        _print_hits(result, output.explain)
    if result.total > len(result.hits):
        at_least = "at least " if result.more else ""
        count = f"{len(result.hits)} of {at_least}{result.total} hits; --limit shows more"
        click.echo(count, err=output.only_paths)


def _print_paths(hits: Sequence[Hit], end: bytes) -> None:
    """Print a path of each hit as the bytes of the file system, which need not be text."""
    stream = sys.stdout.buffer
    stream.write(b"".join(path + end for hit in hits for path in hit.picture.paths[:1]))
    stream.flush()


def _print_hits(result: SearchResult, explain: bool) -> None:
    coloured = _has_colours()
    headings = {group.first: group for group in result.groups}
    for number, hit in enumerate(result.hits):
        if group := headings.get(number):
            click.echo(f"{'no value' if group.value is None else group.value}: {plural(group.pictures, 'picture')}")
        score, path, caption = f"{hit.score:.3f}", hit.path, hit.caption
        at = "" if hit.time is None else f" at {clock(hit.time)}"
        if coloured:
            score, path = click.style(score, fg="green"), click.style(path, bold=True)
            caption = _emphasised(caption, result.query.get("text", ""))
        click.echo(f"{score}  {path}{at}\n       {caption}")
        if hit.matched:
            click.echo("       matched: " + ", ".join(f"{field} {text}" for field, text in hit.matched))
        values = values_of(hit.picture)
        if told := credit(values["fields"]):
            click.echo(f"       {told.line}")
        if guessed := [f"{name} {values['fields'][name]} {sure:.0%}" for name, sure in values["predicted"].items()]:
            click.echo("       predicted: " + ", ".join(guessed))
        if explain:
            click.echo("       " + "  ".join(f"{name} {value:.3f}" for name, value in hit.scores.items()))


def _emphasised(caption: str, words: str) -> str:
    """Return the caption with the words of the query in bold yellow."""
    pieces = split_by_query(caption, words)
    return "".join(click.style(piece, fg="yellow", bold=True) if asked else piece for piece, asked in pieces)


def _has_colours() -> bool:
    """Return whether standard output is a terminal that shows colours, see https://no-color.org."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def print_nothing_close(result: SearchResult, pictures: int, err: bool) -> None:
    """Print in one line that no picture is close, and whether --all would show some; with `err` on standard error."""
    if not pictures:
        click.echo(f"pictures in this library: {EMPTY}", err=err)
        return
    text = " ".join(result.query.get("text", "").split())
    target = f'"{text}"' if text else "the query picture"
    advice = "" if result.closest is None else "; --all shows the nearest anyway"
    click.echo(f"nothing close to {target} in {plural(pictures, 'picture')}{advice}", err=err)


def print_left_out(problems: Sequence[str]) -> None:
    """Print the first few things that were left out, and the number of others, on standard error."""
    for problem in problems[:SHOWN_PROBLEMS]:
        click.echo(f"left out: {problem}", err=True)
    if len(problems) > SHOWN_PROBLEMS:
        click.echo(f"... and {len(problems) - SHOWN_PROBLEMS} more left out", err=True)
