"""What describing by Ray costs: threads, and Ray with one and two workers, on the same pictures of this machine.

    python -m bench.cluster

Each executor describes a first group, which loads everything, and then the pictures that are timed. Processor time is
that of this process and of all that it started, Ray's own among them; beside other work it tells more than the clock.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import click
import numpy as np
from PIL import Image

from captioner.captioner import Captioner
from captioner.cluster.connection import Cluster
from captioner.cluster.executor import RayExecutor
from captioner.pipeline import BATCH, Executor, ThreadExecutor
from data.limits import DEFAULT_LIMITS
from data.samples import copy_samples
from data.store import Store
from retrieval.commands.executor import loads_captioner
from retrieval.indexing.indexer import index

TICKS = os.sysconf("SC_CLK_TCK")
WARM_UP = BATCH + 1
"""Pictures of the first group, of which each of two workers gets some."""


@click.command()
@click.option("--pictures", default=256, show_default=True)
def main(pictures: int) -> None:
    """Print seconds, processor seconds and their ratios to those of threads as JSON."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_pictures(folder, pictures)
        ways = {"threads": threads()} | {f"Ray, workers: {number}": ray(number) for number in (1, 2)}
        figures = {way: measured(folder, number, executor) for number, (way, executor) in enumerate(ways.items())}
    base = figures["threads"]
    for one in figures.values():
        one |= {f"{name}, ratio": round(one[name] / base[name], 2) for name in base if not name.endswith("ratio")}
    click.echo(json.dumps({"pictures": pictures, **figures}, indent=2))


def make_pictures(folder: Path, count: int) -> None:
    """Write JPEG files: the demo gallery's photographs, each cut in another way; those of the first group apart."""
    copy_samples(folder / "gallery")
    sources = sorted(one for one in (folder / "gallery").rglob("*") if one.suffix in (".jpg", ".png"))
    random = np.random.default_rng(0)
    for part, number in (("first", WARM_UP), ("timed", count)):
        (folder / part).mkdir()
        for one in range(number):
            image = Image.open(sources[one % len(sources)]).convert("RGB")
            left, top = (int(random.integers(1, side // 4)) for side in image.size)
            image.crop((left, top, *image.size)).save(folder / part / f"{one:05}.jpg", quality=90)


@contextmanager
def threads() -> Iterator[Executor]:
    yield ThreadExecutor()


@contextmanager
def ray(workers: int) -> Iterator[Executor]:
    os.environ |= {"RAY_worker_niceness": "0", "RAY_USAGE_STATS_ENABLED": "0"}
    from ray.cluster_utils import Cluster as LocalNodes

    nodes = LocalNodes(initialize_head=True, head_node_args={"num_cpus": workers, "include_dashboard": False})
    with Cluster(nodes.address) as cluster, RayExecutor(cluster, loads_captioner(None)) as executor:
        yield executor
    nodes.shutdown()


def measured(folder: Path, number: int, entered: AbstractContextManager[Executor]) -> dict[str, float]:
    """Return what it takes to describe the timed pictures, a picture."""
    captioner, store = Captioner.load(), Store.open(f"sqlite:///{folder / f'{number}.sqlite3'}")
    with entered as executor:
        index(store, captioner, [folder / "first"], DEFAULT_LIMITS, executor=executor)
        began, used = time.perf_counter(), processor_seconds()
        count = index(store, captioner, [folder / "timed"], DEFAULT_LIMITS, executor=executor).captioned
        took, used = time.perf_counter() - began, processor_seconds() - used
    store.close()
    return {"seconds a picture": round(took / count, 4), "processor seconds a picture": round(used / count, 4)}


def processor_seconds() -> float:
    """Return the processor time of this process and its descendants, those that have ended included."""
    rows = dict[int, tuple[int, int]]()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            rows[int(stat.parent.name)] = int(fields[1]), sum(map(int, fields[11:15]))
    family = {os.getpid()}
    while more := {child for child, (parent, _) in rows.items() if parent in family} - family:
        family |= more
    return sum(rows[one][1] for one in family if one in rows) / TICKS


if __name__ == "__main__":
    main()
