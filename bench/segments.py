"""A library that grows: what adding to a large one costs, and how soon and in how much memory a process answers."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from bench.searching import QUERIES, VECTOR
from captioner.bundle import BUNDLED, Bundle, load_bundle
from data.settings import Settings, load_settings
from data.store import Batch, CaptionRow, DescriptionRow, FileRow, PictureRow, Store
from data.tables import captions, features, files, pictures
from retrieval.indexer import BATCH
from retrieval.library import Library
from retrieval.query import Query

ADDED = 1000
POOL = 20_000
"""Different captions in a made-up library; each of its pictures has one of them."""
AT_ONCE = 20_000
NEW_WORDS = ("quokka", "axolotl", "pangolin", "okapi")
"""Each round of additions takes one of these; the captioner never met them, so they find what says them and no more."""
SEARCHES = 100
FRESH = """
import json, sys, time
from pathlib import Path
from data.settings import load_settings
from retrieval.library import Library
from retrieval.query import Query
def memory():
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {name: int(lines[name].split()[0]) / 1024 for name in ("VmRSS", "RssAnon", "VmHWM")}
started = time.perf_counter()
library = Library.open(load_settings(library=Path(sys.argv[1])))
library.searcher()
opening, searched, taken = time.perf_counter() - started, 0, []
for round in range(int(sys.argv[2])):
    for query in sys.argv[3:]:
        started = time.perf_counter()
        library.search(Query(query))
        taken.append(time.perf_counter() - started)
        if not searched:
            searched = time.time()
print(json.dumps({"opening": opening, "answered": searched, "median": sorted(taken)[len(taken) // 2], **memory()}))
"""


def bench_segments(pictures: int) -> dict[str, float]:
    """Return what a made-up library of so many pictures takes: times in seconds and milliseconds, memory in MB."""
    with tempfile.TemporaryDirectory() as folder:
        settings, bundle = load_settings(library=Path(folder)), load_bundle(BUNDLED)
        make_library(settings.url, pictures, bundle)
        started = time.time()
        built = _fresh(settings, 1)
        warm = _fresh(settings, SEARCHES // len(QUERIES))
        return {
            "pictures": pictures,
            "first_index_s": built["answered"] - started,
            "first_index_memory_mb": built["VmHWM"],
            "fresh_process_to_first_answer_s": warm["answered"] - warm["started"],
            "of_that_opening_the_library_s": warm["opening"],
            "search_ms": 1e3 * warm["median"],
            "resident_mb_after_100_searches": warm["VmRSS"],
            "of_them_not_mapped_files_mb": warm["RssAnon"],
            **_adding(settings, pictures, bundle),
        }


def _adding(settings: Settings, pictures: int, bundle: Bundle) -> dict[str, float]:
    """Seconds from the first transaction to the first search that finds all that was added."""
    library, random = Library.open(settings), np.random.default_rng(1)
    library.search(Query(QUERIES[0]))
    seconds = {}
    for word, (name, count) in zip(NEW_WORDS, (("batch", BATCH), ("1000", ADDED), ("1000_more", ADDED)), strict=False):
        batches = [_batch(word, min(BATCH, count - start), random, bundle) for start in range(0, count, BATCH)]
        started = time.perf_counter()
        for batch in batches:
            library.store.write_batch(batch)
        written = time.perf_counter()
        found = library.search(Query(word))
        seconds[f"writing_{name}_s"] = written - started
        seconds[f"then_finding_{name}_s"] = time.perf_counter() - written
        assert found.total == count, f"{found.total} of {count} new pictures were found"
    started = time.perf_counter()
    library.store.set_user_caption(pictures // 2, f"our own {NEW_WORDS[-1]}")
    assert library.search(Query(NEW_WORDS[-1]), limit=1).hits[0].id == pictures // 2
    seconds["caption_edited_and_found_s"] = time.perf_counter() - started
    library.close()
    return seconds


def make_library(url: str, count: int, bundle: Bundle) -> None:
    """Write `count` pictures with one caption each, drawn from the shipped vocabulary by Zipf's law, in bulk."""
    random = np.random.default_rng(0)
    pool = _captions(random, bundle)
    Store.open(url).close()
    engine = sa.create_engine(url)
    for start in range(1, count + 1, AT_ONCE):
        ids = range(start, min(start + AT_ONCE, count + 1))
        with engine.begin() as connection:
            for table, rows in _rows(ids, pool, random, bundle).items():
                connection.execute(sa.insert(table), rows)
    engine.dispose()


def _rows(ids: range, pool: list[str], random: np.random.Generator, bundle: Bundle) -> dict[sa.Table, Any]:
    said = random.integers(0, len(pool), len(ids)).tolist()
    looks, places = (_units(random, len(ids), wide) for wide in (VECTOR, _place_width(bundle)))
    own = {"source": "model", "rank": 0, "logprob": -10.0, "model_version": bundle.version}
    shape = {"width": 500, "height": 375, "format": "JPEG", "bytes": 1, "added_at": datetime(2026, 1, 1)}
    return {
        pictures: [{"id": one, "digest": f"{one:064x}", "taken_at": None, **shape} for one in ids],
        files: [{"path": b"/made-up/%d.jpg" % one, "picture_id": one, "size": 1, "mtime_ns": 1} for one in ids],
        captions: [{"picture_id": one, "text": pool[which], **own} for one, which in zip(ids, said, strict=True)],
        features: [
            {"picture_id": one, "model_version": bundle.version, "vector": look.tobytes(), "embedding": place.tobytes()}
            for one, look, place in zip(ids, looks, places, strict=True)
        ],
    }


def _captions(random: np.random.Generator, bundle: Bundle) -> list[str]:
    words = np.asarray(bundle.vocabulary.words)
    chance = 1 / np.arange(2, len(words) + 2)
    drawn = random.choice(words, (POOL, 14), p=chance / chance.sum())
    return [" ".join(one[:length]) for one, length in zip(drawn, random.integers(6, 15, POOL), strict=True)]


def _batch(word: str, count: int, random: np.random.Generator, bundle: Bundle) -> Batch:
    """New pictures that all say `word`."""
    batch = Batch()
    for look, place in zip(_units(random, count, VECTOR), _units(random, count, _place_width(bundle)), strict=True):
        digest = random.bytes(32).hex()
        batch.files.append(FileRow(f"/added/{digest}.jpg".encode(), 1, 1, digest))
        batch.pictures.append(PictureRow(digest, 500, 375, "JPEG", 1, None))
        caption = CaptionRow(f"a {word} stands in the grass", -10.0)
        batch.descriptions.append(DescriptionRow(digest, bundle.version, [caption], look, place))
    return batch


def _units(random: np.random.Generator, count: int, dimensions: int) -> np.ndarray:
    vectors = random.standard_normal((count, dimensions), np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float16)


def _place_width(bundle: Bundle) -> int:
    config = bundle.embedding.config if bundle.embedding else None
    return config.members * config.dimensions if config else 1


def _fresh(settings: Settings, rounds: int) -> dict[str, float]:
    """Search in a process of its own; when it `started` and first `answered`, and its memory in MB."""
    started = time.time()
    command = [sys.executable, "-c", FRESH, str(settings.library), str(rounds), *QUERIES]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return {"started": started, **json.loads(done.stdout)}
