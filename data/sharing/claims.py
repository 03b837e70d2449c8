"""Which machine describes which content, where several index into one library: no picture is described twice.

An indexer has a lease that it renews while it lives, and claims contents under it, by digest. Where it dies, the lease
expires, and its claims with it. All times are the database's, so the clocks of the machines need not agree. In SQLite
one process indexes at a time, see `retrieval.indexing.turn`, and all contents are its own.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from threading import Event, Thread

from sqlalchemy import ColumnElement, Connection, DateTime, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from data.database import chunks
from data.store import Store
from data.store_errors import StoreError
from data.tables import claims, indexers

LEASE_SECONDS = 60.0
"""How long others wait for an indexer that has died, or is cut off."""
POLL_SECONDS = 1.0


class Claims:
    """The contents that this process describes; safe for threads."""

    def __init__(self, store: Store, model_version: str) -> None:
        """Use `claiming`, which renews the lease."""
        self._store, self._model_version = store, model_version
        self._own = secrets.token_hex(16)

    def take(self, digests: Collection[str]) -> tuple[set[str], set[str]]:
        """Return which of the contents `model_version` has to describe here, and which another indexer describes now.

        Raises StoreError.
        """
        needed = self._store.describe_needed(digests, self._model_version)
        if not (needed and self._store.shared):
            return needed, set()
        with self._store.coordinating() as connection:
            _drop_expired(connection)
            _renew(connection, self._own)  # it may have expired while this machine slept
            mine = {one for piece in chunks(sorted(needed)) for one in _claim(connection, self._own, piece)}
        # What another one has described and released in between is done.
        return self._store.describe_needed(mine, self._model_version), needed - mine

    def release(self, digests: Collection[str]) -> None:
        """Give back contents that are described, or that cannot be. Raises StoreError."""
        if digests and self._store.shared:
            with self._store.coordinating() as connection:
                for piece in chunks(sorted(digests)):
                    own = claims.c.indexer_id == self._own
                    connection.execute(delete(claims).where(own, claims.c.digest.in_(piece)))

    def wait(self, digests: Collection[str]) -> set[str]:
        """Return the contents that no other indexer describes any more, as soon as there is one. Raises StoreError."""
        free = set(digests)
        while digests and self._store.shared and not (free := set(digests) - self._taken(digests)):
            time.sleep(POLL_SECONDS)
        return free

    def _taken(self, digests: Collection[str]) -> set[str]:
        alive = select(claims.c.digest).join(indexers).where(indexers.c.expires_at > _now())
        with self._store.reading() as connection:
            pieces = [alive.where(claims.c.digest.in_(piece)) for piece in chunks(digests)]
            return {digest for piece in pieces for digest in connection.scalars(piece)}

    def renew(self) -> None:
        """Renew the lease. Raises StoreError."""
        with self._store.coordinating() as connection:
            _renew(connection, self._own)

    def end(self) -> None:
        """Give up the lease and all claims. Raises StoreError."""
        with self._store.coordinating() as connection:
            connection.execute(delete(indexers).where(indexers.c.id == self._own))


@contextmanager
def claiming(store: Store, model_version: str) -> Iterator[Claims]:
    """Yield the claims of this process on what `model_version` describes; they end with the block.

    Raises StoreError.
    """
    own, ended = Claims(store, model_version), Event()
    if not store.shared:
        yield own
        return

    def renew() -> None:
        while not ended.wait(LEASE_SECONDS / 4):
            with suppress(StoreError):  # the indexer itself finds out
                own.renew()

    own.renew()
    thread = Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield own
    finally:
        ended.set()
        thread.join()
        with suppress(StoreError):  # it expires
            own.end()


def _now() -> ColumnElement[object]:
    return func.timezone("UTC", func.clock_timestamp(), type_=DateTime)


def _renew(connection: Connection, own: str) -> None:
    expires = _now() + timedelta(seconds=LEASE_SECONDS)
    row = insert(indexers).values(id=own, expires_at=expires)
    connection.execute(row.on_conflict_do_update(index_elements=["id"], set_={"expires_at": expires}))


def _drop_expired(connection: Connection) -> None:
    """Drop leases that have expired, with their claims; not those that another indexer is dropping."""
    expired = select(indexers.c.id).where(indexers.c.expires_at <= _now()).with_for_update(skip_locked=True)
    connection.execute(delete(indexers).where(indexers.c.id.in_(expired)))


def _claim(connection: Connection, own: str, digests: Collection[str]) -> set[str]:
    """Claim what nobody has claimed, in the order of digests, so that two indexers do not wait for each other."""
    rows = insert(claims).values([{"digest": digest, "indexer_id": own} for digest in digests])
    connection.execute(rows.on_conflict_do_nothing())
    mine = select(claims.c.digest).where(claims.c.digest.in_(digests), claims.c.indexer_id == own)
    return set(connection.scalars(mine))
