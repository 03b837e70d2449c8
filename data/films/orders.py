"""What a caller can order of a film, and what it gets; the same in this process and in the child that decodes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from data.decoding.orders import Webp
from data.limits import Limits
from data.metadata.embedded import Metadata

NO_METADATA = Metadata()
LISTS = 128 * 2**20
"""Bytes for what a container lists of its content, which is read before anything else."""


@dataclass(frozen=True)
class FilmOrder:
    """Frames of a film: at `times` (seconds), or else those that stand for it, or one `every` so many seconds.

    They come as squares of `side` pixels, at `times` also in their own shape `within` so many pixels, or the first one
    as a small WebP. Without any of these only the facts are read.
    """

    side: int | None = None
    times: tuple[float, ...] | None = None
    every: float | None = None
    webp: Webp | None = None
    within: int | None = None


@dataclass(frozen=True)
class FilmFacts:
    """What is known of a film: upright size in pixels, seconds, format, a hash of what its frames show, and notes.

    `identifier` is what joins the film of a Live Photo to its picture, "" if there is none.
    """

    width: int
    height: int
    duration: float
    format: str
    metadata: Metadata = NO_METADATA
    pixels: str | None = None
    notes: tuple[str, ...] = ()
    identifier: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(replace(self, metadata=NO_METADATA)) | {"metadata": self.metadata.to_json()}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> FilmFacts:
        """Return the facts that `to_json` wrote. Raises ValueError, TypeError or KeyError if it did not."""
        metadata = Metadata.from_json(document["metadata"])
        return cls(**document | {"metadata": metadata, "notes": tuple(document["notes"])})


@dataclass(frozen=True, eq=False)
class Frames:
    """What was ordered of a film: facts; frames with their `times` in seconds; a WebP.

    `squares` are uint8 (n, side, side, 3), or in the film's own shape (n, height, width, 3).
    """

    facts: FilmFacts
    times: tuple[float, ...] = ()
    squares: np.ndarray | None = None
    webp: bytes = b""

    def to_messages(self) -> tuple[bytes, bytes, bytes]:
        """Return facts and times in JSON, the pixels of the squares, and the WebP."""
        shape = None if self.squares is None else self.squares.shape
        document = {"facts": self.facts.to_json(), "times": self.times, "shape": shape}
        pixels = self.squares.tobytes() if self.squares is not None else b""
        return json.dumps(document).encode(), pixels, self.webp


@dataclass(frozen=True)
class FilmJob:
    """An order for the film at `path`, which the child opens itself: a film does not fit into memory."""

    order: FilmOrder
    limits: Limits
    seconds: float
    path: Path

    @property
    def size(self) -> int:
        """The bytes that the child keeps of the file: a list of all frames of ten hours, and of all pieces of sound."""
        return LISTS

    def to_messages(self) -> tuple[bytes, ...]:
        """Return the job in JSON."""
        document = {"order": asdict(self.order), "limits": asdict(self.limits), "seconds": self.seconds}
        return (json.dumps(document | {"path": os.fsencode(self.path).hex()}).encode(),)

    @classmethod
    def from_message(cls, message: bytes) -> FilmJob:
        """Return the job that `to_messages` made the message of."""
        document = json.loads(message)
        order = document["order"]
        times, webp = order["times"], order["webp"]
        order |= {"times": None if times is None else tuple(times), "webp": Webp(**webp) if webp else None}
        path = Path(os.fsdecode(bytes.fromhex(document["path"])))
        return cls(FilmOrder(**order), Limits(**document["limits"]), document["seconds"], path)

    def answer(self, receive: Callable[[], bytes]) -> Frames:
        """Read what the child answers. Raises ValueError, TypeError or KeyError if it makes no sense."""
        parts, pixels, webp = receive(), receive(), receive()
        document, side, within = json.loads(parts), self.order.side, self.order.within
        times = tuple(map(float, document["times"]))
        squares = np.frombuffer(pixels, np.uint8).reshape(document["shape"]) if side or within else None
        if squares is not None:
            height, width = squares.shape[1:3]
            fitting = height == width == side if side else 0 < max(height, width) <= (within or 0)
            if squares.shape != (len(times), height, width, 3) or not fitting:
                raise ValueError("frames are not those that were ordered")
        return Frames(FilmFacts.from_json(document["facts"]), times, squares, webp)
