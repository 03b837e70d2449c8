"""The commands `retroflex password` and `retroflex token`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from data.settings import load_settings
from retrieval.commands.options import library_option
from retrieval.library import Library

remove_option = click.option("--remove", is_flag=True, help="Remove it.")


@click.command()
@library_option
@remove_option
def password(library: Path | None, remove: bool) -> None:
    """Set the password that other machines need; typed twice, or read from standard input."""
    from webui.auth.keys import set_password

    folder = _library(library)
    set_password(folder, None if remove else _ask())
    click.echo("the password is removed" if remove else "the password is set; all sessions have ended")


@click.command()
@library_option
@remove_option
def token(library: Path | None, remove: bool) -> None:
    """Print a new token for programs on other machines; the previous token becomes invalid."""
    from webui.auth.keys import make_token, remove_token

    folder = _library(library)
    if remove:
        remove_token(folder)
        click.echo("the token is removed")
    else:
        click.echo(make_token(folder))


def _library(library: Path | None) -> Path:
    settings = load_settings(library=library)
    Library.open(settings).close()  # Fails with one line where there is none.
    return settings.library


def _ask() -> str:
    if _at_a_terminal():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt="Repeat the password"))
    return sys.stdin.readline().rstrip("\r\n")


def _at_a_terminal() -> bool:
    return sys.stdin.isatty()
