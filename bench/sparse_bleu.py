"""BLEU's candidates from sparse vectors of n-grams: `python -m bench.sparse_bleu --to FILE.db`.

Each sentence is a picture with one caption. Its vector has a number for each n-gram of up to three words; the inner
product with a query's vector is about what BLEU adds up. The best by that are scored exactly, and compared with the
true best of BLEU over all: how many of the best thirty are kept, by the number of candidates. A true best one counts as
kept if as many with its score or a better one are. Sentences are synthetic, see `bench.scale_bleu`, or the last column
of a file of `--captions`; queries are 200 of them that are left out of the gallery, whole and as three of their words.
With `--to`, the candidates come from Milvus, 2.4 or later, or Milvus Lite; else from a product of matrices, which finds
the same.
"""

from __future__ import annotations

import json
import random
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click
import numpy as np
from scipy.sparse import csr_matrix

from bench.scale_bleu import synthetic_captions, texts
from data.text import fold, tokenize
from retrieval.bleu.postings import BleuPostings
from retrieval.bleu.score import CAPTION_VARIANT, TYPED_VARIANT, BleuVariant, ngram_counts
from retrieval.vectors.milvus_client import MilvusConnection, read_address

QUERIES, BEST = 200, 30
COUNTS = (30, 100, 300, 1000, 3000)
DIMENSIONS = 2**31 - 1
MOST_TIMES = 2
BATCH = 2000
COLLECTION = "bench_ngrams"
WEIGHTS = {"three words": (TYPED_VARIANT, (1.0, 0.1)), "sentences": (CAPTION_VARIANT, (1.0, 2.0, 3.0))}
"""The queries, their BLEU, and what a shared n-gram of each order counts, beside 1 over the query's n-grams."""

Sparse = dict[int, float]
Find = Callable[[Sparse, int], np.ndarray]


@click.command()
@click.option("--sentences", default=100_000, show_default=True)
@click.option("--captions", type=click.Path(path_type=Path), help="A table whose last column has sentences.")
@click.option("--to", "address", help="Milvus, or a file of Milvus Lite.")
def main(sentences: int, captions: Path | None, address: str | None) -> None:
    """Print the share of the true best that is kept, and milliseconds, as JSON."""
    everything = list(given(captions) if captions else texts(synthetic_captions(sentences + QUERIES)))
    random.Random(0).shuffle(everything)
    asked = [words(text) for text in everything[:QUERIES]]
    gallery = everything[QUERIES : QUERIES + sentences]
    postings = BleuPostings.build([[text] for text in gallery])
    began = time.perf_counter()
    find = in_milvus(address, gallery) if address else by_product(gallery)
    figures: dict[str, object] = {"sentences": len(gallery), "build seconds": round(time.perf_counter() - began, 1)}
    choice = random.Random(1)
    queries = {"three words": [choice.sample(one, min(3, len(one))) for one in asked], "sentences": asked}
    for name, (variant, weights) in WEIGHTS.items():
        figures[name] = kept(postings, find, [one for one in queries[name] if one], variant, weights)
    click.echo(json.dumps(figures, indent=2))


def given(file: Path) -> Iterator[str]:
    """Yield the sentences of a table, without its heading."""
    with file.open() as lines:
        next(lines)
        yield from (line.rstrip("\n").rsplit("\t", 1)[1] for line in lines)


def words(text: str) -> list[str]:
    """Return the words of a sentence as BLEU compares them."""
    return [fold(word) for word in tokenize(text)]


def dimensions(sentence: Sequence[str], orders: int) -> Iterator[tuple[int, int]]:
    """Yield an order and a dimension for each n-gram of a sentence: its first and second time have one each.

    So a product counts an n-gram as often as both sentences have it, as BLEU does.
    """
    for order in range(1, orders + 1):
        for gram, count in ngram_counts(sentence, order).items():
            for turn in range(min(count, MOST_TIMES)):
                yield order, zlib.crc32(f"{' '.join(gram)} {turn}".encode()) % DIMENSIONS


def of_caption(sentence: Sequence[str]) -> Sparse:
    """Return a caption's vector."""
    return {dimension: 1.0 for _, dimension in dimensions(sentence, CAPTION_VARIANT.max_order)}


def of_query(sentence: Sequence[str], variant: BleuVariant, weights: Sequence[float]) -> Sparse:
    """Return a query's vector: what each n-gram adds to the precision of its order, weighted."""
    found = dimensions(sentence, variant.max_order)
    return {one: weights[order - 1] / max(1, len(sentence) - order + 1) for order, one in found}


def by_product(gallery: Sequence[str]) -> Find:
    """Return what finds candidates in a matrix in memory."""
    vectors = [of_caption(words(text)) for text in gallery]
    known = {dimension: column for column, dimension in enumerate({one for vector in vectors for one in vector})}
    columns = [known[dimension] for vector in vectors for dimension in vector]
    values = [value for vector in vectors for value in vector.values()]
    starts = np.cumsum([0, *map(len, vectors)])
    matrix = csr_matrix((values, columns, starts), shape=(len(gallery), len(known))).tocsc()

    def find(query: Sparse, count: int) -> np.ndarray:
        shared = [(known[dimension], value) for dimension, value in query.items() if dimension in known]
        products = matrix[:, [column for column, _ in shared]] @ np.array([value for _, value in shared])
        return np.argsort(-products, kind="stable")[:count]

    return find


def in_milvus(address: str, gallery: Sequence[str]) -> Find:
    """Return what finds candidates in Milvus. Raises click.ClickException where it has no sparse vectors."""
    from pymilvus import DataType, MilvusClient

    connection = MilvusConnection(read_address(address))
    version = str(connection.call("get_server_version"))
    if version.lstrip("v").startswith(("2.0.", "2.1.", "2.2.", "2.3.")):
        raise click.ClickException(f"Milvus {version} has no sparse vectors; use 2.4 or later, or Milvus Lite")
    schema, indexes = MilvusClient.create_schema(auto_id=False), MilvusClient.prepare_index_params()
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("grams", DataType.SPARSE_FLOAT_VECTOR)
    indexes.add_index("grams", index_type="SPARSE_INVERTED_INDEX", metric_type="IP")
    if connection.call("has_collection", COLLECTION):
        connection.write("drop_collection", COLLECTION)
    connection.write("create_collection", COLLECTION, schema=schema, index_params=indexes)
    for start in range(0, len(gallery), BATCH):
        piece = enumerate(gallery[start : start + BATCH], start)
        connection.write("insert", COLLECTION, [{"id": row, "grams": of_caption(words(text))} for row, text in piece])
    connection.write("flush", COLLECTION)

    def find(query: Sparse, count: int) -> np.ndarray:
        options = {"anns_field": "grams", "limit": count, "output_fields": ["id"]}
        # The first search of Milvus Lite takes as long as a write may.
        return np.array(connection.write("search", COLLECTION, [query], **options)[0].ids, np.int64)

    return find


def kept(
    postings: BleuPostings, find: Find, queries: Sequence[Sequence[str]], variant: BleuVariant, weights: Sequence[float]
) -> dict[str, object]:
    """Return the share of the true best that is kept by the number of candidates, and milliseconds of both ways."""
    shares: dict[int, list[float]] = {count: [] for count in COUNTS}
    seconds: dict[str, list[float]] = {"postings": [], "candidates": [], "exact scores": []}
    for query in queries:
        began = time.perf_counter()
        best = postings.top(query, variant, BEST)[1]
        seconds["postings"].append(time.perf_counter() - began)
        began = time.perf_counter()
        found = find(of_query(query, variant, weights), max(COUNTS))
        seconds["candidates"].append(time.perf_counter() - began)
        began = time.perf_counter()
        scores = postings.at(query, variant, found)
        seconds["exact scores"].append(time.perf_counter() - began)
        for count, own in shares.items():
            got = np.sort(scores[:count])[::-1][: len(best)]
            own.append(float(np.mean(np.pad(got, (0, len(best) - len(got))) >= best - 1e-9)))
    milliseconds = {name: round(float(np.median(own)) * 1e3, 2) for name, own in seconds.items()}
    return {
        "kept": {str(count): round(float(np.mean(own)), 4) for count, own in shares.items()},
        "queries that lose one": {str(count): int(np.sum(np.array(own) < 1)) for count, own in shares.items()},
        "p50 ms": milliseconds,
    }


if __name__ == "__main__":
    main()
