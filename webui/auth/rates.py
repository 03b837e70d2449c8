"""Rate limits for expensive requests: token buckets that several server processes share.

The buckets are a table of fixed size in memory shared after a fork, so many clients cannot exhaust it. A client's
address is hashed to a slot with a secret of this run; clients with the same slot share a bucket. Processes do not lock
each other out: when two count at the same instant, one extra request passes.
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

from webui.auth.security import is_loopback
from webui.problems import Problem

SLOTS = 4096


class Bucket:
    """Allows each client `burst` requests at once and `a_minute` on average."""

    def __init__(self, what: str, burst: float, a_minute: float, clock: Callable[[], float]) -> None:
        """`what` names the requests in the error; `clock` returns seconds."""
        self._what = what
        self._burst = burst
        self._a_second = a_minute / 60
        self._clock = clock
        self._key = secrets.token_bytes(16)
        self._lock = threading.Lock()
        # For each slot the time at which its bucket is full again; this number is its whole state.
        self._full_at = np.frombuffer(mmap.mmap(-1, 8 * SLOTS), np.float64)

    def take(self, client: str | None, count: int = 1) -> None:
        """Count `count` requests of the client at this address. Raise Problem 429 after too many."""
        slot = self._slot(client or "")
        with self._lock:
            now = self._clock()
            full_at = max(now, float(self._full_at[slot]))
            missing = 1 - (self._burst - (full_at - now) * self._a_second)
            if missing <= 0:
                self._full_at[slot] = full_at + count / self._a_second
                return
        wait = max(1, ceil(missing / self._a_second))
        raise Problem(
            HTTPStatus.TOO_MANY_REQUESTS, f"too many {self._what} from your address; try again in {wait} s", wait
        )

    def _slot(self, client: str) -> int:
        return int.from_bytes(blake2b(_network(client), digest_size=8, key=self._key).digest()) % SLOTS


def _network(client: str) -> bytes:
    """Return a client's address; of IPv6 the first half, since subscribers choose the other half themselves."""
    try:
        address = ip_address(client)
    except ValueError:
        return client.encode()
    return address.packed[:8] if isinstance(address, IPv6Address) else address.packed


class RateLimits:
    """The limits of one server, for uploaded pictures and logins; higher ones for programs on this machine."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns seconds."""
        self._pictures = Bucket("pictures", 20, 60, clock)
        self._own_pictures = Bucket("pictures", 200, 1200, clock)
        self._logins = Bucket("logins", 5, 5, clock)

    def pictures(self, client: str | None, count: int) -> None:
        """Count `count` uploaded pictures. Raise Problem 429."""
        (self._own_pictures if is_loopback(client or "") else self._pictures).take(client, count)

    def login(self, client: str | None) -> None:
        """Count a login attempt. Raise Problem 429."""
        self._logins.take(client)
