"""Measure what grows with the library, at ten thousand, a hundred thousand and a million pictures: `make bench-scale`.

Write `scale.json`, with a description of the machine, and `scale.png`. Each measurement is saved at once; a stopped run
resumes with the next one.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line does, before NumPy is imported

import click
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from bench.library import VECTOR, embedding_width, make_library, units
from bench.scale_bleu import bench_bleu
from bench.scale_vectors import bench_vectors
from bench.searching import QUERIES
from captioner.bundle import BUNDLED, Bundle, load_bundle
from captioner.pipeline import BATCH
from captioner.types import JOINT
from data.settings import Settings, load_settings
from data.store import Batch, CaptionRow, DescriptionRow, FileRow, PictureRow
from retrieval.library import Library
from retrieval.search.query import Query
from training.checkpoints import save_text

ADDED = 1000
NEW_WORDS = ("quokka", "axolotl", "pangolin", "okapi")
"""Each round of additions uses one of these; the captioner does not know them, so only captions with them match."""
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
    """Measure a synthetic library of `pictures`: times in seconds and milliseconds, memory in MB."""
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
    """Return seconds for writing new pictures, and for the first search after that, whose index has all of them."""
    library, random = Library.open(settings), np.random.default_rng(1)
    library.search(Query(QUERIES[0]))
    seconds = {}
    for word, (name, count) in zip(NEW_WORDS, (("batch", BATCH), ("1000", ADDED), ("1000_more", ADDED)), strict=False):
        batches = [_batch(word, min(BATCH, count - start), random, bundle) for start in range(0, count, BATCH)]
        started = time.perf_counter()
        for batch in batches:
            library.store.write_batch(batch)
        written = time.perf_counter()
        library.search(Query(word))
        seconds[f"writing_{name}_s"] = written - started
        seconds[f"then_finding_{name}_s"] = time.perf_counter() - written
        found = int(library.searcher().index.captions.spread([word])[0])
        assert found == count, f"{found} of {count} new pictures are in the index"
    started = time.perf_counter()
    library.store.set_user_caption(pictures // 2, f"our own {NEW_WORDS[-1]}")
    assert library.search(Query(NEW_WORDS[-1]), limit=1).hits[0].id == pictures // 2
    seconds["caption_edited_and_found_s"] = time.perf_counter() - started
    library.close()
    return seconds


def _batch(word: str, count: int, random: np.random.Generator, bundle: Bundle) -> Batch:
    """Return new pictures whose captions all have `word`."""
    batch = Batch()
    for vector, embedding in zip(
        units(random, count, VECTOR), units(random, count, embedding_width(bundle)), strict=True
    ):
        digest = random.bytes(32).hex()
        batch.files.append(FileRow(f"/added/{digest}.jpg".encode(), 1, 1, digest))
        batch.pictures.append(PictureRow(digest, 500, 375, "JPEG", 1, None))
        caption = CaptionRow(f"a {word} stands in the grass", -10.0)
        batch.descriptions.append(
            DescriptionRow(digest, bundle.version, [caption], {bundle.encoder.name: vector, JOINT: embedding})
        )
    return batch


def _fresh(settings: Settings, rounds: int) -> dict[str, float]:
    """Search in a new process; return when it `started` and first `answered`, and its memory in MB."""
    started = time.time()
    command = [sys.executable, "-c", FRESH, str(settings.library), str(rounds), *QUERIES]
    alone = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # as the command line sets it
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=alone)
    return {"started": started, **json.loads(done.stdout)}


SIZES = (10_000, 100_000, 1_000_000)
JOBS: dict[str, Callable[[int], dict[str, float]]] = {
    "BLEU, 1 caption each": lambda size: bench_bleu(size, 1),
    "BLEU, 5 captions each": lambda size: bench_bleu(size, 5),
    "cosine, 256 numbers": lambda size: bench_vectors(size, 256),
    "library": bench_segments,
}
CURVES = {
    "BLEU, 1 caption each": {
        "bleu_median_ms": "BLEU",
        "bm25s_numpy_median_ms": "bm25s",
        "bm25s_numba_median_ms": "bm25s, numba",
    },
    "BLEU, 5 captions each": {"bleu_median_ms": "BLEU, 5 captions"},
    "cosine, 256 numbers": {"ms": "cosine", "exact_scan_ms": "cosine, exact scan"},
    "library": {"search_ms": "whole search by words", "then_finding_1000_s": "making 1,000 searchable (s)"},
}
"""The figures in the plot and their labels; milliseconds unless the label says otherwise."""


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/scale"), show_default=True)
@click.option("--most", type=int, default=SIZES[-1], show_default=True, help="Skip larger libraries.")
def main(out: Path, most: int) -> None:
    """Run the missing measurements, print all, and draw the curves."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / "scale.json"
    document = json.loads(path.read_text()) if path.exists() else {"machine": machine(), "measured": {}}
    for name, job in JOBS.items():
        for size in (one for one in SIZES if one <= most):
            done = document["measured"].setdefault(name, {})
            if str(size) not in done:
                done[str(size)] = job(size)
                save_text(json.dumps(document, indent=1), path)
            _print(f"{name}, {size:,} pictures", done[str(size)])
    draw(document["measured"], out / "scale.png")


def machine() -> dict[str, Any]:
    """Describe this machine."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "processor": models[0].split(":", 1)[1].strip() if models else platform.machine(),
        "processors": os.cpu_count(),
        "python": platform.python_version(),
    }


def draw(measured: dict[str, dict[str, dict[str, float]]], path: Path) -> None:
    """Draw each figure of CURVES over the number of pictures, both axes logarithmic."""
    figure, axes = plt.subplots(figsize=(7, 5))
    for name, drawn in CURVES.items():
        sizes = sorted(map(int, measured[name]))
        for figure_name, title in drawn.items():
            axes.plot(sizes, [measured[name][str(one)][figure_name] for one in sizes], marker="o", label=title)
    axes.set(xscale="log", yscale="log", xlabel="pictures", ylabel="milliseconds a query")
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    figure.savefig(path, dpi=110, bbox_inches="tight")
    plt.close(figure)


def _print(title: str, figures: dict[str, float]) -> None:
    click.echo(f"\n{title}")
    for name, value in figures.items():
        click.echo(f"  {name:36} {value:,.4g}")


if __name__ == "__main__":
    main()
