"""Films become frames within bounds of time and memory, in child processes as costly pictures do."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data.decoding.pool import Decoders
from data.errors import NotAPicture, PictureUnreadable
from data.films.kinds import INSTALL, can_read_films
from data.films.orders import FilmJob, FilmOrder, Frames
from data.limits import DEFAULT_LIMITS, Limits
from data.temporary import temporary_folder

SECONDS = 60.0
"""Processor time for a film of small frames; `data.films.worker` adds to it by pixels."""
PROCESSES = 2
_PIECE = 2**22

FILM_DECODERS = Decoders(PROCESSES, SECONDS, module="data.films.worker")
"""The children of this process, which start with the first film."""


def read_film(
    path: Path,
    order: FilmOrder,
    limits: Limits = DEFAULT_LIMITS,
    patience: float | None = None,
    seconds: float = SECONDS,
) -> Frames:
    """Make what was ordered of the film at `path` in so many `seconds`; `patience` as in `Decoders.decode`.

    Raises a PictureError.
    """
    if not can_read_films():
        raise NotAPicture(f"is a film; to read films: {INSTALL}")
    return FILM_DECODERS.do(FilmJob(order, limits, seconds, path), patience)


@contextmanager
def film_file(content: bytes) -> Iterator[Path]:
    """Yield a file of a film's bytes, which is removed on leaving. Raises PictureUnreadable where none can be made."""
    try:
        with temporary_folder() as folder:
            path = folder / "film"
            path.write_bytes(content)
            yield path
    except OSError as error:
        raise PictureUnreadable(f"cannot be read: {error.strerror or error}") from error


def film_hash(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal, as `content_hash` does, a piece at a time.

    Raises PictureUnreadable.
    """
    state = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                state.update(piece)
    except OSError as error:
        raise PictureUnreadable(f"cannot be read: {error.strerror or error}") from error
    return state.hexdigest()
