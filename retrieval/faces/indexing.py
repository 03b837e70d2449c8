"""Find the faces of pictures that were not searched for them yet, group by group.

A kill at any time loses no written group; the next run continues with the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from PIL import Image

from captioner.encoders.base import Features
from captioner.faces.base import LONGEST, FaceFinder, FoundFace
from captioner.faces.calibration import is_same_person
from captioner.types import StagedDescriber
from data.decoding.orders import Order
from data.decoding.pool import decode_bounded
from data.errors import PictureError, PictureUnreadable
from data.faces.reads import Unscanned, unscanned
from data.faces.records import FACE, ON_CROP, FaceRow, ScannedPicture
from data.faces.writes import put_faces
from data.limits import Limits
from data.paths import from_bytes
from data.pictures import read_bytes, square
from data.records import content_hash
from data.scan import Skip
from data.store import Store

AT_ONCE = 8
"""Pictures of one transaction; as many more are decoded meanwhile, which limits the memory."""
READERS = 2

Progress = Callable[[int, int], None]
"""Gets the number of pictures that are done, and that of all."""


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
    """Pictures that were searched for faces, the faces in them, and pictures that could not be read."""

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
    """Search all pictures for faces that a finder of this version has not searched yet, and store what is found.

    `make_finder` loads its networks, which takes seconds, if there is a picture to search. One that cannot be read is
    left out, and tried again in the next run. Raises StoreError.
    """
    report = FaceReport()
    todo = unscanned(store, model_version)
    finder, done = make_finder() if todo else None, 0
    progress(done, len(todo))
    for group in _read(todo, limits):
        rows = [
            ScannedPicture(one.picture_id, one.digest, _rows(finder, on_crop, pixels))
            for one, pixels in group
            if finder is not None and isinstance(pixels, np.ndarray)
        ]
        report.unreadable += [
            Skip(from_bytes(one.paths[0]), str(bad)) for one, bad in group if isinstance(bad, PictureError)
        ]
        put_faces(store, model_version, rows, is_same_person)
        report.pictures += len(rows)
        report.faces += sum(len(row.faces) for row in rows)
        done += len(group)
        progress(done, len(todo))
    return report


def _rows(finder: FaceFinder, on_crop: CropEncoder, pixels: np.ndarray) -> list[FaceRow]:
    found = finder.find(pixels)
    if not found:
        return []
    kind, version = ON_CROP + on_crop.name, on_crop.describer.model_version
    crops = on_crop.encode([face.crop for face in found])
    return [_row(face, finder.model_version, kind, (version, crop)) for face, crop in zip(found, crops, strict=True)]


def _row(face: FoundFace, version: str, kind: str, crop: tuple[str, np.ndarray]) -> FaceRow:
    return FaceRow(face.box, face.confidence, {FACE: (version, face.vector), kind: crop})


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
    problem: PictureError = PictureUnreadable("cannot be read: its file has changed; index again")
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
