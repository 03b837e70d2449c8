"""The job of indexing of a library that several servers share, in the database, under a lease of its server."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from threading import Event, RLock, Thread

from data.sharing.state import JOB_KEY, change_value, read_value
from data.store import Store
from data.store_errors import StoreError
from retrieval.indexing.job import SERVER_ENDED, Job, JobLock, JobStatus

LEASE_SECONDS = 30.0
"""After so long a job counts as failed if its server does not renew its lease."""
RENEW_SECONDS = 1.0
"""Seconds between two looks at whether another server has stopped the job."""


class SharedJob:
    """What `JobFile` does in a folder, for all servers of a library; the one that starts a job runs its process."""

    poll_seconds = 0.5

    def __init__(self, store: Store) -> None:
        """Nothing is read yet."""
        self._store = store
        self._leases: set[str] = set()
        self._changing = RLock()

    def acquire(self, stop: Callable[[JobStatus], None] = lambda status: None) -> JobLock | None:
        """Return the lease; None if there is one already. `stop` is called when another server stops the job.

        Raises StoreError.
        """
        lease = secrets.token_hex(8)

        def take(value: str, now: float) -> str:
            owner, expires, status = _parsed(value)
            return value if owner and expires > now else _text(lease, now + LEASE_SECONDS, status)

        if _parsed(change_value(self._store, JOB_KEY, take))[0] != lease:
            return None
        self._leases.add(lease)
        ended = Event()
        Thread(target=self._renew, args=(lease, ended, stop), name="lease of the job", daemon=True).start()
        return JobLock(lease, (), lambda: self._release(lease, ended))

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Keep other threads from changing the job in between; what other servers write then is kept by `write`."""
        with self._changing:
            yield

    def write(self, status: JobStatus) -> None:
        """Write the job for all servers; one that is being stopped, or has ended, stays so. Raises StoreError."""

        def put(value: str, now: float) -> str:
            owner, expires, before = _parsed(value)
            if before is not None and before.job.id == status.job.id and not status.job.finished:
                if before.job.finished:
                    return value
                if before.job.state == "stopping":
                    return _text(owner, expires, replace(status, job=replace(status.job, state="stopping")))
            return _text(owner, expires, status)

        change_value(self._store, JOB_KEY, put)

    def read(self) -> JobStatus | None:
        """Return the job that was written last, None if there is none. Raises StoreError."""
        value, now = read_value(self._store, JOB_KEY)
        owner, expires, status = _parsed(value)
        if status is None or status.job.finished or (owner == status.server and expires > now):
            return status
        return replace(status, job=replace(status.job, state="failed", seconds_left=None, error=SERVER_ENDED))

    def is_here(self, status: JobStatus) -> bool:
        """Return whether the job's process is one of this server."""
        return status.server in self._leases

    def _renew(self, lease: str, ended: Event, stop: Callable[[JobStatus], None]) -> None:
        stopped = False

        def renewed(value: str, now: float) -> str:
            owner, _, status = _parsed(value)
            return _text(owner, now + LEASE_SECONDS, status) if owner == lease else value

        while not ended.wait(RENEW_SECONDS):
            with suppress(StoreError):  # the next try may reach the database again
                owner, _, status = _parsed(change_value(self._store, JOB_KEY, renewed))
                if status and owner == status.server == lease and status.job.state == "stopping" and not stopped:
                    stopped = True
                    stop(status)

    def _release(self, lease: str, ended: Event) -> None:
        ended.set()

        def free(value: str, now: float) -> str:
            owner, _, status = _parsed(value)
            return _text("", now, status) if owner == lease else value

        with suppress(StoreError):  # it expires
            change_value(self._store, JOB_KEY, free)


def _text(owner: str, expires: float, status: JobStatus | None) -> str:
    job = None if status is None else {"pid": status.pid, "server": status.server, "job": status.job.to_json()}
    return json.dumps({"owner": owner, "expires": expires, "status": job})


def _parsed(value: str) -> tuple[str, float, JobStatus | None]:
    """Return the server that has the lease, when it expires, and the job; "", 0 and None for what cannot be read."""
    try:
        document = json.loads(value)
        status = document["status"]
        job = None if status is None else JobStatus(Job(**status["job"]), int(status["pid"]), str(status["server"]))
        return str(document["owner"]), float(document["expires"]), job
    except (ValueError, TypeError, KeyError):
        return "", 0.0, None
