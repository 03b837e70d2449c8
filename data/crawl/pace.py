"""How often a service is asked: at most so many calls an hour, and as long a pause as it asks for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

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
    """Lets at most `calls` an hour pass: `burst` at once, the others evenly spread."""

    def __init__(self, timing: Timing, calls: int = CALLS_AN_HOUR, burst: int = BURST) -> None:
        self._timing, self._burst = timing, burst
        self._rate = (calls - burst) / 3600
        self._tokens, self._at = float(burst), timing.clock()

    def take(self) -> None:
        """Wait until a call may be made."""
        self._fill()
        while self._tokens < 1:
            self._timing.sleep(max((1 - self._tokens) / self._rate, 0.001))
            self._fill()
        self._tokens -= 1

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
