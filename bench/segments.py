"""A library that grows: what adding to a large one costs, and how soon and in how much memory a process answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.library import VECTOR, make_library, place_width, units
from bench.searching import QUERIES
from captioner.bundle import BUNDLED, Bundle, load_bundle
from captioner.types import JOINT
from data.settings import Settings, load_settings
from data.store import Batch, CaptionRow, DescriptionRow, FileRow, PictureRow
from retrieval.indexing.indexer import BATCH
from retrieval.library import Library
from retrieval.search.query import Query

ADDED = 1000
NEW_WORDS = ("quokka", "axolotl", "pangolin", "okapi")
"""Each round of additions takes one of these; the captioner never met them, so they find what says them and no more."""
SEARCHES = 100
FRESH = """
import json, sys, time
from pathlib import Path
from data.settings import load_settings
from retrieval.library import Library
from retrieval.search.query import Query
def memory():
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {name: int(lines[name].split()[0]) / 1024 for name in ("VmRSS", "RssAnon", "VmHWM")}
started = time.perf_counter()
library = Library.open(load_settings(library=Path(sys.argv[1])), merges=True)
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
        make_library(settings.url, pictures, 1, bundle)
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


def _batch(word: str, count: int, random: np.random.Generator, bundle: Bundle) -> Batch:
    """New pictures that all say `word`."""
    batch = Batch()
    for look, place in zip(units(random, count, VECTOR), units(random, count, place_width(bundle)), strict=True):
        digest = random.bytes(32).hex()
        batch.files.append(FileRow(f"/added/{digest}.jpg".encode(), 1, 1, digest))
        batch.pictures.append(PictureRow(digest, 500, 375, "JPEG", 1, None))
        caption = CaptionRow(f"a {word} stands in the grass", -10.0)
        batch.descriptions.append(
            DescriptionRow(digest, bundle.version, [caption], {bundle.encoder.name: look, JOINT: place})
        )
    return batch


def _fresh(settings: Settings, rounds: int) -> dict[str, float]:
    """Search in a process of its own; when it `started` and first `answered`, and its memory in MB."""
    started = time.time()
    command = [sys.executable, "-c", FRESH, str(settings.library), str(rounds), *QUERIES]
    alone = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # as the command line sets it
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=alone)
    return {"started": started, **json.loads(done.stdout)}
