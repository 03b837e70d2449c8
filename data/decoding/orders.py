"""What a caller can order of a picture file, and how it is made; the same in this process and in a child."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from math import ceil
from typing import Any

import numpy as np
from PIL import Image

from data.exif import Exif, read_exif
from data.limits import Limits
from data.metadata.embedded import Metadata
from data.pictures import PictureFacts, decode, square, within


@dataclass(frozen=True)
class Webp:
    """A small WebP: at most `shorter` and `longer` pixels along its sides; `method` is WebP's effort, 0 to 6."""

    shorter: int
    longer: int
    quality: int
    method: int = 4

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Return the size of such a WebP of a picture of this size; never larger."""
        scale = min(1.0, self.shorter / min(width, height), self.longer / max(width, height))
        return max(1, round(width * scale)), max(1, round(height * scale))


Part = tuple[float, float, float, float]
"""Left, top, right and bottom of a part of an upright picture, in shares of its width and height."""


@dataclass(frozen=True)
class Order:
    """A square of so many pixels a side, a small WebP, the hash of the pixels; or else what the camera wrote.

    `within` orders the pixels in their own proportions, reduced to that many along the longer side if they are more.
    Of a `part`, square, WebP and pixels show only that.
    """

    square: int | None = None
    webp: Webp | None = None
    exif: bool = False
    hashed: bool = False
    within: int | None = None
    part: Part | None = None

    @property
    def min_side(self) -> int | None:
        """The shorter side, in pixels, to which the picture may be reduced while it is decoded."""
        side = self.square or self.within or (self.webp.shorter if self.webp else None)
        if side is None or self.part is None:
            return side
        left, top, right, bottom = self.part
        return ceil(side / min(right - left, bottom - top))


@dataclass(frozen=True)
class Job:
    """An order for a file's bytes, and the seconds of processor time for a picture of no size."""

    order: Order
    limits: Limits
    seconds: float
    content: bytes

    @property
    def size(self) -> int:
        """The bytes that the child keeps of the file."""
        return len(self.content)

    def to_messages(self) -> tuple[bytes, ...]:
        """Return all but the content in JSON, and the content."""
        document = {"order": asdict(self.order), "limits": asdict(self.limits), "seconds": self.seconds}
        return json.dumps(document).encode(), self.content

    @classmethod
    def from_messages(cls, message: bytes, content: bytes) -> Job:
        """Return the job that `to_messages` made the messages of."""
        document = json.loads(message)
        order, webp = document["order"], document["order"]["webp"]
        order = Order(**order | {"webp": Webp(**webp) if webp else None})
        return cls(order, Limits(**document["limits"]), document["seconds"], content)

    def answer(self, receive: Callable[[], bytes]) -> Decoded:
        """Read what the child answers. Raises ValueError, TypeError or KeyError if it makes no sense."""
        return Decoded.from_messages([receive() for _ in range(3)], self.order.square)


@dataclass(frozen=True)
class Decoded:
    """What was ordered: facts, uint8 (side, side, 3), the file of a WebP, EXIF, `pixels` uint8 (height, width, 3).

    The others are None or empty.
    """

    facts: PictureFacts | None = None
    square: np.ndarray | None = None
    webp: bytes = b""
    exif: Exif | None = None
    pixels: np.ndarray | None = None

    def to_messages(self) -> tuple[bytes, bytes, bytes]:
        """Return facts, EXIF and the shapes of pixels in JSON, the pixels, and the WebP."""
        parts = {
            "facts": _facts_to_json(self.facts) if self.facts else None,
            "exif": asdict(self.exif) if self.exif else None,
            "size": None if self.pixels is None else self.pixels.shape[:2],
        }
        content = b"".join(one.tobytes() for one in (self.square, self.pixels) if one is not None)
        return json.dumps(parts).encode(), content, self.webp

    @classmethod
    def from_messages(cls, messages: Sequence[bytes], side: int | None) -> Decoded:
        """Return what `to_messages` made the messages of. Raises ValueError, TypeError or KeyError if it did not."""
        parts, content, webp = messages
        document = json.loads(parts)
        facts, exif, size = document["facts"], document["exif"], document["size"]
        values, of_square = np.frombuffer(content, np.uint8), 3 * (side or 0) ** 2
        return cls(
            _facts_from_json(facts) if facts else None,
            values[:of_square].reshape(side, side, 3) if side else None,
            webp,
            Exif(**exif) if exif else None,
            values[of_square:].reshape(*size, 3) if size else None,
        )


def make(content: bytes, order: Order, limits: Limits, bulk: bool = False) -> Decoded:
    """Make in this process what was ordered of a picture file's bytes, `bulk` as in `decode`. Raises a PictureError."""
    if order.exif:
        return Decoded(exif=read_exif(content, limits))
    picture = decode(content, limits, order.min_side, bulk, order.hashed)
    facts = PictureFacts(**{field.name: getattr(picture, field.name) for field in fields(PictureFacts)})
    image = crop(picture.image, order.part) if order.part else picture.image
    return Decoded(
        facts,
        square(image, order.square) if order.square else None,
        shrink(image, order.webp) if order.webp else b"",
        pixels=within(image, order.within) if order.within else None,
    )


def crop(image: Image.Image, part: Part) -> Image.Image:
    """Return a part of `image`, at least one pixel."""
    left, top, right, bottom = (share * side for share, side in zip(part, (image.width, image.height) * 2, strict=True))
    x, y = min(int(left), image.width - 1), min(int(top), image.height - 1)
    return image.crop((x, y, min(max(x + 1, ceil(right)), image.width), min(max(y + 1, ceil(bottom)), image.height)))


def shrink(image: Image.Image, webp: Webp) -> bytes:
    """Return `image` as such a WebP; never enlarged."""
    return encoded(image.resize(webp.size(*image.size), Image.Resampling.LANCZOS, reducing_gap=3.0), webp)


def encoded(image: Image.Image, webp: Webp) -> bytes:
    """Return `image` as a WebP file in its own size."""
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=webp.quality, method=webp.method)
    return buffer.getvalue()


def _facts_to_json(facts: PictureFacts) -> dict[str, Any]:
    plain = {"width": facts.width, "height": facts.height, "format": facts.format, "pixels": facts.pixels}
    return plain | {"notes": facts.notes, "metadata": facts.metadata.to_json()}


def _facts_from_json(document: dict[str, Any]) -> PictureFacts:
    metadata = Metadata.from_json(document["metadata"])
    return PictureFacts(**document | {"metadata": metadata, "notes": tuple(document["notes"])})
