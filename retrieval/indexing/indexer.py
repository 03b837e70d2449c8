"""Index pictures: reading and decoding run ahead of the encoder, captioning behind it, one writer.

    files -> [threads: read, hash, decode] -> [threads: encoder] -> [threads: beam search] -> store, a group at a time

The encoder gets full batches, however many files are bad or known, and two at a time: the parts of one batch wait for
each other wherever another stage has taken a processor from one of them. The beam search, whose cost a picture falls
with their number, gets several batches at once. What a transaction wrote is there after a kill at any instant; the next
run goes on with the rest.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from captioner.encoders.base import Features
from captioner.types import Description
from data.paths import from_bytes, to_bytes
from data.pictures import Limits, PictureError, PictureUnreadable, decode, read_bytes, square
from data.records import Batch, CaptionRow, DescriptionRow, FileRow, PictureRow, SkipRow
from data.scan import FoundFile, Skip, content_hash, scan
from data.store import Store

T = TypeVar("T")

BATCH = 32
"""Files that are read together, and the fewest pictures that the encoder gets at once."""
GROUP = 4 * BATCH
"""The fewest pictures that are captioned at once, and written in one transaction; the last are what is left."""
SPARSE = 8
"""Where few files are new, a batch or group is no longer put off once it holds so many files a picture wanted."""
BULK = 8
"""So many batches repay the loading of what decodes large JPEG files faster, see `data.pictures.decode`."""
AHEAD = 4
THREADS = 2


class Describer(Protocol):
    """The two halves of a captioner, see `captioner.captioner.Captioner`; each is called by several threads."""

    model_version: str
    input_side: int

    def encode(self, pictures: np.ndarray) -> Features: ...

    def caption(self, features: Features) -> list[Description]: ...


@dataclass
class Report:
    """What an indexing run did: counts of files, and each file left out with its reason."""

    captioned: int = 0
    known_content: int = 0
    unchanged: int = 0
    gone: int = 0
    skipped: list[Skip] = field(default_factory=list)

    def __add__(self, other: Report) -> Report:
        """What this run and the other did together."""
        return Report(
            self.captioned + other.captioned,
            self.known_content + other.known_content,
            self.unchanged + other.unchanged,
            self.gone + other.gone,
            self.skipped + other.skipped,
        )


@dataclass
class _Chunk:
    """Files on their way into the store; `digests` names the rows of `squares`, and then of all `features`."""

    batch: Batch = field(default_factory=Batch)
    digests: list[str] = field(default_factory=list)
    squares: list[np.ndarray] = field(default_factory=list)
    features: list[Features] = field(default_factory=list)

    @property
    def files(self) -> int:
        """How many files it tells of, those skipped included."""
        return len(self.batch.files) + len(self.batch.skipped)

    def add(self, other: _Chunk) -> None:
        """Take in what `other` holds."""
        self.batch.files.extend(other.batch.files)
        self.batch.pictures.extend(other.batch.pictures)
        self.batch.skipped.extend(other.batch.skipped)
        self.digests.extend(other.digests)
        self.squares.extend(other.squares)
        self.features.extend(other.features)


def index(
    store: Store,
    describer: Describer,
    roots: Sequence[Path],
    limits: Limits,
    exclude: Sequence[str] = (),
    progress: Callable[[int, int, Report], None] = lambda done, total, report: None,
    recaption: bool = True,
) -> Report:
    """Bring the store up to date with the picture files under `roots`.

    Only new and changed files are read and, with `recaption`, pictures that another model version described.
    `progress` gets (files done, files in all, what was done so far). Raises RetroflexError where a root is missing
    or the store fails; a bad picture is skipped and reported.
    """
    known = store.known_files(roots)
    found = scan(roots, known, exclude)
    version = describer.model_version
    stale = _stale_files(store, version, known, set(found.gone), found.changed) if recaption else []
    report = Report(unchanged=found.unchanged - len(stale), gone=len(found.gone), skipped=list(found.skipped))
    waiting = [*found.changed, *stale]
    progress(0, len(waiting), report)
    done = 0
    for chunk in _described(store, describer, limits, waiting):
        store.write_batch(chunk.batch)
        done += chunk.files
        _count(report, chunk)
        progress(done, len(waiting), report)
    if found.gone:
        store.write_batch(Batch(gone=found.gone))
    return report


def _stale_files(
    store: Store, version: str, known: dict, gone: set[bytes], changed: Sequence[FoundFile]
) -> list[FoundFile]:
    """One unchanged file of each picture that this model version has not described."""
    leave = gone | {to_bytes(file.path) for file in changed}
    by_digest = {one.digest: (path, one) for path, one in known.items() if one.digest and path not in leave}
    needed = store.describe_needed(by_digest.keys(), version)
    return [
        FoundFile(from_bytes(path), one.size, one.mtime_ns)
        for digest, (path, one) in by_digest.items()
        if digest in needed
    ]


def _described(store: Store, describer: Describer, limits: Limits, files: Sequence[FoundFile]) -> Iterator[_Chunk]:
    """Yield chunks ready to be written, in order; reading, encoding and captioning have threads of their own."""
    groups = [files[start : start + BATCH] for start in range(0, len(files), BATCH)]
    read = partial(_read, store, describer, limits, len(groups) >= BULK)
    captioning: deque[Future[_Chunk]] = deque()
    with _threads() as readers, _threads() as encoders, _threads() as captioners:
        batches = _joined(_ahead(readers, read, groups, AHEAD), BATCH)
        for group in _joined(_ahead(encoders, partial(_encode, describer), batches, THREADS), GROUP):
            captioning.append(captioners.submit(_caption, describer, group))
            while captioning and (captioning[0].done() or len(captioning) > THREADS):
                yield captioning.popleft().result()
        while captioning:
            yield captioning.popleft().result()


@contextmanager
def _threads() -> Iterator[ThreadPoolExecutor]:
    """Threads whose waiting work is dropped where they are left before it is done."""
    with ThreadPoolExecutor(THREADS) as pool:
        try:
            yield pool
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _ahead(pool: ThreadPoolExecutor, work: Callable[[T], _Chunk], items: Iterable[T], count: int) -> Iterator[_Chunk]:
    """Yield what `work` makes of the items, in order, with so many more on their way."""
    waiting: deque[Future[_Chunk]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) > count:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _joined(chunks: Iterable[_Chunk], pictures: int) -> Iterator[_Chunk]:
    """Put chunks together in order until they hold that many new `pictures`, see SPARSE; what is left comes last."""
    whole = _Chunk()
    for chunk in chunks:
        whole.add(chunk)
        if len(whole.digests) >= pictures or whole.files >= SPARSE * pictures:
            yield whole
            whole = _Chunk()
    if whole.files:
        yield whole


def _encode(describer: Describer, chunk: _Chunk) -> _Chunk:
    if chunk.squares:
        chunk.features.append(describer.encode(np.stack(chunk.squares)))
        chunk.squares.clear()
    return chunk


def _read(store: Store, describer: Describer, limits: Limits, bulk: bool, group: Sequence[FoundFile]) -> _Chunk:
    """Read and hash a group of files, then decode the pictures that this model has not described yet."""
    chunk = _Chunk()
    contents: dict[str, bytes] = {}
    for file in group:
        try:
            content = read_bytes(file.path, limits)
        except PictureError as error:
            chunk.batch.skipped.append(_skip(file, error))
            continue
        digest = content_hash(content)
        contents.setdefault(digest, content)
        chunk.batch.files.append(FileRow(to_bytes(file.path), file.size, file.mtime_ns, digest))
    for digest in sorted(store.describe_needed(contents.keys(), describer.model_version)):
        _decode(chunk, digest, contents[digest], limits, describer.input_side, bulk)
    return chunk


def _decode(chunk: _Chunk, digest: str, content: bytes, limits: Limits, side: int, bulk: bool) -> None:
    try:
        picture = decode(content, limits, side, bulk)
    except PictureError as error:
        bad = [row for row in chunk.batch.files if row.digest == digest]
        chunk.batch.files[:] = [row for row in chunk.batch.files if row.digest != digest]
        chunk.batch.skipped.extend(SkipRow(row.path, row.size, row.mtime_ns, str(error)) for row in bad)
        return
    chunk.batch.pictures.append(
        PictureRow(digest, picture.width, picture.height, picture.format, len(content), picture.taken_at)
    )
    chunk.digests.append(digest)
    chunk.squares.append(square(picture.image, side))


def _skip(file: FoundFile, error: PictureError) -> SkipRow:
    # Permission may be given later without a trace in the time of change, so such a file is tried each time.
    mtime_ns = -1 if isinstance(error, PictureUnreadable) else file.mtime_ns
    return SkipRow(to_bytes(file.path), file.size, mtime_ns, str(error))


def _caption(describer: Describer, chunk: _Chunk) -> _Chunk:
    if chunk.features:
        described = describer.caption(Features.joined(chunk.features))
        chunk.features.clear()
        for digest, one in zip(chunk.digests, described, strict=True):
            captions = [CaptionRow(caption.text, caption.logprob) for caption in one.captions]
            chunk.batch.descriptions.append(
                DescriptionRow(digest, describer.model_version, captions, one.vectors, one.blobs)
            )
    return chunk


def _count(report: Report, chunk: _Chunk) -> None:
    report.captioned += len(chunk.batch.descriptions)
    report.known_content += len(chunk.batch.files) - len(chunk.batch.descriptions)
    report.skipped += [Skip(from_bytes(row.path), row.reason) for row in chunk.batch.skipped]
