"""Long answers, of which only a few may run at a time, and one of them: server-sent events about indexing."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from http import HTTPStatus
from threading import BoundedSemaphore
from typing import TypeVar

from retrieval.indexing.job import Job
from retrieval.indexing.jobs import Jobs
from webui.problems import Problem

T = TypeVar("T", str, bytes)

MAX_LISTENERS = 4
"""Each takes a thread of the server as long as it listens."""
SPACING = 0.25
"""Seconds between two events, at least."""
HEARTBEAT = 3.0
"""Seconds without an event, at most; a closed connection is noticed then."""


class StreamLimit:
    """At most `most` long answers at the same time, as each takes a thread of the server; more are told `busy`."""

    def __init__(self, most: int, busy: str) -> None:
        self._free = BoundedSemaphore(most)
        self._busy = busy

    def stream(self, pieces: Iterator[T]) -> Iterator[T]:
        """Return `pieces`, counted as a long answer until they end or are closed. Raise Problem 503."""
        if not self._free.acquire(blocking=False):
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, self._busy)
        return _Counted(pieces, self._free)


class _Counted(Iterator[T]):
    """An iterator that also releases the semaphore when closed before its first piece; a generator would not."""

    def __init__(self, pieces: Iterator[T], free: BoundedSemaphore) -> None:
        self._pieces: Iterator[T] = pieces
        self._free: BoundedSemaphore | None = free

    def __next__(self) -> T:
        try:
            return next(self._pieces)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Release the semaphore; the server calls this in any case."""
        free, self._free = self._free, None
        if free is not None:
            free.release()

    def __del__(self) -> None:
        self.close()  # An answer that was begun and forgotten without being closed must not count for ever.


job_streams = StreamLimit(MAX_LISTENERS, "too many pages are listening; ask for jobs/current instead")


def job_events(jobs: Jobs, heartbeat: float = HEARTBEAT) -> Iterator[str]:
    """Yield the job as events of type `progress`; when it has finished, or there is none, one of type `end`."""
    job = jobs.current()
    while job is not None and not job.finished:
        yield _event("progress", job)
        time.sleep(SPACING)
        while (latest := jobs.wait(job, heartbeat)) == job:
            yield ": still here\n\n"
        job = latest
    yield _event("end", job)


def _event(kind: str, job: Job | None) -> str:
    return f"event: {kind}\ndata: {json.dumps(job and job.to_json())}\n\n"
