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
SHARES = (1, 4)
"""How much a client may do, and a block of clients together, such as a /48 of IPv6."""


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
        # For each slot the time at which its bucket is full again; this number is its whole state. A row for clients,
        # and one for blocks of them.
        self._full_at = np.frombuffer(mmap.mmap(-1, 8 * SLOTS * len(SHARES)), np.float64).reshape(-1, SLOTS)

    def take(self, client: str | None, count: int = 1) -> None:
        """Count `count` requests of the client at this address. Raise Problem 429 after too many."""
        with self._lock:
            now = self._clock()
            states = [self._state(row, network, now) for row, network in enumerate(networks(client or ""))]
            missing = max(missing for _, _, missing in states)
            if missing <= 0:
                for (row, slot), full_at, _ in states:
                    self._full_at[row, slot] = full_at + count / (self._a_second * SHARES[row])
                return
        wait = max(1, ceil(missing))
        raise Problem(
            HTTPStatus.TOO_MANY_REQUESTS, f"too many {self._what} from your address; try again in {wait} s", wait
        )

    def _state(self, row: int, network: bytes, now: float) -> tuple[tuple[int, int], float, float]:
        """Return a bucket's place, when it is full again, and the seconds until it allows one more request."""
        slot = int.from_bytes(blake2b(network, digest_size=8, key=self._key).digest()) % SLOTS
        full_at, a_second = max(now, float(self._full_at[row, slot])), self._a_second * SHARES[row]
        left = self._burst * SHARES[row] - (full_at - now) * a_second
        return (row, slot), full_at, (1 - left) / a_second


def networks(client: str) -> list[bytes]:
    """Return what is counted for a client's address: of version 4 the address itself.

    Of version 6 first the /64, as subscribers choose the other half themselves, then the /48, as many get as much.
    """
    try:
        address = ip_address(client)
    except ValueError:
        return [client.encode("utf-8", "surrogateescape")]
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    if isinstance(address, IPv6Address) and not address.is_loopback:
        return [address.packed[:8], address.packed[:6]]
    return [address.packed]


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
