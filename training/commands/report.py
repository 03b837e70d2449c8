"""How `retroflex evaluate` tells what it found."""

from __future__ import annotations

from typing import Any

import click

from retrieval.commands.options import print_json, print_left_out

SOURCES = {"similar": "--labelled DIR", "absent": "--pictures DIR"}
"""What is judged by the tasks that need no data set."""


def report(result: dict[str, Any], tables: dict[str, dict[str, float]], options: dict[str, Any], as_json: bool) -> None:
    """Print `result` and the command that gives it again; for people, its plain facts and `tables` of figures.

    `options` are those of the command that changed the result; None stands for an option that was not given.
    """
    document = {"command": _command(result, options), **result}
    if as_json:
        print_json(document)
        return
    print_left_out(result["problems"])
    for name, value in document.items():
        if isinstance(value, str | int | float):
            click.echo(f"{name.replace('_', ' '):30}{value}")
    _print_table(tables)


def _print_table(tables: dict[str, dict[str, float]]) -> None:
    """One line for each row of figures; a row that stands alone is one line for each figure."""
    if len(tables) == 1:
        ((title, figures),) = tables.items()
        for name, value in figures.items():
            click.echo(f"{f'{title} {name}'.strip():30}{value:.2f}")
        return
    width = 2 + max(len(title) for title in tables)
    click.echo(" " * width + "".join(f"{name:>10}" for name in next(iter(tables.values()))))
    for title, figures in tables.items():
        click.echo(f"{title:{width}}" + "".join(f"{value:>10.2f}" for value in figures.values()))


def _command(result: dict[str, Any], options: dict[str, Any]) -> str:
    """The command that gives these figures again, free of this machine's paths; the bundle is the model version's."""
    source = SOURCES.get(result["task"]) or f"--dataset DIR --split {result['split']}"
    parts = ["retroflex evaluate", result["task"], source]
    given = {name: value for name, value in {"seed": result["seed"], **options}.items() if value is not None}
    for name, value in given.items():
        flag = f"--{name.replace('_', '-')}"
        parts += [flag] * bool(value) if isinstance(value, bool) else [f"{flag} {value}"]
    return " ".join(parts)
