"""The command `retroflex download`."""

from __future__ import annotations

from pathlib import Path

import click

from data.paths import display
from training.download import FetchError, by_hand, download_flickr8k


@click.group()
def download() -> None:
    """Download a public data set for training."""


@download.command()
@click.option("--to", type=click.Path(path_type=Path), required=True, help="Folder for the data set, about 3 GB.")
def flickr8k(to: Path) -> None:
    """Download, unpack and check Flickr8k. The same command resumes a download that was stopped.

    The pictures belong to their Flickr authors and may be used for research and education.
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
