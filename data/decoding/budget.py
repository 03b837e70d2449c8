"""The memory for decoding, shared by all processes of Retroflex that one account runs.

The memory is a fixed number of slots. A slot is a file, and whoever has locked it has its memory; the lock of a process
that was killed is free at once.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from data.temporary import private_folder

SLOT = 32 * 2**20
SLOTS = 20
MEMORY = SLOT * SLOTS
"""Bytes for all decoding at a time, and the most for one picture: a server and its decoders stay below a gigabyte."""
HEADER_BYTES = 2 * SLOT
"""For reading the header of a picture file, besides the bytes of the file."""
PAUSE = 0.01
"""Seconds between two attempts to take what another process holds."""


class Busy(Exception):
    """Others held the memory for as long as the caller could wait."""


class MemoryBudget:
    """Shares MEMORY out in slots, in turn; safe for threads and processes."""

    def __init__(self, folder: Path | None = None) -> None:
        """Processes with the same `folder` of lock files share the memory; by default all of this account do."""
        self._folder = folder

    @contextmanager
    def hold(self, size: int, seconds: float | None = None) -> Iterator[int]:
        """Hold `size` bytes, rounded up to slots, at most MEMORY; yield how many bytes are held.

        Raises Busy after `seconds` of waiting (None: wait without end), or OSError without a folder for the locks.
        """
        slots = min(SLOTS, max(1, -(-size // SLOT)))
        end = None if seconds is None else time.monotonic() + seconds
        folder = self._folder or private_folder("decoding")
        with ExitStack() as held:
            # Only one at a time takes slots, so that small requests do not keep a large one waiting for ever.
            with ExitStack() as turn:
                _take([folder / "turn"], 1, turn, end)
                _take([folder / f"slot{number}" for number in range(SLOTS)], slots, held, end)
            yield slots * SLOT


def _take(files: list[Path], wanted: int, held: ExitStack, end: float | None) -> None:
    """Lock `wanted` of the files, until `held` is closed. Raises Busy at `end`."""
    while True:
        for path in list(files):
            handle = _lock(path)
            if handle is not None:
                held.enter_context(handle)
                files.remove(path)
                wanted -= 1
            if not wanted:
                return
        if end is not None and time.monotonic() >= end:
            raise Busy
        time.sleep(PAUSE)


def _lock(path: Path) -> IO[bytes] | None:
    handle = path.open("ab")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        return None
    return handle
