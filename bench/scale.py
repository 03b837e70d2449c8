"""All that grows with the library, at ten thousand, a hundred thousand and a million pictures: `make bench-scale`.

Writes `scale.json`, with the machine's description, and `scale.png`. Each measurement is kept as soon as it is made; a
stopped run goes on with the others.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line does, before NumPy is imported

import click
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from bench.scale_bleu import bench_bleu
from bench.scale_vectors import bench_vectors
from bench.segments import bench_segments
from training.state import save_text

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
    "cosine, 256 numbers": {"ms": "cosine", "exact_scan_ms": "cosine, all looked at"},
    "library": {"search_ms": "whole search by words", "then_finding_1000_s": "making 1,000 searchable (s)"},
}
"""The figures that are drawn, and what they are called; milliseconds unless the name says otherwise."""


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/scale"), show_default=True)
@click.option("--most", type=int, default=SIZES[-1], show_default=True, help="Leave out larger libraries.")
def main(out: Path, most: int) -> None:
    """Measure what is not measured yet, print it, and draw the curves."""
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
    """What the figures were measured on."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "processor": models[0].split(":", 1)[1].strip() if models else platform.machine(),
        "processors": os.cpu_count(),
        "python": platform.python_version(),
    }


def draw(measured: dict[str, dict[str, dict[str, float]]], path: Path) -> None:
    """Draw each figure of CURVES over the number of pictures, both axes by powers of ten."""
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
