"""BLEU's candidates from sparse vectors of n-grams: `python -m bench.sparse_bleu --to FILE.db`.

The vectors are those of `retrieval.bleu.sparse`. The best pictures by their product with a query's are scored exactly,
and compared with the true best thirty, or `--best`, of BLEU over all: how many of these are kept, by the number of
candidates. A true best one counts as kept if as many with its score or a better one are. With `--to`, the candidates
come from Milvus, 2.4 or later, or Milvus Lite; else from a product of matrices, which finds the same.

Captions are synthetic, see `bench.scale_bleu`, or the last column of a table of `--captions`; a picture has as many
following ones as `--each` says. Queries are one caption of each of the pictures that are left out of the gallery, whole
and as three of its words.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import click
import numpy as np
from scipy.sparse import csr_matrix

from bench.scale_bleu import synthetic_captions, texts
from data.text import fold, tokenize
from retrieval.bleu.postings import BleuPostings
from retrieval.bleu.score import CAPTION_VARIANT, TYPED_VARIANT, BleuVariant
from retrieval.bleu.sparse import SparseVector, picture_vector, query_vector
from retrieval.vectors.milvus import MilvusVectorStore
from retrieval.vectors.milvus_client import MilvusConnection, read_address

COUNTS = (30, 100, 300, 1000, 3000)
KIND = "n-grams"

Picture = Sequence[str]
"""Its captions."""
Find = Callable[[SparseVector, int], np.ndarray]
"""Returns the rows of the pictures with the largest products, as many as are asked for."""


@click.command()
@click.option("--pictures", default=10_000, show_default=True)
@click.option("--each", default=1, show_default=True, help="Captions of a picture.")
@click.option("--queries", "number", default=200, show_default=True)
@click.option("--best", default=30, show_default=True, help="True best that should be kept.")
@click.option("--captions", type=click.Path(path_type=Path), help="A table whose last column has captions.")
@click.option("--to", "address", help="Milvus, or a file of Milvus Lite.")
def main(pictures: int, each: int, number: int, best: int, captions: Path | None, address: str | None) -> None:
    """Print the share of the true best that is kept, and milliseconds, as JSON."""
    lines = given(captions) if captions else texts(synthetic_captions((pictures + number) * each))
    everything = list(iter(lambda: list(islice(lines, each)), []))
    random.Random(0).shuffle(everything)
    choice = random.Random(1)
    sentences = [one for one in (words(choice.choice(own)) for own in everything[:number]) if one]
    gallery = everything[number : number + pictures]
    queries = {
        "three words": (TYPED_VARIANT, [choice.sample(one, min(3, len(one))) for one in sentences]),
        "captions": (CAPTION_VARIANT, sentences),
    }
    postings = BleuPostings.build(gallery)
    postings.warm_up()
    began = time.perf_counter()
    find = in_milvus(address, gallery) if address else by_product(gallery)
    figures: dict[str, object] = {"pictures": len(gallery), "build seconds": round(time.perf_counter() - began, 1)}
    figures |= {name: kept(postings, find, asked, variant, best) for name, (variant, asked) in queries.items()}
    click.echo(json.dumps(figures, indent=2))


def given(file: Path) -> Iterator[str]:
    """Yield the captions of a table, without its heading."""
    with file.open() as lines:
        next(lines)
        yield from (line.rstrip("\n").rsplit("\t", 1)[-1] for line in lines)


def words(text: str) -> list[str]:
    """Return the words of a caption as BLEU compares them."""
    return [fold(word) for word in tokenize(text)]


def vectors(gallery: Sequence[Picture]) -> list[SparseVector]:
    """Return the vectors of pictures."""
    return [picture_vector([words(text) for text in captions]) for captions in gallery]


def by_product(gallery: Sequence[Picture]) -> Find:
    """Return what finds candidates in a matrix in memory."""
    own = vectors(gallery)
    known = {dimension: column for column, dimension in enumerate({one for vector in own for one in vector})}
    columns = [known[dimension] for vector in own for dimension in vector]
    values = [value for vector in own for value in vector.values()]
    starts = np.cumsum([0, *map(len, own)])
    matrix = csr_matrix((values, columns, starts), shape=(len(gallery), len(known))).tocsc()

    def find(query: SparseVector, count: int) -> np.ndarray:
        shared = [(known[dimension], value) for dimension, value in query.items() if dimension in known]
        products = matrix[:, [column for column, _ in shared]] @ np.array([value for _, value in shared])
        return np.argsort(-products, kind="stable")[:count]

    return find


def in_milvus(address: str, gallery: Sequence[Picture]) -> Find:
    """Return what finds candidates in Milvus. Raises click.ClickException where it has no sparse vectors."""
    connection = MilvusConnection(read_address(address))
    if version := connection.without_sparse():
        raise click.ClickException(f"Milvus {version} has no sparse vectors; use 2.4 or later, or Milvus Lite")
    store = MilvusVectorStore(connection, "bench_ngrams")
    if KIND in store.models:
        store.drop(KIND)
    store.upsert_sparse(KIND, "1", range(len(gallery)), vectors(gallery))
    store.count(KIND)  # waits until all is there
    return lambda query, count: store.search_sparse(KIND, query, count)


def kept(
    postings: BleuPostings, find: Find, queries: Sequence[Sequence[str]], variant: BleuVariant, wanted: int
) -> dict[str, object]:
    """Return what is kept by the number of candidates, and milliseconds of both ways."""
    figures: dict[str, object] = {}
    truth, seconds = [], []
    for query in queries:
        began = time.perf_counter()
        truth.append(postings.top(query, variant, wanted)[1])
        seconds.append(time.perf_counter() - began)
    figures["postings, p50 ms"] = round(float(np.median(seconds)) * 1e3, 2)
    for count in COUNTS:
        shares, found_in, scored_in = [], [], []
        for query, best in zip(queries, truth, strict=True):
            began = time.perf_counter()
            found = find(query_vector(query, variant), count)
            between = time.perf_counter()
            scores = np.sort(postings.at(query, variant, found))[::-1][: len(best)]
            scored_in.append(time.perf_counter() - between)
            found_in.append(between - began)
            shares.append(float(np.mean(np.pad(scores, (0, len(best) - len(scores))) >= best - 1e-9)))
        figures[f"{count} candidates"] = {
            "kept": round(float(np.mean(shares)), 4),
            "queries that lose one": int(np.sum(np.array(shares) < 1)),
            "candidates, p50 ms": round(float(np.median(found_in)) * 1e3, 2),
            "exact scores, p50 ms": round(float(np.median(scored_in)) * 1e3, 2),
        }
    return figures


if __name__ == "__main__":
    main()
