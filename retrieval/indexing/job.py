"""One run of indexing, as seen by clients and all server processes of a library."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

FINISHED = frozenset({"done", "stopped", "failed"})


@dataclass(frozen=True)
class Job:
    """One run of indexing: `state` is "running", "stopping", "done", "stopped" or "failed".

    `folder` is the id of the only folder to index, None for all; `total` is None until the files are counted. Of these
    `done` are written, and `encoded` are done or will be soon; `rate` is that of `encoded`, in pictures a second.
    Of `faces_total` pictures and films, 0 where no faces are looked for, `faces_done` were searched for faces; then
    `rate` and `seconds_left` are those of faces. `passed_over` and `left_out` are those of `data.scan.Scan`; `error` is
    one line if the job failed.
    """

    id: str
    state: str
    folder: str | None
    recaption: bool
    started_at: str
    done: int = 0
    encoded: int = 0
    total: int | None = None
    captioned: int = 0
    faces_done: int = 0
    faces_total: int = 0
    skipped: int = 0
    passed_over: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    rate: float | None = None
    seconds_left: float | None = None
    error: str | None = None

    @property
    def finished(self) -> bool:
        """Whether the job has ended."""
        return self.state in FINISHED

    def to_json(self) -> dict[str, Any]:
        """Return the job as plain values for JSON."""
        return asdict(self)


PATIENCE = 0.1
"""Seconds in which to lock, since another process may take the lock for an instant to check it."""
ENDING = 5.0
"""Seconds in which to lock when no job is under way: the lock of the last one becomes free after its end is told."""


SERVER_ENDED = "the server ended before the job did"


@dataclass(frozen=True)
class JobStatus:
    """A job as last reported, and its process; `server` names that of a library that several servers share."""

    job: Job
    pid: int
    server: str = ""


@dataclass(frozen=True)
class JobLock:
    """The right to run a job, until it is closed; `descriptors` are those that the job's process keeps."""

    name: str
    descriptors: Sequence[int]
    close: Callable[[], None]

    def __enter__(self) -> JobLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class JobFile:
    """The state of a library's job in job.json, and job.lock, which the server keeps locked while the job runs."""

    poll_seconds = 0.1
    """Seconds between two reads of a job that another process may write."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "job.json"
        self._lock = folder / "job.lock"
        self._change_lock = folder / "job.change.lock"

    def acquire(self, stop: Callable[[JobStatus], None] = lambda status: None) -> JobLock | None:
        """Return the lock, kept until it is closed or this process ends; None if another process has it.

        `stop` is not called: whoever stops a job ends its process, which runs on this machine.
        """
        handle, began = self._lock.open("ab"), time.monotonic()
        while True:
            with suppress(BlockingIOError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return JobLock("", (handle.fileno(),), handle.close)
            last = self.read()
            if time.monotonic() - began > (ENDING if last and last.job.finished else PATIENCE):
                handle.close()
                return None
            time.sleep(0.02)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Keep other threads and processes from changing the job between a read and the write that follows from it."""
        with self._change_lock.open("ab") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def write(self, status: JobStatus) -> None:
        """Write the job for all processes; on a full disk they see the previous state."""
        temporary = self._file.with_suffix(f".{os.getpid()}.tmp")
        with suppress(OSError):
            temporary.write_text(json.dumps({"pid": status.pid, "job": status.job.to_json()}))
            os.replace(temporary, self._file)

    def read(self) -> JobStatus | None:
        """Return the job that was written last, None if there is none that can be read.

        A job whose server ended while it ran counts as failed.
        """
        try:
            document: dict[str, Any] = json.loads(self._file.read_text())
            status = JobStatus(Job(**document["job"]), int(document["pid"]))
        except (OSError, ValueError, TypeError, KeyError):
            return None
        if status.job.finished or self._is_locked():
            return status
        ended = replace(status.job, state="failed", seconds_left=None, error=SERVER_ENDED)
        return JobStatus(ended, status.pid)

    def is_here(self, status: JobStatus) -> bool:
        """Return whether the job's process runs on this machine."""
        return True

    def _is_locked(self) -> bool:
        if not self._lock.exists():  # on a read-only disk it cannot be made either
            return False
        with self._lock.open("rb") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False
