"""Run a cluster on this machine until Ctrl-C: `python -m bench.deployment`, which `make cluster` does."""

from __future__ import annotations

import os
import secrets
import sys
import threading
from pathlib import Path
from urllib.parse import quote_plus

import click

from bench.deployment import engines
from bench.deployment.cluster import Cluster, running_cluster
from bench.deployment.network import enter_own_network
from data.errors import RetroflexError
from data.samples import copy_samples

QUERIES = ("a cat", "a man in a suit", "a rocket", "a cup of coffee")


@click.command()
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="Port of the page.")
@click.option(
    "--pictures", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Instead of the samples."
)
@click.option("--once", is_flag=True, help="Stop after the searches.")
def main(port: int, pictures: Path | None, once: bool) -> None:
    """Start the cluster, index the sample pictures, search, and serve until Ctrl-C."""
    door = enter_own_network("bench.deployment", sys.argv[1:], port)
    for line in engines.missing():
        click.echo(line)
    click.echo("starting the cluster …")
    with running_cluster(door) as cluster:
        show_services(cluster)
        show_index(cluster, pictures or _samples(cluster.folder / "pictures"))
        show_searches(cluster)
        if not once:
            password = secrets.token_hex(8)
            cluster.command("password", given=f"{password}\n")
            click.echo(f"the page: http://127.0.0.1:{door.port}/ password {password} (Ctrl-C stops everything)")
            threading.Event().wait()


def show_services(cluster: Cluster) -> None:
    """Print what runs."""
    for name, service in cluster.services.items():
        click.echo(f"  {name:12} process {service.process}, log {service.log}")


def show_index(cluster: Cluster, pictures: Path) -> None:
    """Index a folder and print the report. Raises RetroflexError."""
    click.echo(f"indexing {pictures} …")
    done = cluster.index(pictures)
    if done.returncode:
        raise RetroflexError(done.stderr.strip().splitlines()[-1])
    click.echo(done.stdout.rstrip())


def show_searches(cluster: Cluster) -> None:
    """Search through the proxy and print the best hits. Raises RetroflexError."""
    for query in QUERIES:
        hits = cluster.client.search(f"q={quote_plus(query)}&limit=1")["hits"]
        shown = (
            f"{hits[0]['score']:.2f} {Path(hits[0]['path']).name}: {hits[0]['caption']}" if hits else "nothing close"
        )
        click.echo(f"  {query!r}: {shown}")


def _samples(folder: Path) -> Path:
    copy_samples(folder)
    return folder


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        main(standalone_mode=False)
    except RetroflexError as error:
        sys.exit(f"make cluster: {error}")
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped")
