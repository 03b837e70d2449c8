"""Indexing beside a server: one process at a time, whose memory, load and crashes are its own."""

from __future__ import annotations

import atexit
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Condition, Thread, Timer
from typing import Any, NamedTuple

from data.errors import RetroflexError
from data.paths import from_bytes
from data.roots import Root
from data.settings import ENV_PREFIX, Settings

NICENESS = 10
"""So that a search that comes meanwhile goes first."""
PATIENCE = 20.0
"""Seconds that a process has to stop by itself; a kill loses nothing that was reported as done."""
FINISHED = frozenset({"done", "stopped", "failed"})


class JobError(RetroflexError):
    """A job cannot be started or stopped now; the message says why."""


class Step(NamedTuple):
    """A line of `retroflex index --json-progress`."""

    done: int
    total: int
    captioned: int
    skipped: int


@dataclass(frozen=True)
class Job:
    """One run of indexing: `state` is "running", "stopping", "done", "stopped" or "failed".

    `folder` is the id of the only folder that it goes through, None for all; `total` is None until files were
    counted; `rate` is in pictures a second since then; `error` is one line where it failed.
    """

    id: str
    state: str
    folder: str | None
    recaption: bool
    started_at: str
    done: int = 0
    total: int | None = None
    captioned: int = 0
    skipped: int = 0
    rate: float | None = None
    seconds_left: float | None = None
    error: str | None = None

    @property
    def finished(self) -> bool:
        """Whether nothing will come any more."""
        return self.state in FINISHED

    def to_json(self) -> dict[str, Any]:
        """Return the job as plain values for JSON."""
        return asdict(self)


class Jobs:
    """The one indexing process of a server; may be used by several threads at once."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is started yet."""
        self._settings = settings
        self._changed = Condition()
        self._job: Job | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def current(self) -> Job | None:
        """Return the job that runs, or else the last one; None where there was none."""
        return self._job

    def start(self, root: Root | None, recaption: bool) -> Job:
        """Start to index one remembered folder, or all of them. Raises JobError while a job runs."""
        with self._changed:
            if self._job is not None and not self._job.finished:
                raise JobError("a folder is being indexed already; wait until that is done, or stop it")
            self._process = _launched(_command(root, recaption), _environment(self._settings))
            now = datetime.now(UTC).isoformat(timespec="seconds")
            self._job = Job(secrets.token_hex(8), "running", root.id if root else None, recaption, now)
            Thread(target=self._follow, args=(self._job, self._process), name="indexing", daemon=True).start()
            atexit.unregister(self.close)
            atexit.register(self.close)
            return self._job

    def stop(self) -> Job:
        """Ask the running process to stop; what it has done stays. Raises JobError where none runs."""
        with self._changed:
            if self._job is None or self._job.finished or self._process is None:
                raise JobError("nothing is being indexed")
            if self._job.state == "running":
                self._process.send_signal(signal.SIGINT)
                killer = Timer(PATIENCE, self._process.kill)
                killer.daemon = True
                killer.start()
                self._set(replace(self._job, state="stopping"))
            return self._job

    def wait(self, seen: Job | None, seconds: float) -> Job | None:
        """Return the job as soon as it is another than `seen`, and after `seconds` in any case."""
        with self._changed:
            self._changed.wait_for(lambda: self._job != seen, seconds)
            return self._job

    def close(self) -> None:
        """Stop what runs and wait for it."""
        if self._job is not None and not self._job.finished and self._process is not None:
            self.stop()
            self._process.wait()

    def _set(self, job: Job) -> None:
        self._job = job
        self._changed.notify_all()

    def _follow(self, job: Job, process: subprocess.Popen[bytes]) -> None:
        """Take over what the process tells until it ends."""
        started, said = 0.0, ""
        with process.stdout or nullcontext() as lines:
            for line in lines or ():
                step = _step(line)
                if step is None:
                    said = line.decode(errors="replace").strip() or said
                    continue
                started = started or time.monotonic()
                job = _progressed(job, step, time.monotonic() - started)
                with self._changed:
                    self._set(replace(job, state=self._state()))
        code = process.wait()
        with self._changed:
            self._set(_ended(replace(job, state=self._state()), code, said))

    def _state(self) -> str:
        return self._job.state if self._job is not None else "running"


def _launched(command: Sequence[str | os.PathLike[str]], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
    return process


def _command(root: Root | None, recaption: bool) -> Sequence[str | os.PathLike[str]]:
    command: list[str | os.PathLike[str]] = [sys.executable, "-m", "retrieval.cli", "index", "--json-progress"]
    command += [] if recaption else ["--keep-captions"]
    if root is not None:
        command += [f"--exclude={pattern}" for pattern in root.exclude] + ["--", from_bytes(root.path)]
    return command


def _environment(settings: Settings) -> dict[str, str]:
    """The process works on the same library, with the same code."""
    given = {one.name: getattr(settings, one.name) for one in fields(settings)}
    told = {ENV_PREFIX + name.upper(): str(value) for name, value in given.items() if value is not None}
    code = os.pathsep.join(filter(None, [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")]))
    return {**os.environ, **told, "PYTHONPATH": code}


def _step(line: bytes) -> Step | None:
    """Read a line of progress; None for whatever else a process may say."""
    try:
        return Step(**json.loads(line))
    except (ValueError, TypeError):
        return None


def _progressed(job: Job, step: Step, seconds: float) -> Job:
    rate = step.done / seconds if step.done and seconds else None
    left = (step.total - step.done) / rate if rate else None
    return replace(
        job,
        done=step.done,
        total=step.total,
        captioned=step.captioned,
        skipped=step.skipped,
        rate=rate,
        seconds_left=left,
    )


def _ended(job: Job, code: int, said: str) -> Job:
    if code == 0:
        return replace(job, state="done", seconds_left=0.0)
    if job.state == "stopping":
        return replace(job, state="stopped", seconds_left=None)
    error = said.removeprefix("retroflex: ") or f"it ended with code {code}"
    return replace(job, state="failed", seconds_left=None, error=error)
