"""Indexing in the background of a server: one process at a time, with its own memory, load and crashes."""

from __future__ import annotations

import atexit
import json
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from datetime import UTC, datetime
from threading import Thread, Timer
from typing import NamedTuple

from data.children import module_command, start_child
from data.errors import RetroflexError
from data.paths import from_bytes
from data.roots import Root
from data.settings import Settings
from data.store import Store, StoreError
from retrieval.indexing.job import Job, JobFile, JobLock, JobStatus
from retrieval.indexing.shared_job import SharedJob

NICENESS = 10
"""Searches go first while indexing runs."""
STOP_SECONDS = 20.0
"""Seconds for a process to stop by itself; killing it then loses nothing that was reported as done."""


class JobError(RetroflexError):
    """A job cannot be started or stopped now; the message says why."""


class FaceStep(NamedTuple):
    """A line of it while faces are looked for."""

    faces_done: int
    faces_total: int


class Step(NamedTuple):
    """A line of `retroflex index --json-progress`."""

    done: int
    encoded: int
    total: int
    captioned: int
    skipped: int
    passed_over: dict[str, int]
    left_out: dict[str, int]


class Jobs:
    """The one indexing process of a library, started by any of its server processes; safe for threads."""

    def __init__(self, settings: Settings, store: Store | None = None) -> None:
        """Nothing is started yet. The job is noted in the `store` where that is shared, or else in the folder."""
        self._settings = settings
        self._file: JobFile | SharedJob
        self._file = SharedJob(store) if store is not None and store.shared else JobFile(settings.library)
        self._process: subprocess.Popen[bytes] | None = None

    def current(self) -> Job | None:
        """Return the running job, or else the last one; None if there was none."""
        status = self._file.read()
        return status.job if status else None

    def start(self, root: Root | None, recaption: bool) -> Job:
        """Start indexing one remembered folder, or all. Raises JobError while a job runs."""
        lock = self._file.acquire(self._end)
        if lock is None:
            raise JobError("a folder is being indexed already; wait until it is done, or stop it")
        # The process keeps the lock too: it is free when both have ended, in whatever order.
        try:
            process = start_child(_command(root, recaption), self._settings, lock.descriptors, subprocess.PIPE)
        except OSError as error:
            lock.close()
            raise RetroflexError(f"indexing cannot be started: {error.strerror or error}; try again") from error
        os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
        self._process = process
        now = datetime.now(UTC).isoformat(timespec="seconds")
        job = Job(secrets.token_hex(8), "running", root.id if root else None, recaption, now)
        self._file.write(JobStatus(job, process.pid, lock.name))
        Thread(target=self._follow, args=(job, process, lock), name="indexing", daemon=True).start()
        atexit.unregister(self.close)
        atexit.register(self.close)
        return job

    def stop(self) -> Job:
        """Ask the running process to stop; finished work stays. Raises JobError if none runs."""
        with self._file.changing():
            status = self._file.read()
            if status is None or status.job.finished:
                raise JobError("nothing is being indexed")
            if status.job.state == "stopping":
                return status.job
            stopping = replace(status.job, state="stopping")
            self._file.write(replace(status, job=stopping))
        if self._file.is_here(status):
            self._end(status)
        return stopping

    def wait(self, last: Job | None, seconds: float) -> Job | None:
        """Return the job as soon as it differs from `last`, at the latest after `seconds`."""
        end = time.monotonic() + seconds
        while (job := self.current()) == last and time.monotonic() < end:
            time.sleep(self._file.poll_seconds)
        return job

    def close(self) -> None:
        """Stop the job that this process started and wait for it."""
        if self._process is not None and self._process.poll() is None:
            self.stop()
            self._process.wait()

    def _end(self, status: JobStatus) -> None:
        """End the job's process, which runs here."""
        with suppress(ProcessLookupError):  # it has just ended by itself
            os.kill(status.pid, signal.SIGTERM)
        killer = Timer(STOP_SECONDS, self._kill, [status])
        killer.daemon = True
        killer.start()

    def _kill(self, stopped: JobStatus) -> None:
        status = self._file.read()
        if status is not None and status.pid == stopped.pid and not status.job.finished:
            os.kill(status.pid, signal.SIGKILL)

    def _follow(self, job: Job, process: subprocess.Popen[bytes], lock: JobLock) -> None:
        """Write the progress that the process reports until it ends."""
        last_message, clock = "", _Clock()
        with lock, process.stdout or nullcontext() as lines:
            for line in lines or ():
                step = _step(line)
                if step is None:
                    last_message = line.decode(errors="replace").strip() or last_message
                    continue
                job = clock.with_progress(job, step)
                with suppress(StoreError), self._file.changing():  # others see an earlier state, as on a full disk
                    self._file.write(JobStatus(replace(job, state=self._state()), process.pid, lock.name))
            code = process.wait()
            with suppress(StoreError), self._file.changing():
                ended = _ended(replace(job, state=self._state()), code, last_message)
                self._file.write(JobStatus(ended, process.pid, lock.name))

    def _state(self) -> str:
        """Return the state in the file: any server process may have written that it stops."""
        job = self.current()
        return job.state if job is not None else "running"


def _command(root: Root | None, recaption: bool) -> Sequence[str | os.PathLike[str]]:
    command = module_command("retrieval.cli", "index", "--json-progress")
    command += [] if recaption else ["--keep-captions"]
    if root is not None:
        command += [f"--exclude={pattern}" for pattern in root.exclude] + ["--", from_bytes(root.path)]
    return command


def _step(line: bytes) -> Step | FaceStep | None:
    """Read a line of progress; None for other output of the process."""
    for kind in (Step, FaceStep):
        with suppress(ValueError, TypeError):
            return kind(**json.loads(line))
    return None


class _Clock:
    """Measures how fast a job is, in what it does now: pictures, then faces."""

    def __init__(self) -> None:
        self._started: dict[type, float] = {}

    def with_progress(self, job: Job, step: Step | FaceStep) -> Job:
        """Return the job after a step."""
        now = time.monotonic()
        seconds = now - self._started.setdefault(type(step), now)
        done, total = (step.faces_done, step.faces_total) if isinstance(step, FaceStep) else (step.encoded, step.total)
        rate = done / seconds if done and seconds else None
        left = (total - done) / rate if rate else None
        return replace(job, **step._asdict(), rate=rate, seconds_left=left)


def _ended(job: Job, code: int, last_message: str) -> Job:
    if code == 0:
        return replace(job, state="done", seconds_left=0.0)
    if job.state == "stopping":
        return replace(job, state="stopped", seconds_left=None)
    error = last_message.removeprefix("retroflex: ") or f"it ended with code {code}"
    return replace(job, state="failed", seconds_left=None, error=error)
