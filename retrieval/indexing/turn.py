"""Who indexes a library: one process at a time, on the terminal or for a server, and all others see its progress."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from data.errors import RetroflexError
from data.paths import display
from retrieval.indexing.indexer import Progress, Report

LOCK, PROGRESS = "indexing.lock", "indexing.json"
POLL_SECONDS = 0.2
"""Seconds between two looks at the process that indexes now, and between two reports of it."""


class Turn:
    """The right to index a library, which ends with the process that has it."""

    def __init__(self, file: Path) -> None:
        """Use `take_turn`."""
        self._file = file
        self._written = 0.0

    def sharing(self, progress: Progress) -> Progress:
        """Return `progress` such that waiting processes see it too."""

        def show(done: int, total: int, report: Report) -> None:
            if time.monotonic() - self._written >= POLL_SECONDS or done == total:
                self._written = time.monotonic()
                _write(self._file, done, total, report.captioned)
            progress(done, total, report)

        return show


@contextmanager
def take_turn(library: Path, announce: Callable[[str], None], progress: Progress) -> Iterator[Turn]:
    """Yield once no other process indexes the library in this folder.

    Where another one does, `announce` gets a line that says so, and `progress` follows it until it ends or dies.
    Raises RetroflexError where the folder cannot be written.
    """
    with _opened(library) as lock:
        if not _locked(lock):
            announce("already indexing this library in another process; its progress is shown, then the rest is done")
            _follow(lock, library / PROGRESS, progress)
        with suppress(OSError):
            (library / PROGRESS).unlink()  # of the process before
        yield Turn(library / PROGRESS)


def _opened(library: Path) -> IO[bytes]:
    try:
        library.mkdir(parents=True, exist_ok=True)
        return (library / LOCK).open("ab")
    except OSError as error:
        raise RetroflexError(f"cannot index into {display(library)}: {error.strerror or error}") from error


def _locked(lock: IO[bytes]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _follow(lock: IO[bytes], file: Path, progress: Progress) -> None:
    """Wait for the lock; report what the process that has it writes."""
    last: tuple[int, int, int] | None = None
    while not _locked(lock):
        now = _read(file)
        if now is not None and now != last:
            done, total, captioned = last = now
            progress(done, total, Report(captioned=captioned))
        time.sleep(POLL_SECONDS)


def _write(file: Path, done: int, total: int, captioned: int) -> None:
    """Write the progress for others; on a full disk they see an earlier one."""
    beside = file.with_suffix(f".{os.getpid()}.tmp")
    with suppress(OSError):
        beside.write_text(json.dumps([done, total, captioned]))
        os.replace(beside, file)


def _read(file: Path) -> tuple[int, int, int] | None:
    try:
        done, total, captioned = json.loads(file.read_text())
        return int(done), int(total), int(captioned)
    except (OSError, ValueError, TypeError):
        return None
