"""Measure searches of a library whose pictures have further kinds of vectors, which these searches do not use.

`python -m bench.kinds` makes two libraries of the same pictures, one with the two kinds of the captioner and one with
FURTHER beside them, and searches both in turn, each in a process of its own. A query's time is the median of its
rounds: what else the machine does must not become the slowest query.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from bench.library import AT_ONCE, make_library, units
from bench.load import memory
from bench.searching import few_words
from captioner.bundle import BUNDLED, load_bundle
from data.settings import load_settings
from data.tables import features
from retrieval.library import Library
from retrieval.search.query import Query, QueryImage

FURTHER = {"resnet50": 2048, "efficientnet_lite0": 1280, "hog": 576}
QUERIES = 300
WARMING = 5

Times = dict[str, list[float]]


def make(folder: Path, pictures: int, further: bool) -> None:
    """Make a library, with its search index, of so many pictures."""
    settings = load_settings(library=folder)
    make_library(settings.url, pictures, 5, load_bundle(BUNDLED))
    if further:
        add_kinds(settings.url, pictures)
    library = Library.open(settings)
    library.searcher()
    library.close()


def add_kinds(url: str, pictures: int) -> None:
    """Add random vectors of the kinds FURTHER to all pictures."""
    engine, draw = sa.create_engine(url), np.random.default_rng(1)
    for kind, length in FURTHER.items():
        for start in range(1, pictures + 1, AT_ONCE):
            ids = range(start, min(start + AT_ONCE, pictures + 1))
            rows = [
                {"item_id": item, "kind": kind, "dimensions": length, "value": one.tobytes(), "model_version": kind}
                for item, one in zip(ids, units(draw, len(ids), length), strict=True)
            ]
            with engine.begin() as connection:
                connection.execute(sa.insert(features), rows)
    engine.dispose()


def search(folder: Path) -> Times:
    """Return milliseconds of processor time, each search's by words and by pictures, and the memory they take.

    The first WARMING searches of each sort are done twice, and told the second time.
    """
    started = time.process_time()
    library = Library.open(load_settings(library=folder))
    library.searcher()
    figures = {"open_ms": [1e3 * (time.process_time() - started)]}
    choice = random.Random(0)
    words = [few_words(choice) for _ in range(QUERIES)]
    count = library.store.status().pictures
    pictures = [choice.randint(1, count) for _ in range(QUERIES)]
    queries = {
        "words": [partial(Query, one) for one in words],
        "picture": [partial(_like, library, one) for one in pictures],
    }
    for name, made in queries.items():
        for query in made[:WARMING]:
            library.search(query())
        figures[f"{name}_ms"] = [_milliseconds(library, query) for query in made]
    return figures | {"memory_mib": [memory(os.getpid())]}


def _milliseconds(library: Library, query: Callable[[], Query]) -> float:
    started = time.process_time()
    library.search(query())
    return 1e3 * (time.process_time() - started)


def _like(library: Library, picture: int) -> Query:
    described = library.description(picture)
    assert described is not None
    return Query(like=[QueryImage(described)])


def compare(pictures: int, rounds: int) -> dict[str, dict[str, float]]:
    """Return the figures of both libraries, which take turns in the rounds."""
    with tempfile.TemporaryDirectory() as folder:
        folders = {"two_kinds": Path(folder) / "two", "five_kinds": Path(folder) / "five"}
        for name, one in folders.items():
            make(one, pictures, name == "five_kinds")
        found: dict[str, list[Times]] = {name: [] for name in folders}
        for _ in range(rounds):
            for name, one in folders.items():
                command = [sys.executable, "-m", "bench.kinds", "--search", str(one)]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                found[name].append(json.loads(done.stdout))
    return {name: summarise(made) for name, made in found.items()}


def summarise(made: Sequence[Times]) -> dict[str, float]:
    """Return medians over the rounds; of searches, median and 99th percentile over the queries of these."""
    figures: dict[str, float] = {}
    for key in made[0]:
        times = np.median([one[key] for one in made], axis=0)
        figures[key] = float(np.median(times))
        if len(times) > 1:
            figures[f"{key}_p99"] = float(np.percentile(times, 99))
    return figures


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--search", type=Path, help="measure this library alone")
    chosen = parser.parse_args()
    print(json.dumps(search(chosen.search) if chosen.search else compare(chosen.pictures, chosen.rounds), indent=2))
