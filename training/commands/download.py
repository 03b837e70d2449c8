"""`retroflex download`."""

from __future__ import annotations

from pathlib import Path

import click

from data.paths import display
from training.download.fetch import FetchError
from training.download.flickr8k import by_hand, download_flickr8k


@click.group()
def download() -> None:
    """Fetch a public data set to train on."""


@download.command()
@click.option("--to", type=click.Path(path_type=Path), required=True, help="Folder to fill, about 3 GB.")
def flickr8k(to: Path) -> None:
    """Fetch Flickr8k, unpack it and check it; the same command goes on with a download that was stopped.

    The pictures belong to their Flickr authors and are for research and education.
    """
    try:
        counts = download_flickr8k(to, lambda line: click.echo(line, err=True))
    except FetchError:
        click.echo(by_hand(to), err=True)
        raise
    click.echo(
        f"{display(to)}: {counts.pictures:,} pictures, {counts.captions:,} captions; "
        f"train {counts.train:,}, dev {counts.dev:,}, test {counts.test:,}"
    )
