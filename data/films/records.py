"""Films and their frames as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from data.records import DescriptionRow, FileRow, PictureRow

FILM, FRAME = "film", "frame"
"""The kinds of the items of a film and of its frames."""


class FrameRow(NamedTuple):
    """A frame to be stored: its time in the film in seconds, and its description."""

    seconds: float
    description: DescriptionRow


@dataclass(frozen=True)
class FilmRow:
    """A film to be stored: as a picture, how long it lasts in seconds, how it was sampled, and its frames by time.

    `files` are its files that were read.
    """

    picture: PictureRow
    duration: float
    sampling: str
    frames: Sequence[FrameRow]
    files: Sequence[FileRow]


class StoredFrame(NamedTuple):
    """A frame as stored: the id of its item, that of its film, and its time in the film in seconds."""

    id: int
    film_id: int
    seconds: float


class StoredFilm(NamedTuple):
    """A film as stored: how long it lasts in seconds, how it was sampled, and its frames by time."""

    picture_id: int
    duration: float
    sampling: str
    frames: tuple[StoredFrame, ...]


def clock(seconds: float) -> str:
    """Return a time in a film as people read it: 0:42, or 1:02:03 from an hour on."""
    whole = int(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"
