"""Index films: sample frames, describe them like pictures, and write each film with all of them in one transaction.

A film of which not all frames are described when a run ends is not written: the next run begins it again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import numpy as np

from captioner.pipeline import Executor, as_row
from captioner.reading import Decoding, Identified, Identify, Pixels, Reading, read_here
from captioner.types import Description, StagedDescriber
from data.colour.names import NAMES, mostly
from data.errors import PictureError
from data.films.decoding import film_hash, read_film
from data.films.kinds import is_film
from data.films.orders import FilmFacts, FilmOrder, Frames
from data.films.reads import films_by_id
from data.films.records import FilmRow, FrameRow, StoredFilm
from data.films.sampling import sampling_name
from data.films.writes import MotionRow, picture_beside, put_film, put_motion
from data.limits import Limits
from data.paths import to_bytes
from data.records import Batch, FileRow, PictureRow, StoredFile
from data.scan import FoundFile
from data.sharing.claims import Claims
from data.store import Store
from retrieval.indexing.metadata import Sidecars
from retrieval.indexing.skips import skip_row

LIVE_SECONDS = 4.0
"""A film beside a picture of the same name belongs to it, as in a Live Photo, if it is no longer than this."""
LIVE_SUFFIXES = frozenset({".mov"})
_SHARE = 0.5
"""A film has the colours that at least this share of its frames mostly have."""


@dataclass(frozen=True, eq=False)
class Part:
    """A frame of a film that is described, or a film without frames to describe; `last` completes it."""

    batch: Batch
    film: _Sampled | None = None
    seconds: float = 0.0
    last: bool = True
    motion: MotionRow | None = None


@dataclass(eq=False)
class _Sampled:
    """A film on its way to the store, with the descriptions so far."""

    picture: PictureRow
    facts: FilmFacts
    sampling: str
    files: list[FileRow]
    frames: list[FrameRow] = field(default_factory=list)


@dataclass
class FilmCounts:
    """What a run did with films: those written with their frames, and films that joined a Live Photo."""

    films: int = 0
    frames: int = 0
    live_photos: int = 0

    def __add__(self, other: FilmCounts) -> FilmCounts:
        """Return the counts of both runs together."""
        return FilmCounts(self.films + other.films, self.frames + other.frames, self.live_photos + other.live_photos)


def split(files: Sequence[FoundFile]) -> tuple[list[FoundFile], list[FoundFile]]:
    """Return the pictures and the films among files."""
    films = [file for file in files if is_film(file.path)]
    taken = {file.path for file in films}
    return [file for file in files if file.path not in taken], films


def sampled_otherwise(
    store: Store, stored: dict[bytes, StoredFile], gone: set[bytes], every: float | None
) -> list[FoundFile]:
    """Return one file of each stored film that was not sampled `every` so many seconds; none where that is None."""
    if every is None:
        return []
    wanted = sampling_name(every)
    others = {film.picture_id for film in films_by_id(store).values() if film.sampling != wanted}
    digests = {one.digest for one in store.pictures(sorted(others)).values()}
    by_digest = {file.digest: (path, file) for path, file in stored.items() if path not in gone}
    return [FoundFile.of(*known) for digest, known in by_digest.items() if digest in digests]


class _FilmFacts(NamedTuple):
    facts: FilmFacts
    times: tuple[float, ...]
    sampling: str
    colours: int


@dataclass(frozen=True)
class FilmDecoding:
    """The order to take the frames of a film at `times` (seconds), and to sample it where that is None or fails.

    `every` as in FilmOrder; `sampling` is the name of the way in which `times` were found.
    """

    path: Path
    digest: str
    side: int
    limits: Limits
    times: tuple[float, ...] | None
    sampling: str
    every: float | None

    def run(self, content: bytes | None) -> Pixels:
        """Return frames and facts; `content` is None, as films are read piece by piece. Raises a PictureError."""
        found, sampling = self._again(), self.sampling
        if found is None:
            found = read_film(self.path, FilmOrder(self.side, every=self.every), self.limits)
            sampling = sampling_name(self.every)
        assert found.squares is not None
        return Pixels(list(found.squares), _FilmFacts(found.facts, found.times, sampling, colours_of(found.squares)))

    def _again(self) -> Frames | None:
        if self.times is None:
            return None
        found = read_film(self.path, FilmOrder(self.side, self.times), self.limits)
        return replace(found, times=self.times) if len(found.times) == len(self.times) else None


def identify_films(group: Sequence[FoundFile]) -> list[Identified]:
    """Hash films."""
    identified = []
    for file in group:
        try:
            identified.append(Identified(film_hash(file.path)))
        except PictureError as error:
            identified.append(Identified(error=error))
    return identified


class FilmReader:
    """A `captioner.reading.FileReader` of films, whose frames the describer's model has not described yet."""

    identify: Identify = staticmethod(identify_films)

    def __init__(
        self, store: Store, side: int, limits: Limits, sidecars: Sidecars, claims: Claims, every: float | None
    ) -> None:
        """`side` is that of the squares, in pixels."""
        self.claims = claims
        self._store, self._side, self._limits, self._sidecars, self._every = store, side, limits, sidecars, every
        self._put_off: dict[str, list[FoundFile]] = {}
        self._chosen: dict[str, FileRow] = {}
        self._choosing = Lock()

    def __call__(self, group: Sequence[FoundFile]) -> list[Reading[Part]]:
        return read_here(self, group)

    def choose(
        self, group: Sequence[FoundFile], identified: Sequence[Identified]
    ) -> tuple[list[Reading[Part]], list[Decoding]]:
        """Return a reading for each film without frames to describe, and the others."""
        readings, decodings = list[Reading[Part]](), list[Decoding]()
        for file, (digest, error, _) in zip(group, identified, strict=True):
            try:
                if error is not None:
                    raise error
                chosen = self._choose(file, digest)
            except PictureError as refused:
                chosen = Part(Batch(skipped=[skip_row(to_bytes(file.path), file, refused)]))
            if isinstance(chosen, Part):
                readings.append(Reading(chosen))
            elif chosen is not None:
                decodings.append(chosen)
        return readings, decodings

    def _choose(self, file: FoundFile, digest: str) -> Part | FilmDecoding | None:
        """Return what is to be done with a film, None if that is put off. Raises a PictureError."""
        path = to_bytes(file.path)
        motion = self._motion(file)
        if motion is not None:
            return Part(Batch(), motion=motion)
        row = FileRow(path, file.size, file.mtime_ns, digest, self._sidecars.signature(path))
        stored = self._stored(digest)
        with self._choosing:
            needed, elsewhere = self._is_needed(digest, stored)
            if elsewhere or (needed and digest in self._chosen):
                self._put_off.setdefault(digest, []).append(file)
                return None
            if not needed:
                return Part(Batch(files=[row]))
            self._chosen[digest] = row
        times, sampling = self._times(stored)
        return FilmDecoding(file.path, digest, self._side, self._limits, times, sampling, self._every)

    def _motion(self, file: FoundFile) -> MotionRow | None:
        """Return what joins a film to the Live Photo beside it, None if it is a film of its own."""
        if file.path.suffix.lower() not in LIVE_SUFFIXES:
            return None
        picture_id = picture_beside(self._store, file.path)
        if picture_id is None:
            return None
        facts = read_film(file.path, FilmOrder(), self._limits).facts
        if facts.duration > LIVE_SECONDS and not facts.identifier:
            return None
        return MotionRow(to_bytes(file.path), picture_id, file.size, file.mtime_ns)

    def _stored(self, digest: str) -> StoredFilm | None:
        number = self._store.picture_id(digest)
        return None if number is None else films_by_id(self._store, [number]).get(number)

    def _is_needed(self, digest: str, stored: StoredFilm | None) -> tuple[bool, bool]:
        """Return whether a film is described here, and whether another indexer describes it now."""
        if self._every is not None and stored is not None and stored.sampling != sampling_name(self._every):
            return True, False
        needed, elsewhere = self.claims.take([digest])
        return bool(needed), bool(elsewhere)

    def _times(self, stored: StoredFilm | None) -> tuple[tuple[float, ...] | None, str]:
        """Return the times of stored frames and how they were found; None if there are none or others are wanted."""
        if stored is None or not stored.frames or self._every not in (None, _every_of(stored.sampling)):
            return None, ""
        return tuple(frame.seconds for frame in stored.frames), stored.sampling

    def complete(self, decoding: Decoding, facts: _FilmFacts) -> list[tuple[Part, int]]:
        """Return a part for each frame; the last one stands for the film."""
        row = self._chosen.pop(decoding.digest)
        film = _Sampled(self._picture(row, facts), facts.facts, facts.sampling, [row])
        last = len(facts.times) - 1
        return [
            (Part(Batch(), film, seconds, number == last), int(number == last))
            for number, seconds in enumerate(facts.times)
        ]

    def refuse(self, decoding: Decoding, error: PictureError) -> Reading[Part]:
        """Skip a film."""
        row = self._chosen.pop(decoding.digest)
        self.claims.release([decoding.digest])
        return Reading(Part(Batch(skipped=[skip_row(row.path, row, error)])))

    def wait(self) -> list[FoundFile]:
        """Return films that were put off and can be read now, once nothing else is read; wait for the first."""
        self._chosen.clear()
        return [file for digest in self.claims.wait(self._put_off) for file in self._put_off.pop(digest)]

    def _picture(self, row: FileRow, found: _FilmFacts) -> PictureRow:
        paths = [row.path, *self._store.paths_of([row.digest]).get(row.digest, ())]
        return self._sidecars.picture_row(row.digest, row.size, found.facts, found.colours, paths)


def _every_of(sampling: str) -> float | None:
    """Return the distance in the name of a way of sampling, None for scenes."""
    return float(sampling.split()[1]) if sampling.startswith("every ") else None


def colours_of(squares: Sequence[np.ndarray] | np.ndarray) -> int:
    """Return the colours that _SHARE of the frames, uint8 (n, side, side, 3), mostly have; never none."""
    counts = Counter(bit for square in squares for bit in range(len(NAMES)) if mostly(square) >> bit & 1)
    most = max(counts.values(), default=0)
    return sum(1 << bit for bit, count in counts.items() if count >= min(most, _SHARE * len(squares)))


def described_films(
    store: Store, describer: StagedDescriber, files: Sequence[FoundFile], reader: FilmReader, executor: Executor
) -> Iterator[tuple[Batch, FilmCounts]]:
    """Read, describe and write films; yield what was written of each, as a batch with a description for a film."""
    unread = list(files)
    while unread:
        groups, unread = [[file] for file in unread], []
        for group in executor.describe(groups, reader, describer):
            for part, description in group:
                written = _written(store, part, description, describer.model_version)
                if written is not None:
                    reader.claims.release({row.digest for row in written[0].files})
                    yield written
        unread += reader.wait()


def _written(
    store: Store, part: Part, description: Description | None, version: str
) -> tuple[Batch, FilmCounts] | None:
    """Take a part; write its film if it is the last one, and return that."""
    if part.motion is not None:
        put_motion(store, part.motion)
        return Batch(), FilmCounts(live_photos=1)
    if part.film is None:
        store.write_batch(part.batch)
        return part.batch, FilmCounts()
    film = part.film
    assert description is not None
    film.frames.append(FrameRow(part.seconds, as_row(film.picture.digest, version, description)))
    if not part.last:
        return None
    put_film(store, FilmRow(film.picture, film.facts.duration, film.sampling, film.frames, film.files))
    told = Batch(files=film.files, pictures=[film.picture], descriptions=[film.frames[0].description])
    return told, FilmCounts(films=1, frames=len(film.frames))
