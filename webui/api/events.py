"""Server-sent events: how far indexing is, told as it changes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

from retrieval.indexing.job import Job
from retrieval.indexing.jobs import Jobs
from webui.api.turns import Turns

LISTENERS = 4
"""Each takes a thread of the server as long as it listens."""
SPACING = 0.25
"""Least seconds between two events."""
HEARTBEAT = 15.0
"""Most seconds without a sign of life, after which a connection that is gone is noticed."""

listeners = Turns(LISTENERS, "too many pages are listening; ask for jobs/current instead")


def told(jobs: Jobs, heartbeat: float = HEARTBEAT) -> Iterator[str]:
    """Yield the job as events of type `progress`, and when it has finished, or there is none, one of type `end`."""
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
