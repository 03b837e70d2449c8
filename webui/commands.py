"""The command `retroflex serve`."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from captioner.facade import Captioner
from data.errors import RetroflexError
from data.settings import load_settings
from retrieval.library import Library
from retrieval.options import bundle_option, library_option
from webui import server
from webui.security import is_loopback


@click.command()
@library_option
@bundle_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="Port to listen on.")
@click.option(
    "--root",
    "roots",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folders below this one can be added from the page, too, as those of your home can; may be repeated.",
)
@click.option("--allow-remote", is_flag=True, help="Let other machines in: there is no password and no encryption.")
def serve(
    library: Path | None, bundle: Path | None, host: str, port: int, roots: tuple[Path, ...], allow_remote: bool
) -> None:
    """Serve the search page and the API."""
    if not (allow_remote or is_loopback(host)):
        raise RetroflexError(
            f"other machines can reach {host}, and Retroflex asks for no password; "
            "add --allow-remote to serve there all the same"
        )
    settings = load_settings(library=library, bundle=bundle)
    with closing(Library.open(settings, merges=True)) as opened:
        server.serve(opened, lambda: Captioner.load(settings.bundle).warm_up(), host, port, (Path.home(), *roots))
