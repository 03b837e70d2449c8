"""How often a service is asked: at most so many calls an hour, and as long a pause as it asks for."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

from data.disk import replace_text

CALLS_AN_HOUR = 3600
BURST = 60
"""Calls that may follow one another without a pause; they are part of those of an hour."""
LONGEST_PAUSE = 60.0
"""Seconds between two tries where the service does not say how many."""


@dataclass(frozen=True)
class Timing:
    """The clock (seconds since 1970) and what waits (seconds)."""

    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep


class TokenBucket:
    """Lets at most `calls` an hour pass: `burst` at once, the others evenly spread.

    With `file` that holds over runs: it keeps how many may follow at once, and as of when.
    """

    def __init__(
        self, timing: Timing, file: Path | None = None, calls: int = CALLS_AN_HOUR, burst: int = BURST
    ) -> None:
        self._timing, self._burst, self._file = timing, burst, file
        self._rate = (calls - burst) / 3600
        self._tokens, self._at = self._read()

    def take(self) -> None:
        """Wait until a call may be made. Raises OSError if the file cannot be written."""
        self._fill()
        while self._tokens < 1:
            self._timing.sleep(max((1 - self._tokens) / self._rate, 0.001))
            self._fill()
        self._tokens -= 1
        if self._file is not None:  # before the call, which a kill may follow
            replace_text(self._file, json.dumps({"tokens": self._tokens, "at": self._at}))

    def _read(self) -> tuple[float, float]:
        """Return what the run before left; after one whose file is damaged no call follows at once."""
        now = self._timing.clock()
        if self._file is None or not self._file.exists():
            return float(self._burst), now
        try:
            stored = json.loads(self._file.read_text(encoding="utf-8"))
            tokens, at = float(stored["tokens"]), float(stored["at"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return 0.0, now
        sound = 0 <= tokens <= self._burst and at <= now  # a clock may be set back
        return (tokens, at) if sound else (0.0, now)

    def _fill(self) -> None:
        now = self._timing.clock()
        passed = max(0.0, now - self._at)  # a clock may be set back
        self._tokens, self._at = min(self._burst, self._tokens + passed * self._rate), now


def back_off(tries: int) -> float:
    """Return the seconds to wait after so many tries failed: 1, 2, 4 and so on, up to a cap."""
    return min(LONGEST_PAUSE, 2.0 ** (tries - 1))


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds that Retry-After asks for, as a number or a date (RFC 9110, 10.2.3); None if it says none."""
    given = headers.get("Retry-After", "").strip()
    if given.isascii() and given.isdigit():
        return float(given[:9])
    try:
        return max(0.0, parsedate_to_datetime(given).timestamp() - now)
    except (ValueError, OverflowError):
        return None
