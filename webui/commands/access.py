"""The commands `retroflex password` and `retroflex token`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from data.settings import load_settings
from retrieval.commands.options import library_option
from retrieval.library import Library

if TYPE_CHECKING:
    from webui.auth.keys import KeyPlace

remove_option = click.option("--remove", is_flag=True, help="Remove it.")


@click.command()
@library_option
@remove_option
def password(library: Path | None, remove: bool) -> None:
    """Set the password that other machines need; typed twice, or read from standard input."""
    from webui.auth.keys import set_password

    with _keys(library) as place:
        set_password(place, None if remove else _ask())
    click.echo("the password is removed" if remove else "the password is set; all sessions have ended")


@click.command()
@library_option
@remove_option
def token(library: Path | None, remove: bool) -> None:
    """Print a new token for programs on other machines; the previous token becomes invalid."""
    from webui.auth.keys import make_token, remove_token

    with _keys(library) as place:
        if remove:
            remove_token(place)
            click.echo("the token is removed")
        else:
            click.echo(make_token(place))


@contextmanager
def _keys(library: Path | None) -> Iterator[KeyPlace]:
    """Yield where the keys are kept; fail with one line where there is no library."""
    from webui.auth.keys import key_place

    settings = load_settings(library=library)
    with closing(Library.open(settings)) as opened:
        yield key_place(settings.library, opened.store)


def _ask() -> str:
    if _at_a_terminal():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt="Repeat the password"))
    return sys.stdin.readline().rstrip("\r\n")


def _at_a_terminal() -> bool:
    return sys.stdin.isatty()
