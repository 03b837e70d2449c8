"""Other processes as Linux shows them in /proc, where a moment can lie between what happens and what is shown."""

from __future__ import annotations

import time
from pathlib import Path

SECONDS = 60.0
"""How long to wait at most; only a test that fails waits so long."""


def is_running(process: int) -> bool:
    """Whether a process is there that has not ended; one that nobody has waited for yet has."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def wait_for_end(process: int) -> None:
    """Return once a process has ended: its files and locks are free a moment before that."""
    end = time.monotonic() + SECONDS
    while is_running(process):
        assert time.monotonic() < end, "it does not end"
        time.sleep(0.01)


def environment_of(process: int) -> bytes:
    """Return the environment, which can be read a moment after the process is there."""
    end = time.monotonic() + SECONDS
    while not (environment := Path(f"/proc/{process}/environ").read_bytes()):
        assert time.monotonic() < end, "it has no environment"
        time.sleep(0.01)
    return environment
