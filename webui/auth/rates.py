"""Rate limits for expensive requests: token buckets that several server processes share.

There is a fixed number of buckets, in memory shared after a fork or in the database, so many clients cannot exhaust it.
A client's address is hashed to a slot with a secret; clients with the same slot share a bucket.
"""

from __future__ import annotations

import mmap
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from hashlib import blake2b
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address
from math import ceil
from typing import Protocol

import numpy as np

from data.sharing.state import change_buckets, server_secret
from data.store import Store
from webui.auth.security import is_loopback
from webui.problems import Problem

SLOTS = 4096
SHARES = (1, 4)
"""How much a client may do, and a block of clients together, such as a /48 of IPv6."""


Change = Callable[[float, Sequence[float]], Sequence[float] | None]
"""Gets the time and what is stored of buckets; returns what to store, None for no change."""


class Levels(Protocol):
    """Stores for each bucket the time, in seconds, at which it is full again; this number is its whole state."""

    def change(self, buckets: Sequence[tuple[int, bytes]], change: Change) -> None:
        """Make a change of buckets, each the row of SHARES and who is counted in it."""


class MemoryLevels:
    """A table of fixed size in memory that the processes forked from this one share; a row for each of SHARES."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(16)
        self._lock = threading.Lock()
        self._full_at = np.frombuffer(mmap.mmap(-1, 8 * SLOTS * len(SHARES)), np.float64).reshape(-1, SLOTS)

    def change(self, buckets: Sequence[tuple[int, bytes]], change: Change) -> None:
        """See Levels. Processes do not lock each other out: when two count at the same instant, one extra passes."""
        places = [(row, slot_of(network, self._key)) for row, network in buckets]
        with self._lock:
            changed = change(self._clock(), [float(self._full_at[place]) for place in places])
            for place, full_at in zip(places, changed or (), strict=False):
                self._full_at[place] = full_at


class StoredLevels:
    """The buckets of all servers of a shared library, in its store, with the database's clock."""

    def __init__(self, store: Store, what: str, key: bytes) -> None:
        """`what` names the buckets, `key` is a secret that all servers have."""
        self._store, self._what, self._key = store, what, key

    def change(self, buckets: Sequence[tuple[int, bytes]], change: Change) -> None:
        """See Levels. Raises StoreError."""
        ids = [f"{self._what} {row} {slot_of(network, self._key)}" for row, network in buckets]
        change_buckets(self._store, ids, change)


def slot_of(network: bytes, key: bytes) -> int:
    """Return the slot, below SLOTS, of a client; nobody without the key can find two that share one."""
    return int.from_bytes(blake2b(network, digest_size=8, key=key).digest()) % SLOTS


class Bucket:
    """Allows each client `burst` requests at once and `a_minute` on average."""

    def __init__(self, what: str, burst: float, a_minute: float, levels: Levels) -> None:
        """`what` names the requests in the error."""
        self._what = what
        self._burst = burst
        self._a_second = a_minute / 60
        self._levels = levels

    def take(self, client: str | None, count: int = 1) -> None:
        """Count `count` requests of the client at this address. Raise Problem 429 after too many."""
        missing = 0.0

        def taken(now: float, stored: Sequence[float]) -> Sequence[float] | None:
            nonlocal missing
            rates = [self._a_second * share for share in SHARES[: len(stored)]]
            full_at = [max(now, one) for one in stored]
            left = [
                self._burst * share - (one - now) * rate
                for share, one, rate in zip(SHARES, full_at, rates, strict=False)
            ]
            missing = max((1 - one) / rate for one, rate in zip(left, rates, strict=True))
            if missing > 0:
                return None
            return [one + count / rate for one, rate in zip(full_at, rates, strict=True)]

        self._levels.change(list(enumerate(networks(client or ""))), taken)
        if missing > 0:
            wait = max(1, ceil(missing))
            raise Problem(
                HTTPStatus.TOO_MANY_REQUESTS, f"too many {self._what} from your address; try again in {wait} s", wait
            )


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

    def __init__(self, clock: Callable[[], float] = time.monotonic, store: Store | None = None) -> None:
        """`clock` returns seconds. The servers of a `store` that is shared count together, by the database's clock.

        Raises StoreError.
        """
        shared = store if store is not None and store.shared else None
        key = server_secret(shared) if shared else b""

        def levels(what: str) -> Levels:
            return StoredLevels(shared, what, key) if shared else MemoryLevels(clock)

        self._pictures = Bucket("pictures", 20, 60, levels("pictures"))
        self._own_pictures = Bucket("pictures", 200, 1200, levels("own pictures"))
        self._logins = Bucket("logins", 5, 5, levels("logins"))

    def pictures(self, client: str | None, count: int) -> None:
        """Count `count` uploaded pictures. Raise Problem 429."""
        (self._own_pictures if is_loopback(client or "") else self._pictures).take(client, count)

    def login(self, client: str | None) -> None:
        """Count a login attempt. Raise Problem 429."""
        self._logins.take(client)
