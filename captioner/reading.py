"""Readers: they make squares of pixels of sources, in one go or in parts of which some may run on other machines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np

from captioner.types import StagedDescriber
from data.errors import PictureError
from data.scan import FoundFile

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Reading(Generic[T]):
    """What a reader returns for a source: `source` in the reader's terms, and `square` uint8 (side, side, 3).

    `square` is None if there is nothing to describe: a file that cannot be read, or a picture with a description.
    `sources` is for how many sources it stands: equal files share a reading.
    """

    source: T
    square: np.ndarray | None = None
    sources: int = 1


Read = Callable[[Sequence[S]], list[Reading[T]]]
"""Reads a group of sources; called by several threads at once."""


Load = Callable[[], StagedDescriber]
"""Loads a describer; plain values, so that another machine can call it."""


class Identified(NamedTuple):
    """A file's SHA-256 in hexadecimal, or the error with which it cannot be read; `content` if its bytes were kept."""

    digest: str = ""
    error: PictureError | None = None
    content: bytes | None = None


class Pixels(NamedTuple):
    """The squares of a picture or film, uint8 (side, side, 3), and `facts` for the reader that ordered them."""

    squares: Sequence[np.ndarray]
    facts: Any


class Decoding(Protocol):
    """The order to decode a file. It is plain values, so that another machine can carry it out."""

    @property
    def digest(self) -> str:
        """The SHA-256 of the file's content."""

    def run(self, content: bytes | None) -> Pixels:
        """Decode the file's `content`, or read it again where that is None. Raises a PictureError."""


Identify = Callable[[Sequence[FoundFile]], list[Identified]]
"""Hashes files, in order; a plain function, so that another machine can run it."""


class FileReader(Protocol[T]):
    """A reader in parts: `identify` and what `choose` orders may run on another machine, which has the files too.

    Called as a `Read`, it does all of it here, see `read_here`. The other methods use the store, and run here.
    """

    def __call__(self, group: Sequence[FoundFile]) -> list[Reading[T]]: ...

    @property
    def identify(self) -> Identify: ...

    def choose(
        self, group: Sequence[FoundFile], identified: Sequence[Identified]
    ) -> tuple[list[Reading[T]], list[Decoding]]:
        """Return readings without a square, and the files that have to be decoded."""

    def complete(self, decoding: Decoding, facts: Any) -> list[tuple[T, int]]:
        """Return a source for each square of a decoded file, and for how many files it stands."""

    def refuse(self, decoding: Decoding, error: PictureError) -> Reading[T]:
        """Return the reading of a file that cannot be decoded."""


def read_here(reader: FileReader[T], group: Sequence[FoundFile]) -> list[Reading[T]]:
    """Run all parts of a reader in this thread."""
    identified = reader.identify(group)
    readings, decodings = reader.choose(group, identified)
    contents = {one.digest: one.content for one in reversed(identified)}
    del identified
    for decoding in decodings:
        try:
            squares, facts = decoding.run(contents.pop(decoding.digest, None))
        except PictureError as error:
            readings.append(reader.refuse(decoding, error))
            continue
        sources = reader.complete(decoding, facts)
        readings += [Reading(one, square, files) for (one, files), square in zip(sources, squares, strict=True)]
    return readings
