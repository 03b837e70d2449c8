"""The rows that go into and come out of the store, as plain values."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import numpy as np

from data.paths import clean_text


@dataclass(frozen=True)
class StoredFile:
    """A file as the store has it; `digest` is "" for a skipped file."""

    size: int
    mtime_ns: int
    digest: str


@dataclass(frozen=True)
class FileRow:
    """A file on disk (`path` as bytes, `size` in bytes) and the content hash of the picture in it."""

    path: bytes
    size: int
    mtime_ns: int
    digest: str


@dataclass(frozen=True)
class PictureRow:
    """A picture by content hash; width and height in pixels, upright; `bytes` is the size of the file.

    `pixels` is its `data.pictures.pixel_hash`, None where that is not known.
    """

    digest: str
    width: int
    height: int
    format: str
    bytes: int
    taken_at: datetime | None
    pixels: str | None = None


@dataclass(frozen=True)
class CaptionRow:
    """One generated caption and its log-probability."""

    text: str
    logprob: float


@dataclass(frozen=True, eq=False)
class DescriptionRow:
    """A model's description of a picture: features by kind and, from a captioner, captions, best first.

    `vectors` are float32 (d,), stored as float16 and searched; `blobs` are bytes that only their model reads.
    `captions` is None for a model that writes none.
    """

    digest: str
    model_version: str
    captions: list[CaptionRow] | None
    vectors: Mapping[str, np.ndarray]
    blobs: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class SkipRow:
    """A file that could not be indexed, with the reason."""

    path: bytes
    size: int
    mtime_ns: int
    reason: str


@dataclass(frozen=True)
class Batch:
    """What one transaction writes; `gone` are paths whose files are absent now.

    `pixels` are hashes of pixels by content hash, for pictures that are stored already.
    """

    files: list[FileRow] = field(default_factory=list)
    pictures: list[PictureRow] = field(default_factory=list)
    descriptions: list[DescriptionRow] = field(default_factory=list)
    skipped: list[SkipRow] = field(default_factory=list)
    gone: list[bytes] = field(default_factory=list)
    pixels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StoredCaption:
    """A caption as stored; `source` is "model" or "user", and a user's has no log-probability or version."""

    text: str
    logprob: float | None
    source: str
    model_version: str | None


@dataclass(frozen=True)
class StoredPicture:
    """A picture with the paths of its files and its captions, the user's first, then the model's best first."""

    id: int
    digest: str
    paths: list[bytes]
    width: int
    height: int
    format: str
    bytes: int
    taken_at: datetime | None
    captions: list[StoredCaption]

    @property
    def texts(self) -> list[str]:
        """The texts of its captions."""
        return [caption.text for caption in self.captions]

    @property
    def shown_paths(self) -> list[str]:
        """Its files' paths as clean text."""
        return [clean_text(path) for path in self.paths]


class StoredVector(NamedTuple):
    """A vector as stored, float16 (d,), and the model version that made it."""

    model_version: str
    values: np.ndarray


class SearchedPicture(NamedTuple):
    """What a search needs of a picture: its captions, the user's first, and its vectors by kind.

    `by_user` says whether a person captioned it.
    """

    id: int
    captions: list[str]
    by_user: bool
    vectors: dict[str, StoredVector]


class Changes(NamedTuple):
    """Ids, int64 and rising, of the pictures that changed up to `generation`, and of those that are gone.

    A picture without a file counts as gone.
    """

    generation: int
    changed: np.ndarray
    gone: np.ndarray


@dataclass(frozen=True)
class Status:
    """Counts over the store; `model_versions` gives the number of pictures that each model version described.

    `absent` counts pictures whose files are not there now, see `data.identity`.
    """

    pictures: int
    files: int
    captions: int
    user_captions: int
    skipped: int
    absent: int
    model_versions: dict[str, int]
    generation: int


def content_hash(content: bytes) -> str:
    """Return the SHA-256 of `content` in hexadecimal, the identity of a picture."""
    return hashlib.sha256(content).hexdigest()
