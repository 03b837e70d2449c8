"""Weigh a made-up library, a picture, in each engine: `python -m bench.sizes --pictures 4000`.

Each picture has five captions, attention cells and vectors of 256 (`vgg16`) and 576 numbers (`joint`), as described by
the shipped bundle. Attention cells, the largest part, are compared with those of the sample pictures. PostgreSQL is
weighed where it is installed. What Milvus keeps in memory is computed: numbers of single precision, an id and a length;
`bench.milvus` weighs a server.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from contextlib import closing
from pathlib import Path

import click
import sqlalchemy as sa

from bench.deployment import postgresql
from bench.library import VECTOR, embedding_width, make_library
from bench.milvus import on_disk
from captioner.bundle import BUNDLED, load_bundle
from captioner.captioner import Captioner
from captioner.types import CELLS
from data.limits import DEFAULT_LIMITS
from data.records import Batch
from data.samples import copy_samples
from data.settings import load_settings
from data.sharing.copying import copy_store
from data.store import Store
from retrieval.index.upkeep import current_index
from retrieval.indexing.indexer import index

CAPTIONS = 5
BESIDE_A_VECTOR = 8 + 4
"""Bytes in Milvus: the id and the length."""


@click.command()
@click.option("--pictures", default=4_000, show_default=True, type=click.IntRange(1))
def main(pictures: int) -> None:
    """Print bytes a picture as JSON."""
    bundle = load_bundle(BUNDLED)
    with tempfile.TemporaryDirectory() as name:
        settings = load_settings(library=Path(name) / "library")
        make_library(settings.url, pictures, CAPTIONS, bundle)
        figures = {"SQLite": on_disk(settings.library)}
        with closing(Store.open(settings.url)) as store:
            store.write_batch(Batch())  # bulk rows raise no generation, by which a copy knows its library
            for shown, with_vectors in (("with vectors", True), ("without vectors", False)):
                current_index(store, Path(name) / shown, with_vectors=with_vectors)
                figures[f"search index {shown}"] = on_disk(Path(name) / shown)
            figures |= in_postgresql(store)
            cells = {"attention cells among them": cells_of(store, bundle.version)}
        copy_samples(Path(name) / "samples")
        with closing(Store.open(f"sqlite:///{Path(name) / 'samples.sqlite3'}")) as store:
            index(store, Captioner.load(), [Path(name) / "samples"], DEFAULT_LIMITS)
            cells |= {"attention cells of the sample pictures": cells_of(store, bundle.version)}
    sizes = (VECTOR, embedding_width(bundle))
    milvus = {"vectors in Milvus, in memory, computed": 4 * sum(sizes) + BESIDE_A_VECTOR * len(sizes)}
    each = {engine: round(size / pictures) for engine, size in figures.items()}
    click.echo(
        json.dumps({"pictures": pictures, "bundle": bundle.version, "bytes a picture": each | milvus | cells}, indent=2)
    )


def in_postgresql(source: Store) -> dict[str, int]:
    """Return the bytes by which a copy makes a database grow, nothing where PostgreSQL is not installed."""
    programs = postgresql.programs()
    if programs is None:
        return {}
    with postgresql.running_server(programs) as server:
        url = server.database()
        with closing(Store.open(url, unfinished=True)) as target:
            empty = _database_size(url)
            copy_store(source, target)
        return {"PostgreSQL": _database_size(url) - empty}


def cells_of(store: Store, version: str) -> int:
    """Return the mean bytes of the attention cells of up to a thousand pictures."""
    _, ids = store.searched_items()
    return round(statistics.mean(map(len, store.features(ids[:1000].tolist(), CELLS, version).values())))


def _database_size(url: str) -> int:
    engine = sa.create_engine(url)
    try:
        with engine.connect() as connection:
            return int(connection.execute(sa.text("SELECT pg_database_size(current_database())")).scalar_one())
    finally:
        engine.dispose()


if __name__ == "__main__":
    main()
