"""Options and output that several commands share."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from retrieval.search.results import SearchResult
from retrieval.search.search import DEFAULT_LIMIT

SHOWN_PROBLEMS = 5

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
explain_option = click.option("--explain", is_flag=True, help="Show what each score is made of.")


def print_json(document: Any) -> None:
    """Print one JSON document on standard output."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))


def print_result(result: SearchResult, as_json: bool, explain: bool) -> None:
    """Print hits as JSON or as text; the parts of the scores appear with `explain` only."""
    if as_json:
        print_json(result.to_json())
        return
    for caption in result.query.get("captions", []):
        click.echo(f"query picture: {caption}")
    if result.corrected:
        click.echo(f"Showing “{result.corrected['to']}”; --verbatim searches for “{result.corrected['from']}”")
    if result.notice:
        click.echo(result.notice)
    for hit in result.hits:
        click.echo(f"{hit.score:.3f}  {hit.path}\n       {hit.caption}")
        if hit.matched:
            click.echo("       matched: " + ", ".join(f"{field} {text}" for field, text in hit.matched))
        if explain:
            click.echo("       " + "  ".join(f"{name} {value:.3f}" for name, value in hit.scores.items()))
    if result.total > len(result.hits):
        at_least = "at least " if result.more else ""
        click.echo(f"{len(result.hits)} of {at_least}{result.total} hits; --limit shows more")


def print_nothing_close(result: SearchResult, pictures: int) -> None:
    """Print in one line that no picture is close, and whether --all would show some."""
    text = " ".join(result.query.get("text", "").split())
    target = f'"{text}"' if text else "the query picture"
    advice = "" if result.closest is None else "; --all shows the nearest anyway"
    click.echo(f"nothing close to {target} in {pictures:,} picture{'' if pictures == 1 else 's'}{advice}")


def print_left_out(problems: Sequence[str]) -> None:
    """Print the first few things that were left out, and the number of others, on standard error."""
    for problem in problems[:SHOWN_PROBLEMS]:
        click.echo(f"left out: {problem}", err=True)
    if len(problems) > SHOWN_PROBLEMS:
        click.echo(f"... and {len(problems) - SHOWN_PROBLEMS} more left out", err=True)
