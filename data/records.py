"""The rows that go into and come out of the store, as plain values."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import numpy as np

from data.catalogue.values import PREDICTED, WORDED, Fact
from data.paths import clean_text


@dataclass(frozen=True)
class StoredFile:
    """A file as the store has it; `digest` is "" for a skipped file, `sidecars` as in FileRow."""

    size: int
    mtime_ns: int
    digest: str
    sidecars: str | None = None


@dataclass(frozen=True)
class FileRow:
    """A file on disk (`path` as bytes, `size` in bytes) and the content hash of the picture in it.

    `sidecars` is the `data.metadata.sidecars.signature` of the sidecars that the picture's metadata holds.
    """

    path: bytes
    size: int
    mtime_ns: int
    digest: str
    sidecars: str | None = None


class PictureText(NamedTuple):
    """Words that a picture file carries: title, description, keyword, person or place; field.NAME of the catalogue."""

    field: str
    text: str


class Position(NamedTuple):
    """Where a picture was taken, in degrees: `latitude` from -90 to 90, `longitude` from -180 to 180."""

    latitude: float
    longitude: float


@dataclass(frozen=True)
class PictureRow:
    """A picture by content hash; width and height in pixels, upright; `bytes` is the size of the file.

    `taken_at`, `taken_from`, `texts` and `position` are those of `data.metadata.embedded.Metadata`; they replace stored
    ones. `pixels` is its `data.pictures.pixel_hash`, None where that is not known. `notes` are lines on what of its
    file, `sidecar_notes` on what of its sidecars could not be used; they replace stored ones too. `colours` are those
    that it mostly has, see `data.colour.names`, 0 where that is not known.
    """

    digest: str
    width: int
    height: int
    format: str
    bytes: int
    taken_at: datetime | None
    taken_from: str | None = None
    texts: Sequence[PictureText] = ()
    position: Position | None = None
    pixels: str | None = None
    notes: Sequence[str] = ()
    sidecar_notes: Sequence[str] = ()
    colours: int = 0


@dataclass(frozen=True)
class MetadataRow:
    """What the file of a stored picture and its sidecars say, see `PictureRow`, read again."""

    digest: str
    taken_at: datetime | None
    taken_from: str | None
    texts: Sequence[PictureText]
    position: Position | None = None
    sidecar_notes: Sequence[str] = ()


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


class Seen(NamedTuple):
    """What decoding tells of a picture: its `pixel_hash`, None where that is not known, and the colours it has."""

    pixels: str | None
    colours: int


@dataclass(frozen=True)
class Batch:
    """What one transaction writes; `gone` are paths whose files are absent now.

    `seen` is what decoding told, by content hash, for pictures that are stored already.
    """

    files: list[FileRow] = field(default_factory=list)
    pictures: list[PictureRow] = field(default_factory=list)
    descriptions: list[DescriptionRow] = field(default_factory=list)
    skipped: list[SkipRow] = field(default_factory=list)
    gone: list[bytes] = field(default_factory=list)
    seen: dict[str, Seen] = field(default_factory=dict)
    metadata: list[MetadataRow] = field(default_factory=list)


@dataclass(frozen=True)
class StoredCaption:
    """A caption as stored; `source` is "model" or "user", and a user's has no log-probability or version."""

    text: str
    logprob: float | None
    source: str
    model_version: str | None


@dataclass(frozen=True)
class StoredPicture:
    """A picture with the paths of its files and its captions, the user's first, then the model's best first.

    `taken_at` is when it was taken by the best source that tells, `taken_from` that source, a key of
    `data.metadata.dates.SOURCES`; None for one that an older version read. `metadata` are the texts in its file.
    `facts` are the values of the catalogue's fields, `colours` those of `PictureRow`.
    `favourite`: a person marked it.
    """

    id: int
    digest: str
    paths: list[bytes]
    width: int
    height: int
    format: str
    bytes: int
    taken_at: datetime | None
    captions: list[StoredCaption]
    taken_from: str | None = None
    metadata: Sequence[PictureText] = ()
    facts: Sequence[Fact] = ()
    colours: int = 0
    favourite: bool = False

    @property
    def texts_beside(self) -> list[PictureText]:
        """The texts beside its captions that searches read: those in its file and those of the catalogue."""
        return [*self.metadata, *searched_facts(self.facts)]

    @property
    def texts(self) -> list[str]:
        """The texts of its captions."""
        return [caption.text for caption in self.captions]

    @property
    def shown_paths(self) -> list[str]:
        """Its files' paths as clean text."""
        return [clean_text(path) for path in self.paths]

    @property
    def taken_as_text(self) -> str | None:
        """When it was taken, in ISO 8601."""
        return self.taken_at.isoformat() if self.taken_at else None


def searched_facts(facts: Sequence[Fact]) -> list[PictureText]:
    """Return the values whose words are searched; "field." before a name tells them from texts of files.

    Those that a model is less sure of than of all others together are left out: words find exact matches first.
    """
    return [
        PictureText(f"field.{fact.field.name}", fact.text)
        for fact in facts
        if fact.field.type in WORDED and (fact.source != PREDICTED or (fact.confidence or 0) >= 0.5)
    ]


class StoredVector(NamedTuple):
    """A vector as stored, float16 (d,), and the model version that made it."""

    model_version: str
    values: np.ndarray


class SearchedPicture(NamedTuple):
    """What a search needs of a picture or frame: its captions, the user's first, and its vectors by kind.

    `by_user` says whether a person captioned it. `paths`, `taken_at` and `taken_from` are those of `StoredPicture`,
    `metadata` its `texts_beside`. `film` is the id of the film that a frame is of, None for a picture.
    """

    id: int
    captions: list[str]
    by_user: bool
    vectors: dict[str, StoredVector]
    paths: Sequence[bytes] = ()
    metadata: Sequence[PictureText] = ()
    taken_at: datetime | None = None
    taken_from: str | None = None
    film: int | None = None


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
