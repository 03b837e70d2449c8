"""How often one client may ask for what costs much: token buckets that several server processes share.

The buckets lie in a table of fixed size in memory shared after a fork, so that many clients cannot fill it. A client
has the place that its address hashes to under a secret of this run; two that meet there share a bucket. Processes do
not lock each other out: when two take at the very same instant, one request more gets through.
"""

from __future__ import annotations

import mmap
import secrets
import threading
import time
from collections.abc import Callable
from hashlib import blake2b
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address
from math import ceil

import numpy as np

from webui.guard.reach import is_loopback
from webui.problems import Problem

PLACES = 4096


class Bucket:
    """For each client `burst` requests at once and `a_minute` in the long run."""

    def __init__(self, what: str, burst: float, a_minute: float, clock: Callable[[], float]) -> None:
        """`what` names the requests in the refusal; `clock` gives seconds."""
        self._what = what
        self._burst = burst
        self._a_second = a_minute / 60
        self._clock = clock
        self._key = secrets.token_bytes(16)
        self._lock = threading.Lock()
        # For each place the time at which its bucket is or was full again: one number says all of a bucket.
        self._full_at = np.frombuffer(mmap.mmap(-1, 8 * PLACES), np.float64)

    def take(self, client: str | None, count: int = 1) -> None:
        """Count `count` requests of the client at this address. Raises Problem 429 when there were too many before."""
        place = self._place(client or "")
        with self._lock:
            now = self._clock()
            full_at = max(now, float(self._full_at[place]))
            missing = 1 - (self._burst - (full_at - now) * self._a_second)
            if missing <= 0:
                self._full_at[place] = full_at + count / self._a_second
                return
        wait = max(1, ceil(missing / self._a_second))
        raise Problem(
            HTTPStatus.TOO_MANY_REQUESTS, f"too many {self._what} from your address; try again in {wait} s", wait
        )

    def _place(self, client: str) -> int:
        return int.from_bytes(blake2b(_network(client), digest_size=8, key=self._key).digest()) % PLACES


def _network(client: str) -> bytes:
    """A client's address; of version 6 the first half, since each subscriber has the other half to choose from."""
    try:
        address = ip_address(client)
    except ValueError:
        return client.encode()
    return address.packed[:8] if isinstance(address, IPv6Address) else address.packed


class Rates:
    """The buckets of one server: pictures to describe, and logins. This machine's own programs may ask more."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds."""
        self._pictures = Bucket("pictures", 20, 60, clock)
        self._own_pictures = Bucket("pictures", 200, 1200, clock)
        self._logins = Bucket("logins", 5, 5, clock)

    def pictures(self, client: str | None, count: int) -> None:
        """Count `count` uploaded pictures to describe. Raises Problem 429."""
        (self._own_pictures if is_loopback(client or "") else self._pictures).take(client, count)

    def login(self, client: str | None) -> None:
        """Count an attempt to log in. Raises Problem 429."""
        self._logins.take(client)
