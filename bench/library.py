"""Synthetic libraries of any size, written in bulk."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import sqlalchemy as sa

from captioner.bundle import Bundle
from captioner.cells import pack_cells
from captioner.types import CELLS, JOINT
from data.store import Store
from data.tables import captions, features, files, items, pictures

VECTOR = 256
POOL = 20_000
"""Distinct captions of a synthetic library."""
CELL_ARRAYS = 50
"""Distinct arrays of attention cells of a synthetic library."""
GRID = 14
"""Attention cells in a row; half as many are stored."""
ABOVE_ZERO = -1.25
"""The mean of a cell's numbers before those below 0 are cut off; `bench.sizes` compares what this packs to."""
AT_ONCE = 20_000


def make_library(url: str, count: int, each: int, bundle: Bundle) -> None:
    """Write `count` pictures with `each` captions, drawn from the shipped vocabulary by Zipf's law.

    Each has attention cells as pictures described by the shipped bundle have, so that these may be added.
    """
    random = np.random.default_rng(0)
    pool, cells = _captions(random, bundle), _cells(random, bundle)
    Store.open(url).close()
    engine = sa.create_engine(url)
    for start in range(1, count + 1, AT_ONCE):
        ids = range(start, min(start + AT_ONCE, count + 1))
        chosen = random.integers(0, len(pool), (len(ids), each)).tolist()
        with engine.begin() as connection:
            for table, rows in {**file_rows(ids), captions: _caption_rows(ids, chosen, pool, bundle.version)}.items():
                connection.execute(sa.insert(table), rows)
            connection.execute(sa.insert(features), _features(ids, cells, random, bundle))
    engine.dispose()


def units(random: np.random.Generator, count: int, dimensions: int) -> np.ndarray:
    """Return random vectors of length 1, float16 (count, dimensions)."""
    vectors = random.standard_normal((count, dimensions), np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float16)


def embedding_width(bundle: Bundle) -> int:
    """Return the length of an embedding of the bundle's model."""
    config = bundle.embedding.config if bundle.embedding else None
    return config.members * config.dimensions if config else 1


def file_rows(ids: range) -> dict[sa.Table, list[dict[str, Any]]]:
    """Return rows of pictures with these ids and of their files, /made-up/ID.jpg."""
    shape = {"width": 500, "height": 375, "format": "JPEG", "bytes": 1, "added_at": datetime(2026, 1, 1)}
    return {
        items: [{"id": one, "kind": "picture"} for one in ids],
        pictures: [{"id": one, "digest": f"{one:064x}", "taken_at": None, **shape} for one in ids],
        files: [{"path": b"/made-up/%d.jpg" % one, "picture_id": one, "size": 1, "mtime_ns": 1} for one in ids],
    }


def _caption_rows(ids: range, chosen: list[list[int]], pool: list[str], version: str) -> list[dict[str, Any]]:
    own = {"source": "model", "logprob": -10.0, "model_version": version}
    return [
        {"item_id": picture, "rank": rank, "text": pool[number], **own}
        for picture, numbers in zip(ids, chosen, strict=True)
        for rank, number in enumerate(numbers)
    ]


def _features(ids: range, cells: list[bytes], random: np.random.Generator, bundle: Bundle) -> list[dict[str, Any]]:
    own = {"model_version": bundle.version}
    rows = [
        {"item_id": item, "kind": kind, "dimensions": length, "value": vector.tobytes(), **own}
        for kind, length in ((bundle.encoder.name, VECTOR), (JOINT, embedding_width(bundle)))
        for item, vector in zip(ids, units(random, len(ids), length), strict=True)
    ]
    return rows + [
        {"item_id": item, "kind": CELLS, "dimensions": None, "value": cells[item % len(cells)], **own} for item in ids
    ]


def _captions(random: np.random.Generator, bundle: Bundle) -> list[str]:
    words = np.asarray(bundle.vocabulary.words)
    chance = 1 / np.arange(2, len(words) + 2)
    drawn = random.choice(words, (POOL, 14), p=chance / chance.sum())
    return [" ".join(one[:length]) for one, length in zip(drawn, random.integers(6, 15, POOL), strict=True)]


def _cells(random: np.random.Generator, bundle: Bundle) -> list[bytes]:
    """Return packed cells like real ones, of which four in ten numbers are above 0 once they are averaged."""
    shape = CELL_ARRAYS, GRID * GRID, bundle.decoder.attention
    return pack_cells(np.maximum(random.normal(ABOVE_ZERO, 1, shape), 0).astype(np.float32))
