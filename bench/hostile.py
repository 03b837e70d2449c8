"""Memory of `retroflex index` over hostile picture files: `python -m bench.hostile`.

Memory is proportional set size, in which shared pages count once, of each process below the command, read several
times a second. What decodes, that is the child processes for it, is told apart from the process with the captioner.
The captioner's own memory is that of a run over ordinary photographs.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import click

from bench.encoding import make_photographs
from bench.hostile_files import write_hostile
from bench.load import RETROFLEX

PAUSE = 0.05
"""Seconds between two readings."""
WORKER = b"data.decoding.worker"


def pss(process: int) -> int:
    """Return the bytes of a process, each page divided by the number of processes that share it; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def processes_below(process: int) -> list[int]:
    """Return a process and its children, grandchildren and so on."""
    found = [process]
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            found += [one for child in task.read_text().split() for one in processes_below(int(child))]
        except OSError:  # it has just ended
            continue
    return found


def read_memory(process: int) -> dict[str, int]:
    """Return the bytes of all decoding children together, of the largest one, of the rest, and of the whole tree."""
    by_process = {one: pss(one) for one in processes_below(process)}
    decoding = [size for one, size in by_process.items() if _is_worker(one)]
    whole = sum(by_process.values())
    return {
        "decoding children": sum(decoding),
        "largest child": max(decoding, default=0),
        "process with the captioner": whole - sum(decoding),
        "whole tree": whole,
    }


def _is_worker(process: int) -> bool:
    try:
        return WORKER in Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return False


def indexed(folder: Path, library: Path) -> tuple[dict[str, int], dict[str, object], float]:
    """Index a folder; return the peak of each figure in bytes, the command's report, and the seconds it took."""
    peaks: Counter[str] = Counter()
    started = time.monotonic()
    command = [RETROFLEX, "index", "--json", "--library", str(library), str(folder)]
    with tempfile.TemporaryFile() as output, subprocess.Popen(command, stdout=output, stderr=sys.stderr) as process:
        while process.poll() is None:
            for name, size in read_memory(process.pid).items():
                peaks[name] = max(peaks[name], size)
            time.sleep(PAUSE)
        output.seek(0)
        report = json.loads(output.read() or "{}")
    if process.returncode:
        raise SystemExit(f"retroflex index ended with {process.returncode}")
    return dict(peaks), report, time.monotonic() - started


@click.command()
@click.option("--count", default=3_000, show_default=True, help="Hostile files.")
@click.option("--seed", default=0, show_default=True)
def main(count: int, seed: int) -> None:
    """Index ordinary photographs and then hostile files, each into a new library; print the peaks of memory."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        photos = sorted(make_photographs(folder / "photos", 200).iterdir())
        write_hostile(photos[:12], folder / "hostile", count, seed)
        for name, source in (
            ("ordinary photographs", photos[0].parent),
            (f"{count} hostile files", folder / "hostile"),
        ):
            peaks, report, seconds = indexed(source, folder / f"library of {source.name}")
            print(f"{name}: {report['captioned']} captioned, {report['skipped']} skipped, {seconds:.0f} s")
            for figure, size in peaks.items():
                print(f"  {figure:28} {size / 2**20:7,.0f} MiB at most")
    for reason, times in _reasons(report).most_common(20):
        print(f"  {times:5} {reason}")


def _reasons(report: dict[str, object]) -> Counter[str]:
    """Count the reasons for which files were skipped, without what differs from file to file."""
    skipped = report["skipped_files"]
    assert isinstance(skipped, list)
    return Counter(re.sub(r"\d[\d,]*", "N", one["reason"])[:70] for one in skipped)


if __name__ == "__main__":
    main()
