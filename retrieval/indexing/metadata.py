"""Read the metadata of pictures again that an older version of the program indexed; nothing is described anew."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice

from data.errors import PictureError
from data.limits import Limits
from data.metadata.dates import now
from data.metadata.embedded import read_metadata
from data.paths import from_bytes
from data.pictures import open_header, read_bytes
from data.records import Batch, FileRow, MetadataRow, StoredFile, content_hash
from data.store import Store

AT_ONCE = 100
"""Pictures in one transaction."""

Copies = list[FileRow]
"""The files of one picture."""


def outdated_copies(store: Store, stored: Mapping[bytes, StoredFile], excluded: Collection[bytes]) -> list[Copies]:
    """Return, for each picture whose metadata is outdated, those of its `stored` files that are not `excluded`."""
    needed = store.metadata_needed({file.digest for path, file in stored.items() if file.digest})
    copies: dict[str, Copies] = {}
    for path, file in stored.items() if needed else ():
        if file.digest in needed and path not in excluded:
            copies.setdefault(file.digest, []).append(FileRow(path, file.size, file.mtime_ns, file.digest))
    return list(copies.values())


def read_metadata_again(store: Store, outdated: Sequence[Copies], limits: Limits) -> Iterator[int]:
    """Read and store the metadata of the pictures; yield how many were read, a group at a time. Raises StoreError.

    A file that cannot be read keeps what was stored, and is tried again in the next run.
    """
    remaining = iter(outdated)
    while group := list(islice(remaining, AT_ONCE)):
        batch = Batch()
        for copies in group:
            if (row := _row(copies, limits)) is not None:
                batch.metadata.append(row)
                batch.files.extend(copies)  # the dates in their names are read as they are written
        store.write_batch(batch)
        yield len(group)


def _row(copies: Copies, limits: Limits) -> MetadataRow | None:
    for file in copies:
        try:
            content = read_bytes(from_bytes(file.path), limits)
            if content_hash(content) == file.digest:
                return MetadataRow(file.digest, *read_metadata(open_header(content, limits), content, now()))
        except PictureError:
            continue
    return None
