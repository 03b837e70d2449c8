"""What a run does for pictures whose files were edited, moved or are gone, besides describing the new ones."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from data.colour.names import mostly
from data.decoding.orders import Order
from data.decoding.pool import decode_bounded
from data.errors import PictureError
from data.facts import folder_of
from data.identity import DAYS_KEPT, drop_absent, settle
from data.limits import Limits
from data.paths import clean_text, from_bytes, to_bytes
from data.pictures import read_bytes
from data.records import Batch, Seen, content_hash
from data.remote import located
from data.roots import lies_in
from data.store import Store

LOOKED_AT_ONCE = 100
"""Pictures in one transaction of `look_again`."""


def continue_pictures(
    store: Store, roots: Sequence[Path], new_paths: Collection[bytes], near_copy: float, forget: bool
) -> None:
    """Settle which pictures continue others at the end of a run over `roots`, and drop what was absent too long.

    With `forget`, all absent pictures at or below `roots` are dropped now. Raises StoreError.
    """
    folders = [to_bytes(located(root)) for root in roots]
    settle(store, folders, new_paths, near_copy)
    drop_absent(store, folders, at_once=forget)


def look_again(store: Store, unseen: Sequence[tuple[str, Sequence[bytes]]], side: int, limits: Limits) -> Iterator[int]:
    """Hash pixels and name colours of pictures that an older version indexed, as indexing at `side` pixels does.

    `unseen` are those of `data.identity.unseen_pictures`. Yield 1 for each that was tried. Files that cannot be read
    or have changed are left for a later run. Raises StoreError.
    """
    for start in range(0, len(unseen), LOOKED_AT_ONCE):
        batch = Batch()
        for digest, paths in unseen[start : start + LOOKED_AT_ONCE]:
            seen = _look(digest, paths, side, limits)
            batch.seen.update({digest: seen} if seen else {})
            yield 1
        if batch.seen:
            store.write_batch(batch)


def _look(digest: str, paths: Sequence[bytes], side: int, limits: Limits) -> Seen | None:
    for path in paths:
        try:
            content = read_bytes(from_bytes(path), limits)
            if content_hash(content) == digest:
                decoded = decode_bounded(content, Order(square=side, hashed=True), limits)
                if decoded.facts and decoded.square is not None:
                    return Seen(decoded.facts.pixels, mostly(decoded.square))
        except PictureError:
            continue
    return None


def absence_warnings(stored: Collection[bytes], gone: Collection[bytes], roots: Sequence[Path]) -> list[str]:
    """Return a line for each folder where most of the `stored` files are `gone`, as when a disk was disconnected.

    That is a root, or else the highest folder below it that is empty now, as a mount point without its disk is.
    """
    folders = [to_bytes(located(root)) for root in roots]
    counted = {root: sum(lies_in(path, root) for path in stored) for root in folders if gone}
    lost = {root: sum(lies_in(path, root) for path in gone) for root in folders if gone}
    mostly = [root for root in folders if gone and 2 * lost[root] > counted[root]]
    rest = [path for path in gone if not any(lies_in(path, root) for root in mostly)]
    empty = _empty_folders(rest, folders) if rest else {}
    lines = [_warning(root, lost[root], counted[root]) for root in mostly]
    return lines + [_warning(folder, count, count) for folder, count in sorted(empty.items())]


def _empty_folders(gone: Sequence[bytes], roots: Sequence[bytes]) -> Counter[bytes]:
    """Count the gone files by the highest folder below a root that exists and has no entries."""
    counts: Counter[bytes] = Counter()
    known: dict[bytes, bool] = {}
    for path in gone:
        folder = folder_of(path)
        while folder not in roots and folder != b"/":
            if folder not in known:
                known[folder] = _is_empty(folder)
            if known[folder]:
                counts[folder] += 1
                break
            folder = folder_of(folder)
    return counts


def _is_empty(folder: bytes) -> bool:
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is None
    except OSError:
        return False


def _warning(folder: bytes, gone: int, stored: int) -> str:
    until = datetime.now(UTC).date() + timedelta(days=DAYS_KEPT)
    return (
        f"{gone:,} of {stored:,} files in {clean_text(folder)} are gone; was a disk disconnected? Nothing is forgotten:"
        f" they are kept as absent until {until.day} {until:%B %Y}, and --forget drops them now"
    )
