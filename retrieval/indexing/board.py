"""Where all server processes of a library see the one job: its state in a file, and a lock held while it runs."""

from __future__ import annotations

import fcntl
import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from retrieval.indexing.job import Job

TRIES = 5
"""A look at the lock holds it for an instant, too."""


@dataclass(frozen=True)
class Posted:
    """A job as it was last seen, and the process that does the work."""

    job: Job
    pid: int


class JobBoard:
    """The files job.json and job.lock in the folder of a library."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "job.json"
        self._lock = folder / "job.lock"

    def claim(self) -> IO[bytes] | None:
        """Return the lock, which is held until it is closed or this process ends, or None while another holds it."""
        handle = self._lock.open("ab")
        for _ in range(TRIES):
            with suppress(BlockingIOError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return handle
            time.sleep(0.02)
        handle.close()
        return None

    def post(self, posted: Posted) -> None:
        """Show the job to all processes; on a full disk they see the state before."""
        beside = self._file.with_suffix(f".{os.getpid()}.tmp")
        with suppress(OSError):
            beside.write_text(json.dumps({"pid": posted.pid, "job": posted.job.to_json()}))
            os.replace(beside, self._file)

    def read(self) -> Posted | None:
        """Return the job that was posted last, None where there was none that can be read.

        A job whose server went away while it ran has failed.
        """
        try:
            document: dict[str, Any] = json.loads(self._file.read_text())
            posted = Posted(Job(**document["job"]), int(document["pid"]))
        except (OSError, ValueError, TypeError, KeyError):
            return None
        if posted.job.finished or self._is_held():
            return posted
        ended = replace(posted.job, state="failed", seconds_left=None, error="the server went away meanwhile")
        return Posted(ended, posted.pid)

    def _is_held(self) -> bool:
        with self._lock.open("ab") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False
