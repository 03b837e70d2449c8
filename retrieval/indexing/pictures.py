"""Read picture files for indexing, and choose those whose content the describer's model has not described yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from captioner.reading import Decoding, Identified, Identify, Pixels, Reading, read_here
from data.colour.names import mostly
from data.decoding.orders import Order
from data.decoding.pool import decode_bounded
from data.errors import PictureError, PictureUnreadable
from data.limits import Limits
from data.paths import from_bytes, to_bytes
from data.pictures import PictureFacts, read_bytes
from data.records import Batch, FileRow, content_hash
from data.scan import FoundFile
from data.sharing.claims import Claims
from data.store import Store
from retrieval.indexing.metadata import Sidecars
from retrieval.indexing.skips import skip_row

KEPT_BYTES = 64 * 2**20
"""Of the files of a group, from when they are hashed until they are decoded; the others are read twice."""


def identify(group: Sequence[FoundFile], limits: Limits) -> list[Identified]:
    """Hash picture files; the content of the first ones is kept."""
    identified, kept = list[Identified](), dict[str, int]()
    for file in group:
        try:
            content = read_bytes(file.path, limits)
        except PictureError as error:
            identified.append(Identified(error=error))
            continue
        digest = content_hash(content)
        keep = digest not in kept and sum(kept.values()) + len(content) <= KEPT_BYTES
        kept.setdefault(digest, len(content) if keep else 0)
        identified.append(Identified(digest, content=content if keep else None))
    return identified


class _PictureFacts(NamedTuple):
    facts: PictureFacts
    size: int
    colours: int


@dataclass(frozen=True)
class PictureDecoding:
    """The order to decode a picture file; `bulk` as in `data.pictures.decode`."""

    path: Path
    digest: str
    order: Order
    limits: Limits
    bulk: bool

    def run(self, content: bytes | None) -> Pixels:
        """Return the picture's square and facts. Raises a PictureError."""
        content = self._read_again() if content is None else content
        decoded = decode_bounded(content, self.order, self.limits, self.bulk)
        assert decoded.facts is not None
        assert decoded.square is not None
        return Pixels([decoded.square], _PictureFacts(decoded.facts, len(content), mostly(decoded.square)))

    def _read_again(self) -> bytes:
        content = read_bytes(self.path, self.limits)
        if content_hash(content) != self.digest:
            raise PictureUnreadable("cannot be read: it is being changed; index again when that is done")
        return content


class PictureReader:
    """A `captioner.reading.FileReader` of pictures; several threads may call it at once."""

    def __init__(self, store: Store, side: int, limits: Limits, sidecars: Sidecars, claims: Claims, bulk: bool) -> None:
        """`side` is that of the squares, in pixels."""
        self.claims = claims
        self.identify: Identify = partial(identify, limits=limits)
        self._store, self._limits, self._sidecars, self._bulk = store, limits, sidecars, bulk
        self._order = Order(square=side, hashed=True)
        self._put_off: dict[str, list[FileRow]] = {}
        self._chosen: dict[str, list[FileRow]] = {}
        self._choosing = Lock()

    def __call__(self, group: Sequence[FoundFile]) -> list[Reading[Batch]]:
        return read_here(self, group)

    def choose(
        self, group: Sequence[FoundFile], identified: Sequence[Identified]
    ) -> tuple[list[Reading[Batch]], list[Decoding]]:
        """Return a reading for each known content and each file that cannot be read; and what is to be decoded."""
        readings, rows = list[Reading[Batch]](), dict[str, list[FileRow]]()
        for file, (digest, error, _) in zip(group, identified, strict=True):
            path = to_bytes(file.path)
            if error is not None:
                readings.append(Reading(Batch(skipped=[skip_row(path, file, error)])))
            else:
                rows.setdefault(digest, []).append(FileRow(path, file.size, file.mtime_ns, digest))
        new, elsewhere = self._take(rows)
        known = [files for digest, files in rows.items() if digest not in new | elsewhere]
        readings += [Reading(Batch(files=files), sources=len(files)) for files in known]
        return readings, [self._decoding(rows[digest][0]) for digest in sorted(new)]

    def _take(self, rows: dict[str, list[FileRow]]) -> tuple[set[str], set[str]]:
        """Return which contents are described now, and which are put off: others describe them, or this run does."""
        with self._choosing:
            needed, elsewhere = self.claims.take(rows.keys())
            new = needed - self._chosen.keys()
            self._chosen |= {digest: rows[digest] for digest in new}
            elsewhere |= needed - new
            for digest in elsewhere:
                self._put_off.setdefault(digest, []).extend(rows[digest])
        return new, elsewhere

    def _decoding(self, file: FileRow) -> PictureDecoding:
        return PictureDecoding(from_bytes(file.path), file.digest, self._order, self._limits, self._bulk)

    def complete(self, decoding: Decoding, facts: _PictureFacts) -> list[tuple[Batch, int]]:
        """Return the picture with its files; those that the store has may have sidecars too."""
        files, digest = self._chosen.pop(decoding.digest), decoding.digest
        paths = [*(file.path for file in files), *self._store.paths_of([digest]).get(digest, ())]
        row = self._sidecars.picture_row(digest, facts.size, facts.facts, facts.colours, paths)
        files = [replace(file, sidecars=self._sidecars.signature(file.path)) for file in files]
        return [(Batch(files=files, pictures=[row]), len(files))]

    def refuse(self, decoding: Decoding, error: PictureError) -> Reading[Batch]:
        """Skip all files of a content."""
        files = self._chosen.pop(decoding.digest)
        self.claims.release([decoding.digest])
        return Reading(Batch(skipped=[skip_row(file.path, file, error) for file in files]), sources=len(files))

    def wait(self) -> list[FoundFile]:
        """Return files that were put off and can be read now, once nothing else is read; wait for the first."""
        self._chosen.clear()
        rows = [row for digest in self.claims.wait(self._put_off) for row in self._put_off.pop(digest)]
        return [FoundFile.of(row.path, row) for row in rows]
