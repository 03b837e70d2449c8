"""The same library embedded and in a cluster, asked the same: `python -m bench.deployment.parity`.

A made-up library is written to SQLite and served by one process; a copy of it is served by the cluster. Queries go to
both over HTTP: words, words that few captions have, a picture of the library, and words with a picture.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import click

from bench.deployment.client import Client
from bench.deployment.cluster import RETROFLEX, Cluster, own_environment, run_retroflex, running_cluster
from bench.deployment.network import enter_own_network
from bench.deployment.services import Service, free_port
from bench.library import make_library
from bench.searching import few_words
from captioner.bundle import BUNDLED, load_bundle
from data.errors import RetroflexError
from data.progress import progress_bar
from data.records import Batch
from data.settings import Settings, load_settings
from data.store import Store

CLOSE = 1e-6
"""Scores may differ by so much."""
HITS = 30


@click.command()
@click.option("--pictures", default=10_000, show_default=True)
@click.option("--queries", default=200, show_default=True)
def main(pictures: int, queries: int) -> None:
    """Print how far the answers agree, and fail where they do not."""
    door = enter_own_network("bench.deployment.parity", sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder, running_cluster(door) as cluster:
        figures = compare(Path(folder), cluster, pictures, queries)
    click.echo(json.dumps({"pictures": pictures, "queries": queries, **figures}, indent=2))
    if figures["different order"] or figures["largest difference of scores"] > CLOSE:
        raise RetroflexError("the cluster's answers are not those of the embedded library")


def compare(folder: Path, cluster: Cluster, pictures: int, queries: int) -> dict[str, Any]:
    """Make a library in `folder`, copy it to the cluster and compare; return counts and the largest difference."""
    return ask_both(fill(cluster, folder, pictures), cluster, pictures, queries)


def compare_copy(folder: Path, cluster: Cluster, pictures: int, queries: int) -> dict[str, Any]:
    """Copy the cluster's library to `folder` and compare; return counts and the largest difference."""
    embedded = load_settings(library=folder / "copied back")
    done = cluster.command("copy", "--to", embedded.url)
    if done.returncode:
        raise RetroflexError(done.stderr.strip().splitlines()[-1])
    return ask_both(embedded, cluster, pictures, queries)


def ask_both(embedded: Settings, cluster: Cluster, pictures: int, queries: int) -> dict[str, Any]:
    """Ask one process that serves the `embedded` library, and the cluster; return how far they agree."""
    asked = list(made_up_queries(queries, pictures))
    with _served(embedded) as alone, progress_bar(asked, unit="query") as shown:
        answers = [(alone.search(one), *cluster.client.search_whole(one)) for one in shown]
    figures = agreement([(own, other) for own, other, _ in answers])
    return figures | {"degraded at first, asked again": sum(again for *_, again in answers)}


def fill(cluster: Cluster, folder: Path, pictures: int) -> Settings:
    """Make a library of made-up pictures in `folder` and copy it to the cluster. Raises RetroflexError."""
    embedded = load_settings(library=folder / "embedded")
    make_library(embedded.url, pictures, 5, load_bundle(BUNDLED))
    with closing(Store.open(embedded.url)) as store:
        store.write_batch(Batch())  # bulk rows raise no generation, by which a copy knows its library
    done = run_retroflex(own_environment(), "copy", "--library", embedded.library, "--to", cluster.database_url)
    if done.returncode:
        raise RetroflexError(done.stderr.strip().splitlines()[-1])
    return embedded


def agreement(answers: Sequence[tuple[dict[str, Any], dict[str, Any]]]) -> dict[str, Any]:
    """Return how far pairs of answers, the embedded one first, agree."""
    different, recalls, largest = 0, [], 0.0
    for pair in answers:
        own, other = ([hit["id"] for hit in answer["hits"]] for answer in pair)
        different += own != other
        recalls.append(len(set(own) & set(other)) / len(own) if own else 1.0)
        scores = ({hit["id"]: hit["score"] for hit in answer["hits"]} for answer in pair)
        first, second = scores
        largest = max([largest, *(abs(first[one] - second[one]) for one in first.keys() & second.keys())])
    return {
        "hits": sum(len(own["hits"]) for own, _ in answers),
        "different order": different,
        "different totals": sum(own["total"] != other["total"] for own, other in answers),
        "lowest recall": min(recalls),
        "mean recall": sum(recalls) / len(recalls),
        "largest difference of scores": largest,
    }


def made_up_queries(count: int, pictures: int) -> Iterator[str]:
    """Yield parameters of searches for the best `HITS`; all pictures are in question, also distant ones."""
    choice, words = random.Random(0), load_bundle(BUNDLED).vocabulary.words
    for number in range(count):
        like = f"like={choice.randrange(1, pictures + 1)}"
        typed = f"q={quote_plus(few_words(choice))}"
        rare = f"q={quote_plus(' '.join(choice.sample(words, 2)))}&verbatim=true"
        yield f"{(typed, rare, like, f'{typed}&{like}@0.5')[number % 4]}&all=true&limit={HITS}"


@contextmanager
def _served(settings: Settings) -> Iterator[Client]:
    """Yield a client of the library as one process serves it."""
    port = free_port()
    command = [*RETROFLEX, "serve", "--port", str(port), "--library", str(settings.library)]
    service = Service("embedded", command, Client(port).is_healthy, settings.library / "log", own_environment())
    try:
        service.start()
        service.wait()
        yield Client(port)
    finally:
        service.stop()


if __name__ == "__main__":
    try:
        main(standalone_mode=False)
    except RetroflexError as error:
        sys.exit(f"parity: {error}")
