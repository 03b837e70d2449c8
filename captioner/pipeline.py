"""The describing pipeline: reader -> encode -> caption -> writer, the one way from sources to descriptions.

Indexing, `retroflex caption`, uploads, training features and evaluation all use it. They differ in their reader, which
makes squares of pixels of their sources, and in what they do with the descriptions.

    groups of sources -> [threads: read, decode] -> [threads: encoder] -> [threads: beam search] -> descriptions

The encoder gets full batches, even if many sources are bad or already described. Two batches run at a time, as the
threads of one batch wait for each other when another stage takes a processor. The beam search gets several batches at
once, since it costs less for each picture then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate, takewhile
from pathlib import Path
from threading import RLock
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np

from captioner.encoders.base import Encoder, Features
from captioner.reading import FileReader, Read, Reading
from captioner.types import Describer, Description, StagedDescriber
from data.decoding.pool import read_square
from data.errors import PictureError
from data.limits import DEFAULT_LIMITS, Limits
from data.records import CaptionRow, DescriptionRow
from data.scan import FoundFile

S = TypeVar("S")
T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")

BATCH = 32
"""Sources that are read together, and the fewest pictures that the encoder gets at once."""
GROUP = 4 * BATCH
"""The fewest pictures that are captioned at once, except in the last group, by a describer that does not say."""
SPARSE = 8
"""A batch or group with few new pictures is passed on at this many sources for each picture that it should have."""
READ_AHEAD = 4
THREADS = 2


Described = list[tuple[T, Description | None]]
"""Sources in order, each with its description, or None without a square."""


@dataclass
class Chunk(Generic[T]):
    """Readings in the pipeline; `features` belong to the readings with a square, in order."""

    readings: list[Reading[T]] = field(default_factory=list)
    features: list[Features] = field(default_factory=list)

    @property
    def pictures(self) -> int:
        """The number of readings with a square."""
        return sum(reading.square is not None for reading in self.readings)


class PictureEncoder(Protocol):
    """The first half of a describer, or an encoder.

    It may have a `step`: how many pictures it encodes at once as fast as more of them. Progress is seen in such steps.
    """

    def encode(self, pictures: np.ndarray) -> Features: ...


class Executor(Protocol):
    """Runs the pipeline over picture files and films; `captioner.cluster` runs its stages on other machines."""

    def describe(
        self, groups: Iterable[Sequence[FoundFile]], read: FileReader[T], describer: StagedDescriber
    ) -> Iterator[Described[T]]:
        """Yield the descriptions of all files, a group at a time: the frames of a film in order, groups in any."""


class Flow:
    """How far a running pipeline is, and the way to stop it; safe for threads and signal handlers."""

    def __init__(self) -> None:
        self.encoded = 0
        """Sources that the encoder has passed on, with those that it need not see."""
        self.pending = 0
        """Pictures that are being encoded, captioned or written."""
        self.stopping = False
        self._lock = RLock()  # a signal handler may interrupt a thread that holds it

    def stop(self) -> int:
        """Encode no further picture; return how many are still captioned and written."""
        with self._lock:
            self.stopping = True
            return self.pending

    def begin(self, pictures: int) -> bool:
        """Note that these are encoded next; return False to stop instead."""
        with self._lock:
            self.pending += 0 if self.stopping else pictures
            return not self.stopping

    def passed(self, sources: int) -> None:
        """Note that the encoder has passed on so many sources."""
        with self._lock:
            self.encoded += sources

    def finish(self, pictures: int) -> None:
        """Note that these are written."""
        with self._lock:
            self.pending -= pictures


class ThreadExecutor:
    """Runs each stage in threads of its own, ahead of the next one."""

    def __init__(self, flow: Flow | None = None) -> None:
        """`flow` shows the progress and stops the pipeline."""
        self._flow = flow or Flow()

    def describe(
        self, groups: Iterable[Sequence[S]], read: Read[S, T], describer: StagedDescriber
    ) -> Iterator[Described[T]]:
        """Yield the descriptions of all sources in order, a group at a time.

        Raises KeyboardInterrupt after the last group if the flow was stopped.
        """
        with _threads() as pool:
            encoded = regroup(self.encode(groups, read, describer), lambda: getattr(describer, "group", GROUP))
            for group in _map(pool, partial(_caption, describer), encoded, THREADS):
                yield group
                self._flow.finish(sum(description is not None for _, description in group))
        if self._flow.stopping:
            raise KeyboardInterrupt

    def encode(self, groups: Iterable[Sequence[S]], read: Read[S, T], encoder: PictureEncoder) -> Iterator[Chunk[T]]:
        """Yield all readings in order with their features, a batch at a time."""
        with _threads() as readers, _threads() as encoders:
            batches = regroup(_map(readers, partial(_read, read), groups, READ_AHEAD), lambda: BATCH)
            wanted = takewhile(lambda _: not self._flow.stopping, batches)
            yield from _map(encoders, partial(_encode, encoder, self._flow), wanted, THREADS)


def describe_now(sources: Sequence[S], read: Read[S, T], describer: Describer) -> Described[T]:
    """Describe a few sources in the caller's thread."""
    readings = read(sources)
    squares = [reading.square for reading in readings if reading.square is not None]
    return _matched(readings, describer.describe(np.stack(squares)) if squares else [])


def in_groups(sources: Sequence[S]) -> Iterator[Sequence[S]]:
    """Yield the sources in order, BATCH at a time."""
    for start in range(0, len(sources), BATCH):
        yield sources[start : start + BATCH]


def regroup(chunks: Iterable[Chunk[T]], pictures: Callable[[], int]) -> Iterator[Chunk[T]]:
    """Join chunks in order until they have that many pictures, see SPARSE; the rest comes last.

    The number is asked for after each chunk, as a captioner knows its `group` only when its encoder is loaded.
    """
    whole = Chunk[T]()
    for chunk in chunks:
        whole.readings.extend(chunk.readings)
        whole.features.extend(chunk.features)
        enough = pictures()
        if whole.pictures >= enough or len(whole.readings) >= SPARSE * enough:
            yield whole
            whole = Chunk[T]()
    if whole.readings:
        yield whole


class FileRead(NamedTuple):
    """A picture file, and why it could not be read; empty if it could."""

    path: Path
    problem: str = ""


def read_files(paths: Sequence[Path], side: int, limits: Limits = DEFAULT_LIMITS) -> list[Reading[FileRead]]:
    """Read picture files as squares of `side` pixels; a bad one becomes its problem."""
    readings = []
    for path in paths:
        try:
            readings.append(Reading(FileRead(path), read_square(path, side, limits)))
        except PictureError as error:
            readings.append(Reading(FileRead(path, str(error))))
    return readings


class VectorDescriber:
    """Describes pictures by vectors of a further encoder, without captions."""

    def __init__(self, encoder: Encoder) -> None:
        self.kind, self.model_version, self.input_side = encoder.name, encoder.model_version, encoder.side
        self._encoder = encoder

    def encode(self, pictures: np.ndarray) -> Features:
        return self._encoder.encode(pictures)

    def caption(self, features: Features) -> list[Description]:
        return [Description([], {self.kind: vector}, captioned=False) for vector in features.vectors]

    def describe(self, pictures: np.ndarray) -> list[Description]:
        return self.caption(self.encode(pictures))


def as_row(digest: str, model_version: str, description: Description) -> DescriptionRow:
    """Return a description as a row for the store."""
    captions = [CaptionRow(caption.text, caption.logprob) for caption in description.captions]
    kept = captions if description.captioned else None
    return DescriptionRow(digest, model_version, kept, description.vectors, description.blobs)


@contextmanager
def _threads() -> Iterator[ThreadPoolExecutor]:
    """Yield threads; work that has not started on leaving is dropped."""
    with ThreadPoolExecutor(THREADS) as pool:
        try:
            yield pool
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _map(pool: ThreadPoolExecutor, work: Callable[[A], B], items: Iterable[A], ahead: int) -> Iterator[B]:
    """Yield the results of `work` for the items in order, each once it is ready, with `ahead` more in the pool."""
    waiting: deque[Future[B]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        while waiting and (waiting[0].done() or len(waiting) > ahead):
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _read(read: Read[Any, T], group: Sequence[Any]) -> Chunk[T]:
    return Chunk(read(group))


def _encode(encoder: PictureEncoder, flow: Flow, chunk: Chunk[T]) -> Chunk[T]:
    """Encode the pictures of a chunk in steps; when the flow is stopped, the others are left out."""
    squares = [reading.square for reading in chunk.readings if reading.square is not None]
    sources = [reading.sources for reading in chunk.readings if reading.square is not None]
    flow.passed(sum(reading.sources for reading in chunk.readings) - sum(sources))
    features: list[Features] = []
    step = getattr(encoder, "step", None) or len(squares)
    for start in range(0, len(squares), step or 1):
        piece = slice(start, start + step)
        if not flow.begin(len(squares[piece])):
            return Chunk(_first_pictures(chunk.readings, start), features)
        features.append(encoder.encode(np.stack(squares[piece])))
        flow.passed(sum(sources[piece]))
    return Chunk(chunk.readings, features)


def _first_pictures(readings: Sequence[Reading[T]], pictures: int) -> list[Reading[T]]:
    """Return the readings without a square, and the first so many of the others, in order."""
    number = accumulate(reading.square is not None for reading in readings)
    return [one for one, count in zip(readings, number, strict=True) if one.square is None or count <= pictures]


def _caption(describer: StagedDescriber, chunk: Chunk[T]) -> Described[T]:
    return _matched(chunk.readings, describer.caption(Features.joined(chunk.features)) if chunk.features else [])


def describe_in_steps(describer: StagedDescriber, squares: Sequence[np.ndarray]) -> list[Description]:
    """Describe squares, uint8 (side, side, 3), in the caller's thread; the encoder gets them in its steps."""
    described: list[Description] = []
    for piece in in_groups(squares):
        encoded = _encode(describer, Flow(), Chunk([Reading(None, square) for square in piece]))
        described += describer.caption(Features.joined(encoded.features))
    return described


def _matched(readings: Sequence[Reading[T]], descriptions: Sequence[Description]) -> Described[T]:
    remaining = iter(descriptions)
    return [(reading.source, None if reading.square is None else next(remaining)) for reading in readings]
