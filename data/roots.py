"""The folders that were indexed, remembered so that they can be indexed again without naming them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import Connection, delete, distinct, func, insert, select, update

from data import writes
from data.database import at_or_below
from data.machine_made import TAKE
from data.paths import clean_text
from data.soundness import guarded, patterns_of, sound, tell_damage
from data.store import Store
from data.tables import files, roots, skipped


@dataclass(frozen=True)
class Root:
    """An indexed folder: its patterns, see `data.scan.scan`, and when a run over it last finished (UTC)."""

    path: bytes
    exclude: tuple[str, ...] = ()
    indexed_at: datetime | None = None

    @property
    def id(self) -> str:
        """Its id, see `folder_id`."""
        return folder_id(self.path)


def folder_id(path: bytes) -> str:
    """Return the id of a folder, which hides its path and is the same in every library."""
    return hashlib.sha256(path).hexdigest()[:16]


def lies_in(path: bytes, folder: bytes) -> bool:
    """Return whether `path` is `folder` or below it."""
    return path == folder or path.startswith(folder.rstrip(b"/") + b"/")


def read_roots(store: Store) -> list[Root]:
    """Return the folders by path. Raises StoreError."""
    with store.reading() as connection:
        query = select(roots.c.path, *guarded(roots, "exclude", "indexed_at")).where(sound(roots, "path"))
        rows = connection.execute(query.order_by(roots.c.path)).all()
    read = [(row.path, patterns_of(row.exclude), row.indexed_at) for row in rows]
    for path, patterns, _ in read:
        if patterns is None:
            tell_damage(roots, clean_text(path))
    return [Root(path, patterns, indexed_at) for path, patterns, indexed_at in read if patterns is not None]


def remember_root(store: Store, path: bytes, exclude: Sequence[str] = ()) -> Root:
    """Remember a folder and return the root that contains it.

    A folder belongs to a root above it that leaves out nothing that the folder shall have, and replaces such roots
    below it. Raises StoreError.
    """
    roots_before, new = read_roots(store), Root(path, tuple(exclude))
    for root in roots_before:
        if (root.path, root.exclude) == (path, new.exclude) or _contains(root, new):
            return root
    replaced = [root.path for root in roots_before if root.path == path or _contains(new, root)]
    with store.writing() as connection:
        connection.execute(delete(roots).where(roots.c.path.in_(replaced)))
        _note_moved(connection, [inner for inner in replaced if inner != path])
        connection.execute(insert(roots).values(path=path, exclude=json.dumps(list(exclude))))
    return new


def _contains(outer: Root, inner: Root) -> bool:
    """Return whether a walk over `outer` finds all that one over `inner` finds."""
    return (
        lies_in(inner.path, outer.path)
        and all(pattern.startswith(TAKE) for pattern in outer.exclude)
        and {pattern for pattern in inner.exclude if pattern.startswith(TAKE)} <= {*outer.exclude}
    )


def note_indexed(store: Store, paths: Sequence[bytes]) -> None:
    """Store that a run over the roots with these paths has just finished. Raises StoreError."""
    now = datetime.now(UTC).replace(tzinfo=None)
    with store.writing() as connection:
        connection.execute(update(roots).where(roots.c.path.in_(list(paths))).values(indexed_at=now))


class RootCounts(NamedTuple):
    """The numbers of pictures, files and skipped files below a root."""

    pictures: int
    files: int
    skipped: int


def count_root(store: Store, root: Root) -> RootCounts:
    """Count pictures and files below a root. Raises StoreError."""
    counts_query = select(func.count(distinct(files.c.picture_id)), func.count()).where(at_or_below(files, root.path))
    skipped_query = select(func.count()).select_from(skipped).where(at_or_below(skipped, root.path))
    with store.reading() as connection:
        pictures, file_count = connection.execute(counts_query).one()
        return RootCounts(pictures, file_count, connection.scalar(skipped_query) or 0)


def forget_root(store: Store, root: Root) -> int:
    """Forget a root and the files below it, except those of other roots; return how many files.

    Nothing on disk is touched. Raises StoreError.
    """
    kept = [other.path for other in read_roots(store) if other.path != root.path and lies_in(other.path, root.path)]
    with store.writing() as connection:
        connection.execute(delete(roots).where(roots.c.path == root.path))
        _note_moved(connection, kept)
        forgotten = writes.forget_below(connection, [root.path], kept)
        writes.prune(connection)
        return forgotten


def forget(store: Store, paths: Sequence[bytes]) -> int:
    """Forget all files and roots at or below `paths`; return how many files.

    Nothing on disk is touched. Raises StoreError.
    """
    with store.writing() as connection:
        for path in paths:
            connection.execute(delete(roots).where(at_or_below(roots, path)))
        forgotten = writes.forget_below(connection, paths)
        writes.prune(connection)
        return forgotten


def _note_moved(connection: Connection, folders: Sequence[bytes]) -> None:
    """Log the pictures below `folders` as changed: other folders above them have names to search by now."""
    for folder in folders:
        writes.note_changes(connection, select(files.c.picture_id).where(at_or_below(files, folder)).distinct())
