"""Index films: sample frames, describe them like pictures, and write each film with all of them in one transaction.

A film of which not all frames are described when a run ends is not written: the next run begins it again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from captioner.pipeline import Executor, Reading, as_row
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


class FilmReader:
    """Reads films and samples or finds again the frames that the describer's model has not described yet."""

    def __init__(
        self,
        store: Store,
        describer: StagedDescriber,
        limits: Limits,
        sidecars: Sidecars,
        claims: Claims,
        every: float | None,
    ) -> None:
        self.claims = claims
        self._store, self._limits, self._sidecars, self._every = store, limits, sidecars, every
        self._side = describer.input_side

    def read(self, group: Sequence[FoundFile]) -> list[Reading[Part]]:
        """Return a reading for each frame to describe, and one for each film without any."""
        return [reading for file in group for reading in self._read(file)]

    def _read(self, file: FoundFile) -> list[Reading[Part]]:
        path = to_bytes(file.path)
        try:
            motion = self._motion(file)
            if motion is not None:
                return [Reading(Part(Batch(), motion=motion))]
            digest = film_hash(file.path)
            row = FileRow(path, file.size, file.mtime_ns, digest, self._sidecars.signature(path))
            stored = self._stored(digest)
            if not self._is_wanted(digest, stored):
                return [Reading(Part(Batch(files=[row])))]
            return self._frames(file.path, row, stored)
        except PictureError as error:
            return [Reading(Part(Batch(skipped=[skip_row(path, file, error)])))]

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

    def _is_wanted(self, digest: str, stored: StoredFilm | None) -> bool:
        if self._every is not None and stored is not None and stored.sampling != sampling_name(self._every):
            return True
        needed, elsewhere = self.claims.take([digest])
        while elsewhere:
            self.claims.wait(elsewhere)
            needed, elsewhere = self.claims.take([digest])
        return bool(needed)

    def _frames(self, path: Path, row: FileRow, stored: StoredFilm | None) -> list[Reading[Part]]:
        """Decode the frames that are stored already, or else sample the film."""
        found, sampling = self._again(path, stored), stored.sampling if stored is not None else ""
        if found is None:
            found = read_film(path, FilmOrder(self._side, every=self._every), self._limits)
            sampling = sampling_name(self._every)
        assert found.squares is not None
        film = _Sampled(self._picture(row, found), found.facts, sampling, [row])
        last = len(found.times) - 1
        return [
            Reading(Part(Batch(), film, seconds, number == last), square, sources=int(number == last))
            for number, (seconds, square) in enumerate(zip(found.times, found.squares, strict=True))
        ]

    def _again(self, path: Path, stored: StoredFilm | None) -> Frames | None:
        """Decode the stored frames; None if there are none, not all are found, or others are wanted."""
        if stored is None or not stored.frames or self._every not in (None, _every_of(stored.sampling)):
            return None
        times = tuple(frame.seconds for frame in stored.frames)
        found = read_film(path, FilmOrder(self._side, times), self._limits)
        return replace(found, times=times) if len(found.times) == len(times) else None

    def _picture(self, row: FileRow, found: Frames) -> PictureRow:
        colours = colours_of(found.squares if found.squares is not None else ())
        paths = [row.path, *self._store.paths_of([row.digest]).get(row.digest, ())]
        return self._sidecars.picture_row(row.digest, row.size, found.facts, colours, paths)


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
    if not files:
        return
    for group in executor.describe([[file] for file in files], reader.read, describer):
        for part, description in group:
            written = _written(store, part, description, describer.model_version)
            if written is not None:
                reader.claims.release({row.digest for row in written[0].files})
                yield written


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
