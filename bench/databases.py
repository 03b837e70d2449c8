"""Compare a library in PostgreSQL with the same one in SQLite, in one run: `python -m bench.databases --to URL`.

A synthetic library is made in SQLite and copied. Then each work is timed on both in turn. Writing is that of the
indexer: groups of 128 new pictures with five captions, two vectors and attention cells, a transaction each.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line does, before NumPy is imported

import click
import numpy as np

from bench.library import make_library
from bench.searching import few_words
from captioner.bundle import BUNDLED, load_bundle
from data.records import Batch, CaptionRow, DescriptionRow, FileRow, PictureRow
from data.settings import Settings, load_settings
from data.sharing.copying import copy_store
from data.store import Store
from retrieval.index.upkeep import build_index
from retrieval.library import Library
from retrieval.search.query import Query

GROUP = 128
ROUNDS = 20
PAGE = 30


@click.command()
@click.option("--to", "url", required=True, help="Address of an empty database in PostgreSQL.")
@click.option("--pictures", default=20_000, show_default=True)
def main(url: str, pictures: int) -> None:
    """Print milliseconds in SQLite and PostgreSQL and their ratio as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        sqlite = load_settings(library=Path(folder) / "sqlite")
        make_library(sqlite.url, pictures, 5, load_bundle(BUNDLED))
        began = time.perf_counter()
        with closing(Store.open(sqlite.url)) as source, closing(Store.open(url, unfinished=True)) as target:
            source.write_batch(Batch())  # bulk rows raise no generation, by which a copy knows its library
            rows = copy_store(source, target)
        copied = rows / (time.perf_counter() - began)
        figures = compare(pictures, sqlite, replace(sqlite, library=Path(folder) / "postgresql", database_url=url))
    click.echo(
        json.dumps({"pictures": pictures, "rows copied and compared a second": round(copied), **figures}, indent=2)
    )


def compare(pictures: int, *settings: Settings) -> dict[str, dict[str, float]]:
    """Return the median milliseconds of each work in SQLite and PostgreSQL."""
    libraries = [Library.open(one) for one in settings]
    for library in libraries:
        library.search(Query("a dog"))
    choice = random.Random(0)
    words = [few_words(choice) for _ in range(ROUNDS)]
    ids = [[choice.randrange(1, pictures + 1) for _ in range(PAGE)] for _ in range(ROUNDS)]
    works: dict[str, Callable[[Library, int], object]] = {
        "a search by words, with 30 hits": lambda library, turn: library.search(Query(words[turn])),
        "30 pictures by id": lambda library, turn: library.store.pictures(ids[turn]),
        "the generation": lambda library, turn: library.store.generation(),
        "a search after 128 new pictures": lambda library, turn: _after_writing(library, turn, words[turn]),
    }
    figures = {name: timed(libraries, work) for name, work in works.items()}
    figures["writing a picture"] = timed(libraries, lambda one, turn: one.store.write_batch(group(turn)), per=GROUP)
    figures["building the search index"] = timed(libraries, lambda one, _: build_index(one.store), rounds=3)
    for library in libraries:
        library.close()
    return figures


def timed(
    libraries: list[Library], work: Callable[[Library, int], object], per: int = 1, rounds: int = ROUNDS
) -> dict[str, float]:
    """Return median milliseconds of `work` on each library, in turn, divided by `per`, and their ratio."""
    seconds: list[list[float]] = [[], []]
    for turn in range(rounds):
        for side, library in enumerate(libraries):
            began = time.perf_counter()
            work(library, turn)
            seconds[side].append(time.perf_counter() - began)
    first, second = (statistics.median(one) * 1e3 / per for one in seconds)
    return {"SQLite": round(first, 3), "PostgreSQL": round(second, 3), "ratio": round(second / first, 2)}


def _after_writing(library: Library, turn: int, words: str) -> object:
    library.store.write_batch(group(100 + turn))
    return library.search(Query(words))


def group(number: int) -> Batch:
    """Return a group of pictures as the indexer writes them."""
    names = [f"{number:08x}{one:056x}" for one in range(GROUP)]
    made = np.random.default_rng(number)
    captions = [CaptionRow(f"a dog runs on the grass number {rank}", -10.0 - rank) for rank in range(5)]
    return Batch(
        files=[FileRow(f"/new/{name}.jpg".encode(), 1, 1, name) for name in names],
        pictures=[PictureRow(name, 500, 375, "JPEG", 1, None, pixels=name[-32:]) for name in names],
        descriptions=[
            DescriptionRow(
                name,
                "bench-1",
                captions,
                {kind: made.standard_normal(256, np.float32) for kind in ("vgg16", "alike")},
                {"cells": made.bytes(3000)},
            )
            for name in names
        ],
    )


if __name__ == "__main__":
    main()
