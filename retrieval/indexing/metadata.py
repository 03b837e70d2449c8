"""Read the metadata of pictures again, without describing them anew.

That is for pictures that an older version of the program indexed, and for those whose sidecars have changed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice

from data.errors import PictureError
from data.films.orders import FilmFacts
from data.limits import Limits
from data.metadata.dates import now
from data.metadata.embedded import Metadata, read_metadata
from data.metadata.sidecars import Sidecar, sidecars_of, signature, with_sidecars
from data.paths import from_bytes
from data.pictures import PictureFacts, open_header, read_bytes
from data.records import Batch, FileRow, MetadataRow, PictureRow, StoredFile, content_hash
from data.store import Store

AT_ONCE = 100
"""Pictures in one transaction."""

Copies = list[FileRow]
"""The files of one picture."""


class Sidecars:
    """The sidecars of files, as a walk found them, or else as they are on disk."""

    def __init__(self, found: Mapping[bytes, Sequence[Sidecar]]) -> None:
        self._found = found

    def of(self, path: bytes) -> Sequence[Sidecar]:
        """Return those of one file."""
        return self._found.get(path) or sidecars_of(from_bytes(path))

    def signature(self, path: bytes) -> str | None:
        """Return what is stored for those that the walk found, see `data.records.FileRow`."""
        return signature(self._found.get(path, ()))

    def added_to(self, metadata: Metadata, paths: Iterable[bytes]) -> tuple[Metadata, tuple[str, ...]]:
        """Return what a picture file and the sidecars of all its copies say, see `with_sidecars`."""
        ordered = dict.fromkeys(paths)
        return with_sidecars(metadata, chain.from_iterable(map(self.of, ordered)), now())

    def picture_row(
        self, digest: str, size: int, facts: PictureFacts | FilmFacts, colours: int, paths: Iterable[bytes]
    ) -> PictureRow:
        """Return the row of a picture or film of so many bytes, whose files are at `paths`, with what sidecars say."""
        metadata, notes = self.added_to(facts.metadata, paths)
        of_file = facts.width, facts.height, facts.format, size, *metadata
        return PictureRow(digest, *of_file, facts.pixels, facts.notes, notes, colours)

    def changed(self, stored: Mapping[bytes, StoredFile]) -> set[str]:
        """Return the digests of stored pictures whose sidecars differ from those that were read."""
        return {
            file.digest
            for path, file in stored.items()
            if file.digest and (file.sidecars or path in self._found) and signature(self.of(path)) != file.sidecars
        }


def outdated_copies(
    store: Store, stored: Mapping[bytes, StoredFile], excluded: Collection[bytes], sidecars: Sidecars
) -> list[Copies]:
    """Return, for each picture whose metadata is outdated, those of its `stored` files that are not `excluded`."""
    needed = store.metadata_needed({file.digest for file in stored.values() if file.digest}) | sidecars.changed(stored)
    copies: dict[str, Copies] = {}
    for path, file in stored.items() if needed else ():
        if file.digest in needed and path not in excluded:
            row = FileRow(path, file.size, file.mtime_ns, file.digest, signature(sidecars.of(path)))
            copies.setdefault(file.digest, []).append(row)
    return list(copies.values())


def read_metadata_again(
    store: Store, outdated: Iterable[Copies], limits: Limits, sidecars: Sidecars
) -> Iterator[tuple[int, list[MetadataRow]]]:
    """Read and store the metadata of the pictures; yield how many were read and what, a group at a time.

    A file that cannot be read keeps what was stored, and is tried again in the next run. Raises StoreError.
    """
    remaining = iter(outdated)
    while group := list(islice(remaining, AT_ONCE)):
        batch = Batch()
        paths = store.paths_of([copies[0].digest for copies in group])
        for copies in group:
            if (row := _row(copies, paths.get(copies[0].digest, []), limits, sidecars)) is not None:
                batch.metadata.append(row)
                batch.files.extend(copies)  # the dates in their names are read as they are written
        store.write_batch(batch)
        yield len(group), batch.metadata


def _row(copies: Copies, all_paths: Sequence[bytes], limits: Limits, sidecars: Sidecars) -> MetadataRow | None:
    for file in copies:
        try:
            content = read_bytes(from_bytes(file.path), limits)
            if content_hash(content) == file.digest:
                metadata = read_metadata(open_header(content, limits), content, now())
                paths = [*(copy.path for copy in copies), *all_paths]
                whole, notes = sidecars.added_to(metadata, paths)
                return MetadataRow(file.digest, *whole, notes)
        except PictureError:
            continue
    return None
