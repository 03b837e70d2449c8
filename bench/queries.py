"""Everyday queries, as people type them, in a library of a data set's pictures, judged by human captions.

    retroflex index PICTURES --library LIBRARY      # the pictures of the split, and no others
    python -m bench.queries LIBRARY --dataset DIR --split dev

A hit among the first ten is right if a human caption of its picture says a content word of the query, inflected or not,
and wholly right if the captions together say all of them. A place that stays empty counts as wrong: ten are asked for.
"""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import click

from data.dataset import read_dataset
from data.settings import load_settings
from data.text import FUNCTION_WORDS, fold, tokenize
from retrieval.library import Library
from retrieval.search.query import Query

QUERIES = Path(__file__).with_suffix(".txt")
FIRST = 10


def content(text: str) -> set[str]:
    """Return the stems of the content words of a text."""
    return {fold(word) for word in tokenize(text) if word not in FUNCTION_WORDS}


def judge(library: Library, query: str, said: dict[str, set[str]]) -> tuple[int, int, int]:
    """Return how many of the first hits there are, how many are right, and how many wholly right."""
    hits = library.search(Query(query), FIRST).hits
    asked = content(query)
    words = [said.get(os.path.basename(hit.path), set()) for hit in hits]
    return len(hits), sum(bool(asked & one) for one in words), sum(asked <= one for one in words)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--dataset", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--split", default="dev", show_default=True)
def main(folder: Path, dataset: Path, split: str) -> None:
    """Judge the queries in the library of a folder."""
    pictures = read_dataset(dataset, split).pictures
    said = {one.path.name: set().union(*(content(text) for text in one.captions)) for one in pictures}
    queries = [line for line in QUERIES.read_text().splitlines() if line and not line.startswith("#")]
    totals = [0, 0, 0]
    with closing(Library.open(load_settings(library=folder))) as library:
        for query in queries:
            counts = judge(library, query, said)
            totals = [total + count for total, count in zip(totals, counts, strict=True)]
            click.echo(f"{query:<28} {counts[1]:>2} right, {counts[2]:>2} wholly, of {counts[0]:>2}")
    shown, right, wholly = totals
    asked = FIRST * len(queries)
    click.echo(
        f"{len(queries)} queries: right {100 * right / asked:.1f} % of {asked}, wholly {100 * wholly / asked:.1f} %"
    )
    click.echo(
        f"of the {shown} that were shown: {100 * right / max(shown, 1):.1f} %, {100 * wholly / max(shown, 1):.1f} %"
    )


if __name__ == "__main__":
    main()
