"""Work done by threads ahead of the model that waits for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead(work: Callable[..., T], jobs: Iterable[tuple], waiting: int) -> Iterator[T]:
    """Yield `work(*job)` of every job in order, with up to `waiting` begun before they are asked for."""
    begun: list[Future[T]] = []
    with ThreadPoolExecutor(min(waiting, os.cpu_count() or 1)) as pool:
        for job in jobs:
            begun.append(pool.submit(work, *job))
            if len(begun) > waiting:
                yield begun.pop(0).result()
        yield from (one.result() for one in begun)
