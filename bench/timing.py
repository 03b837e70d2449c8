"""Timing helpers."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """Seconds of a call: the fastest, the median and the slowest of several."""

    best: float
    median: float
    worst: float


def measure(call: Callable[[], object], seconds: float = 3.0, least: int = 3) -> Timing:
    """Time repeated calls for about `seconds`, after a call that does not count."""
    call()
    taken: list[float] = []
    began = time.perf_counter()
    while len(taken) < least or time.perf_counter() - began < seconds:
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return Timing(min(taken), statistics.median(taken), max(taken))


def processor_seconds(call: Callable[[], object], times: int = 5) -> float:
    """Return the least processor time of `call`, over all threads, of several calls after one that does not count."""
    call()
    taken: list[float] = []
    for _ in range(times):
        start = time.process_time()
        call()
        taken.append(time.process_time() - start)
    return min(taken)
