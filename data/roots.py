"""The folders to index, remembered so that they can be indexed again without being named."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import delete, distinct, func, insert, select, update

from data import writes
from data.database import at_or_below
from data.store import Store
from data.tables import files, roots, skipped


@dataclass(frozen=True)
class Root:
    """A folder that is indexed: what is left out of it, and when it was last indexed completely (UTC)."""

    path: bytes
    exclude: tuple[str, ...] = ()
    indexed_at: datetime | None = None

    @property
    def id(self) -> str:
        """Its id, see `folder_id`."""
        return folder_id(self.path)


def folder_id(path: bytes) -> str:
    """Return the id of a folder, which tells nothing of its path and is the same in every library."""
    return hashlib.sha256(path).hexdigest()[:16]


def lies_in(path: bytes, folder: bytes) -> bool:
    """Tell whether `path` is `folder` or lies below it."""
    return path == folder or path.startswith(folder.rstrip(b"/") + b"/")


def read_roots(store: Store) -> list[Root]:
    """Return the folders by path. Raises StoreError."""
    with store.reading() as connection:
        rows = connection.execute(select(roots.c.path, roots.c.exclude, roots.c.indexed_at).order_by(roots.c.path))
        return [Root(row.path, tuple(json.loads(row.exclude)), row.indexed_at) for row in rows]


def remember_root(store: Store, path: bytes, exclude: Sequence[str] = ()) -> Root:
    """Remember a folder and return the root that it is part of from now on.

    A folder in a root that leaves nothing out is part of that root; one that leaves nothing out takes in the roots
    below it. Raises StoreError.
    """
    known = read_roots(store)
    for one in known:
        if (one.path, one.exclude) == (path, tuple(exclude)) or (not one.exclude and lies_in(path, one.path)):
            return one
    taken_in = [one.path for one in known if one.path == path or (not exclude and lies_in(one.path, path))]
    with store.writing() as connection:
        connection.execute(delete(roots).where(roots.c.path.in_(taken_in)))
        connection.execute(insert(roots).values(path=path, exclude=json.dumps(list(exclude))))
    return Root(path, tuple(exclude))


def note_indexed(store: Store, paths: Sequence[bytes]) -> None:
    """Note that the roots of these paths are indexed completely now. Raises StoreError."""
    now = datetime.now(UTC).replace(tzinfo=None)
    with store.writing() as connection:
        connection.execute(update(roots).where(roots.c.path.in_(list(paths))).values(indexed_at=now))


class Below(NamedTuple):
    """What lies below a folder: pictures, their files, and files that could not be taken."""

    pictures: int
    files: int
    skipped: int


def count_below(store: Store, root: Root) -> Below:
    """Count what lies below a root. Raises StoreError."""
    counted = select(func.count(distinct(files.c.picture_id)), func.count()).where(at_or_below(files, root.path))
    left_out = select(func.count()).select_from(skipped).where(at_or_below(skipped, root.path))
    with store.reading() as connection:
        pictures, taken = connection.execute(counted).one()
        return Below(pictures, taken, connection.scalar(left_out) or 0)


def forget_root(store: Store, root: Root) -> int:
    """Forget a root and the files below it, but for those of other roots below it; return how many files.

    Nothing on disk is touched. Raises StoreError.
    """
    spared = [one.path for one in read_roots(store) if one.path != root.path and lies_in(one.path, root.path)]
    with store.writing() as connection:
        connection.execute(delete(roots).where(roots.c.path == root.path))
        forgotten = writes.forget_below(connection, [root.path], spared)
        writes.prune(connection)
        return forgotten
