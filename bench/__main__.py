"""Run all measurements and print a table: `python -m bench`."""

from __future__ import annotations

import os
import platform

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from bench.encoding import bench_encoding
from bench.picture_query import bench_picture_query
from bench.searching import bench_searching
from captioner.frameworks import load_keras


def main() -> None:
    """Print a description of the machine, then a line for each figure."""
    load_keras()
    print(f"machine: {platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}")
    for job in (bench_searching, bench_picture_query, bench_encoding):
        print(f"\n{job.__name__.removeprefix('bench_').replace('_', ' ')}", flush=True)
        for name, value in job().items():
            shown = f"{value:,.4g}" if isinstance(value, float) else value
            print(f"  {name:38} {shown}")


if __name__ == "__main__":
    main()
