"""Where the milliseconds of a search by words go: `python -m bench.breakdown --pictures 100000`.

Prints a Markdown table. The profiler's own time is in the figures, most of it where many small functions are called.
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
    "the words' place among pictures": ("captioner/embedding.py", "embed"),
    "BLEU: its best thousand": ("bleu/postings.py", "top"),
    "BLEU of all candidates": ("bleu/postings.py", "at"),
    "likely nearest, by codes": ("vectors/approximate.py", "nearest"),
    "exact cosines": ("vectors/cosine.py", "cosine"),
    "reranker: cells out of the store": ("data/store.py", "features"),
    "reranker: cells unpacked": ("captioner/cells.py", "unpack_cells"),
    "reranker: log P by the decoder": ("captioner/likelihood.py", "logprob"),
    "reranker: hubness": ("captioner/embedding.py", "hubness"),
    "hits out of the store": ("data/store.py", "pictures"),
    "has the store changed?": ("data/store.py", "generation"),
}
"""Functions of which none calls another; the file's end and the function's name."""
SEARCHES = 200
WARMING = 5.0
"""Seconds in which the compiled search is loaded beside the first queries."""


def breakdown(library: Library) -> dict[str, float]:
    """Milliseconds a query by step, over SEARCHES different queries of a few words."""
    for number in range(20):
        library.search(_query(number))
    time.sleep(WARMING)
    profile = cProfile.Profile()
    profile.enable()
    for number in range(20, 20 + SEARCHES):
        library.search(_query(number))
    profile.disable()
    stats = pstats.Stats(profile)
    found = dict.fromkeys(STEPS, 0.0)
    for (file, _, function), (*_, cumulative, _) in stats.stats.items():  # type: ignore[attr-defined]
        for step, (end, name) in STEPS.items():
            if function == name and file.endswith(end):
                found[step] += 1e3 * cumulative / SEARCHES
    whole = 1e3 * stats.total_tt / SEARCHES  # type: ignore[attr-defined]
    return {**found, "the rest": whole - sum(found.values()), "whole search": whole}


def _query(number: int) -> Query:
    return Query(few_words(random.Random(number)))


@click.command()
@click.option("--pictures", default=100_000, show_default=True)
@click.option("--library", type=click.Path(path_type=Path), help="A library that is there, instead of a made-up one.")
def main(pictures: int, library: Path | None) -> None:
    """Profile searches and print the table."""
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(library=library or Path(folder))
        if library is None:
            make_library(settings.url, pictures, 1, load_bundle(BUNDLED))
        opened = Library.open(settings, merges=True)
        found = breakdown(opened)
        opened.close()
    click.echo("| step | ms a query |\n|---|---|")
    for step, milliseconds in found.items():
        click.echo(f"| {step} | {milliseconds:.1f} |")


if __name__ == "__main__":
    main()
