"""Profile a search by words: `python -m bench.breakdown --pictures 100000`.

Print a Markdown table. The figures include the profiler's own time, which is largest where many small functions are
called.
"""

from __future__ import annotations

import cProfile
import pstats
import random
import tempfile
import time
from pathlib import Path

import click

from bench.library import make_library
from bench.searching import few_words
from captioner.bundle import BUNDLED, load_bundle
from data.settings import load_settings
from retrieval.library import Library
from retrieval.search.query import Query

STEPS = {
    "embedding of the words": ("captioner/embedding.py", "embed"),
    "BLEU: the best thousand": ("bleu/postings.py", "top"),
    "BLEU of all candidates": ("bleu/postings.py", "at"),
    "approximate nearest neighbours": ("vectors/approximate.py", "nearest"),
    "exact cosines": ("vectors/cosine.py", "cosine"),
    "reranker: cells from the store": ("data/store.py", "features"),
    "reranker: unpacking cells": ("captioner/cells.py", "unpack_cells"),
    "reranker: log P by the decoder": ("captioner/likelihood.py", "logprob"),
    "reranker: hubness": ("captioner/embedding.py", "hubness"),
    "hits from the store": ("data/store.py", "pictures"),
    "generation of the store": ("data/store.py", "generation"),
}
"""Functions by path suffix and name; none of them calls another."""
SEARCHES = 200
WARMING = 5.0
"""Seconds for loading the compiled search during the first queries."""


def breakdown(library: Library) -> dict[str, float]:
    """Return milliseconds of a query by step, over SEARCHES different queries of a few words."""
    for number in range(20):
        library.search(_query(number))
    time.sleep(WARMING)
    profile = cProfile.Profile()
    profile.enable()
    for number in range(20, 20 + SEARCHES):
        library.search(_query(number))
    profile.disable()
    stats = pstats.Stats(profile)
    figures = dict.fromkeys(STEPS, 0.0)
    for (file, _, function), (*_, cumulative, _) in stats.stats.items():  # type: ignore[attr-defined]
        for step, (end, name) in STEPS.items():
            if function == name and file.endswith(end):
                figures[step] += 1e3 * cumulative / SEARCHES
    whole = 1e3 * stats.total_tt / SEARCHES  # type: ignore[attr-defined]
    return {**figures, "the rest": whole - sum(figures.values()), "whole search": whole}


def _query(number: int) -> Query:
    return Query(few_words(random.Random(number)))


@click.command()
@click.option("--pictures", default=100_000, show_default=True)
@click.option("--library", type=click.Path(path_type=Path), help="An existing library, instead of a synthetic one.")
def main(pictures: int, library: Path | None) -> None:
    """Profile searches and print the table."""
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(library=library or Path(folder))
        if library is None:
            make_library(settings.url, pictures, 1, load_bundle(BUNDLED))
        opened = Library.open(settings, merges=True)
        figures = breakdown(opened)
        opened.close()
    click.echo("| step | ms a query |\n|---|---|")
    for step, milliseconds in figures.items():
        click.echo(f"| {step} | {milliseconds:.1f} |")


if __name__ == "__main__":
    main()
