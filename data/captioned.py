"""A data set as every reader returns it: pictures with their human captions, by split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SPLITS = ("train", "dev", "test")


@dataclass(frozen=True)
class CaptionedPicture:
    """A picture of the data set with its human captions in order; `name` identifies it within the data set."""

    name: str
    path: Path
    captions: list[str]


@dataclass(frozen=True)
class Dataset:
    """The usable pictures of a split (None: of all splits), and a line for each problem."""

    split: str | None
    pictures: list[CaptionedPicture]
    problems: list[str]
