"""What every reader of a data set gives: pictures with their human captions, by split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SPLITS = ("train", "dev", "test")


@dataclass(frozen=True)
class CaptionedPicture:
    """A picture of the data set with its human captions in their order; `name` is its own in the data set."""

    name: str
    path: Path
    captions: list[str]


@dataclass(frozen=True)
class Dataset:
    """The usable pictures of a split (of all splits where it is None) and one line for each thing left out."""

    split: str | None
    pictures: list[CaptionedPicture]
    problems: list[str]
