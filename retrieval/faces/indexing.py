"""Find the faces of pictures that were not searched for them yet, group by group, and those in the frames of films.

A kill at any time loses no written group, or film; the next run continues with the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from captioner.encoders.base import Features
from captioner.faces.base import LONGEST, LONGEST_FRAME, FaceFinder
from captioner.faces.calibration import is_same_person
from captioner.types import StagedDescriber
from data.decoding.orders import Order
from data.decoding.pool import decode_bounded
from data.errors import PictureError, PictureUnreadable
from data.faces.reads import Unscanned, unscanned
from data.faces.records import FACE, ON_CROP, FaceRow, ScannedPicture
from data.faces.writes import put_faces
from data.films.decoding import SECONDS, film_hash, read_film
from data.films.kinds import can_read_films
from data.films.orders import FilmOrder
from data.limits import Limits
from data.paths import from_bytes
from data.pictures import read_bytes, square
from data.records import content_hash
from data.scan import Skip
from data.store import Store

AT_ONCE = 8
"""Pictures of one transaction; as many more are decoded meanwhile, which limits the memory."""
READERS = 2
CHANGED = "cannot be read: its file has changed; index again"

Progress = Callable[[int, int], None]
"""Gets the number of pictures and films that are done, and that of all."""
Find = Callable[[np.ndarray, float | None], list[FaceRow]]
"""Returns the faces in pixels; the second argument is the time of a frame of a film."""


class CropEncoder(NamedTuple):
    """The captioner as an encoder of cut-out faces; its vectors are of the kind `name`."""

    name: str
    describer: StagedDescriber

    def encode(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """Return a float32 vector (n, d) for each of n pictures, uint8 (height, width, 3)."""
        side = self.describer.input_side
        squares = [square(Image.fromarray(crop), side) for crop in crops]
        parts = [self.describer.encode(np.stack(squares[at : at + AT_ONCE])) for at in range(0, len(squares), AT_ONCE)]
        return Features.joined(parts).vectors


@dataclass
class FaceReport:
    """Pictures and films that were searched for faces, the faces in them, and what could not be read."""

    pictures: int = 0
    faces: int = 0
    unreadable: list[Skip] = field(default_factory=list)


def find_faces(
    store: Store,
    model_version: str,
    make_finder: Callable[[], FaceFinder],
    on_crop: CropEncoder,
    limits: Limits,
    progress: Progress = lambda done, total: None,
) -> FaceReport:
    """Search all pictures and films for faces that a finder of this version has not searched yet; store what is found.

    `make_finder` loads its networks, which takes seconds, if there is a picture to search. One that cannot be read is
    left out, and tried again in the next run. Raises StoreError.
    """
    report = FaceReport()
    todo = unscanned(store, model_version, can_read_films())
    progress(0, len(todo))
    if not todo:
        return report
    find, done = partial(_rows, make_finder(), on_crop), 0
    pictures, films = ([one for one in todo if bool(one.times) is film] for film in (False, True))
    for group in chain(_searched(pictures, find, limits), _searched_films(films, find, limits)):
        rows = [one for one in group if isinstance(one, ScannedPicture)]
        put_faces(store, model_version, rows, is_same_person)
        report.unreadable += [one for one in group if isinstance(one, Skip)]
        report.pictures += len(rows)
        report.faces += sum(len(row.faces) for row in rows)
        done += len(group)
        progress(done, len(todo))
    return report


def _searched(todo: Sequence[Unscanned], find: Find, limits: Limits) -> Iterator[list[ScannedPicture | Skip]]:
    """Yield the pictures with their faces, or why they cannot be read, group by group."""
    for group in _read(todo, limits):
        yield [
            ScannedPicture(one.picture_id, one.digest, find(pixels, None))
            if isinstance(pixels, np.ndarray)
            else Skip(from_bytes(one.paths[0]), str(pixels))
            for one, pixels in group
        ]


def _searched_films(todo: Sequence[Unscanned], find: Find, limits: Limits) -> Iterator[list[ScannedPicture | Skip]]:
    """Yield each film with the faces in its frames, or why it cannot be read."""
    for one in todo:
        try:
            yield [ScannedPicture(one.picture_id, one.digest, _faces_in_film(one, find, limits))]
        except PictureError as error:
            yield [Skip(from_bytes(one.paths[0]), str(error))]


def _faces_in_film(one: Unscanned, find: Find, limits: Limits) -> list[FaceRow]:
    """Return the faces in the frames of a film, read AT_ONCE at a time. Raises a PictureError."""
    faces, read = list[FaceRow](), 0
    for seconds, pixels in frames_at(_file_of(one), one.times, limits):
        faces += find(pixels, seconds)
        read += 1
    if read != len(one.times):
        raise PictureUnreadable("cannot be read: not all frames that were indexed are found; index again")
    return faces


def frames_at(
    path: Path, times: Sequence[float], limits: Limits, patience: float | None = None, seconds: float = SECONDS
) -> Iterator[tuple[float, np.ndarray]]:
    """Yield the frames of a film at rising `times` with their times, as faces are looked for in them.

    There may be fewer. `patience` and `seconds` are those of `read_film`. Raises a PictureError.
    """
    for start in range(0, len(times), AT_ONCE):
        wanted = tuple(times[start : start + AT_ONCE])
        found = read_film(path, FilmOrder(times=wanted, within=LONGEST_FRAME), limits, patience, seconds)
        assert found.squares is not None
        yield from zip(wanted, found.squares, strict=False)


def _file_of(one: Unscanned) -> Path:
    """Return a file of a film that has the content that was indexed. Raises PictureUnreadable."""
    for path in map(from_bytes, one.paths):
        with suppress(PictureUnreadable):
            if film_hash(path) == one.digest:
                return path
    raise PictureUnreadable(CHANGED)


def _rows(finder: FaceFinder, on_crop: CropEncoder, pixels: np.ndarray, seconds: float | None) -> list[FaceRow]:
    found = finder.find(pixels)
    if not found:
        return []
    kind, version = ON_CROP + on_crop.name, on_crop.describer.model_version
    vectors = zip(found, on_crop.encode([face.crop for face in found]), strict=True)
    return [
        FaceRow(face.box, face.confidence, {FACE: (finder.model_version, face.vector), kind: (version, crop)}, seconds)
        for face, crop in vectors
    ]


def _read(todo: Sequence[Unscanned], limits: Limits) -> Iterator[list[tuple[Unscanned, np.ndarray | PictureError]]]:
    """Yield the pictures with their pixels, or why they cannot be read; a group is read while another is searched."""
    groups = [todo[at : at + AT_ONCE] for at in range(0, len(todo), AT_ONCE)]
    with ThreadPoolExecutor(READERS) as pool:
        try:
            ahead = [pool.submit(_pixels, one, limits) for one in (groups[0] if groups else ())]
            for number, group in enumerate(groups):
                waiting = ahead
                following = groups[number + 1] if number + 1 < len(groups) else ()
                ahead = [pool.submit(_pixels, one, limits) for one in following]
                yield [(one, future.result()) for one, future in zip(group, waiting, strict=True)]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _pixels(one: Unscanned, limits: Limits) -> np.ndarray | PictureError:
    problem: PictureError = PictureUnreadable(CHANGED)
    for path in one.paths:
        try:
            content = read_bytes(from_bytes(path), limits)
            if content_hash(content) == one.digest:
                return read_pixels(content, limits)
        except PictureError as error:
            problem = error
    return problem


def read_pixels(content: bytes, limits: Limits) -> np.ndarray:
    """Return the pixels of a picture file, as faces are looked for in them. Raises a PictureError."""
    pixels = decode_bounded(content, Order(within=LONGEST), limits).pixels
    assert pixels is not None
    return pixels
