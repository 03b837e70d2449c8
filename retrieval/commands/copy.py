"""`retroflex copy`."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path
from time import monotonic

import click
from sqlalchemy import make_url
from tqdm import tqdm

from data.errors import RetroflexError
from data.progress import progress_bar
from data.settings import load_settings
from data.sharing.copying import Progress, copy_store
from data.store import Store, open_store
from data.text import plural
from retrieval.commands.options import json_option, library_option, print_json


@click.command()
@library_option
@click.option("--to", "to", required=True, metavar="URL", help="Address of an empty database, as in docs/scale-out.md.")
@json_option
def copy(library: Path | None, to: str, as_json: bool) -> None:
    """Copy the library into another database, for example from SQLite to PostgreSQL, with all ids.

    Ctrl-C stops it; run it again to go on. Rows are counted and compared at the end. The library itself stays.
    """
    settings = load_settings(library=library)
    began = monotonic()
    with closing(open_store(settings)) as source, closing(Store.open(to, unfinished=True)) as target:
        if source.name == target.name:
            raise RetroflexError("a library cannot be copied to itself; give the address of another database")
        with ExitStack() as shown:
            rows = copy_store(source, target, _bars(shown, hidden=as_json))
        pictures = target.status().pictures
    address = make_url(to).render_as_string(hide_password=True)
    if as_json:
        print_json({"to": address, "rows": rows, "pictures": pictures, "seconds": round(monotonic() - began, 1)})
        return
    click.echo(f"{plural(pictures, 'picture')} copied, {rows:,} rows, all compared; to use the copy, set:")
    click.echo(f"  RETROFLEX_DATABASE_URL={address}")


def _bars(shown: ExitStack, hidden: bool) -> Progress:
    """Return what shows the progress, with a bar for each of its parts."""
    bars: dict[str, tqdm] = {}

    def show(what: str, done: int, total: int) -> None:
        if what not in bars:
            bar = progress_bar(desc=what, total=total, unit="row", unit_scale=True, hidden=hidden)
            bars[what] = shown.enter_context(bar)
        bars[what].update(done - bars[what].n)

    return show
