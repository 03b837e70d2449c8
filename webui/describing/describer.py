"""The captioner of the server: loaded in the background, used by one request at a time."""

from __future__ import annotations

import base64
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from http import HTTPStatus

import numpy as np

from captioner.pipeline import describe_now
from captioner.reading import Reading
from captioner.types import Describer, Description, KindDescriber
from data.decoding.orders import Decoded, Order, Part, Webp
from data.decoding.pool import Decoders
from data.errors import RetroflexError
from data.limits import Limits
from data.records import content_hash
from webui.problems import RETRY_AFTER, Problem

MAX_PENDING = 16
"""Pictures that may be in work or wait at once, fewer than the server has threads; further ones are refused."""

MAX_REMEMBERED = 64
"""Described pictures kept in memory, so that the next page of hits does not run the model again."""

PREVIEW = Webp(384, 384, quality=80, method=2)
"""Twice the size on the page; this effort takes half the time of the default, for three percent more bytes."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Described:
    """A query picture's description, and a small WebP of it as a data: address."""

    description: Description
    preview: str


class UploadDescriber:
    """Describes uploaded bytes, with one model in memory and a bounded queue."""

    def __init__(
        self,
        loader: Callable[[], Describer],
        decoders: Decoders,
        limits: Limits,
        describing: Callable[[], AbstractContextManager[object]],
        stored: Callable[[str, str], Description | None] = lambda digest, version: None,
    ) -> None:
        """`loader` runs in a thread of its own once `start` is called; each picture is described within `describing`.

        `stored` returns the library's description of the picture of a digest by a model version, or None.
        """
        self._stored = stored
        self._loader = loader
        self._decoders = decoders
        self._limits = limits
        self._describing = describing
        self._captioner: Describer | None = None
        self._failure: str | None = None
        self._pending = threading.BoundedSemaphore(MAX_PENDING)
        self._model_lock = threading.Lock()
        self._memory_lock = threading.Lock()
        self._memory: OrderedDict[tuple[str, str], Described] = OrderedDict()

    def start(self) -> None:
        """Start loading the captioner; return at once."""
        threading.Thread(target=self._load, name="captioner-loader", daemon=True).start()

    def captioner(self) -> Describer:
        """Return the loaded captioner. Raises Problem 503 while it loads or if loading failed."""
        if self._captioner is not None:
            return self._captioner
        if self._failure is not None:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, f"search by picture is off: {self._failure}")
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE, "the captioner is still loading; search by words works, try again shortly"
        )

    def describe(self, content: bytes, further: KindDescriber | None = None, part: Part | None = None) -> Described:
        """Describe a picture file's bytes or a part of the picture, with the vector of a further encoder if given.

        Raises PictureError, Problem 503 if not loaded, or 429 if busy.
        """
        captioner = self.captioner()
        key = content_hash(content) + (f" {part}" if part else "")
        known = (
            self._recall((key, captioner.model_version))
            if part
            else self._stored_or_remembered(content, key, captioner)
        )
        described = known or self._made(captioner, content, key, part)
        if further is None or np.any(described.description.vectors.get(further.kind, 0)):
            return described
        added = self._recall((key, further.model_version)) or self._made(further, content, key, part)
        vectors = {**described.description.vectors, **added.description.vectors}
        return replace(described, description=replace(described.description, vectors=vectors))

    def _made(self, captioner: Describer, content: bytes, key: str, part: Part | None) -> Described:
        """Return a new description by the captioner, or another describer; it is remembered."""
        if not self._pending.acquire(blocking=False):
            raise Problem(
                HTTPStatus.TOO_MANY_REQUESTS, "the captioner is busy with other pictures; try again", RETRY_AFTER
            )
        try:
            with self._describing():
                described = self._describe(captioner, content, part)
        finally:
            self._pending.release()
        self._remember((key, captioner.model_version), described)
        return described

    def _load(self) -> None:
        try:
            self._captioner = self._loader()
        except RetroflexError as error:
            self._failure = str(error)
        except Exception:  # Text search must work whatever a deep-learning library raises.
            self._failure = "the captioner could not be loaded; the server's log says why"
            _log.exception("the captioner could not be loaded")

    def _describe(self, captioner: Describer, content: bytes, part: Part | None) -> Described:
        decoded = self._decode(captioner, content, part)
        with self._model_lock:
            ((_, description),) = describe_now([decoded], _read, captioner)
        assert description is not None
        return Described(description, data_address(decoded.webp))

    def _stored_or_remembered(self, content: bytes, key: str, captioner: Describer) -> Described | None:
        """Return what needs no captioner: a picture of the library, with a person's caption, or a recent upload."""
        stored = self._stored(key, captioner.model_version)
        if stored is None:
            return self._recall((key, captioner.model_version))
        return Described(stored, data_address(self._decode(captioner, content).webp))

    def _decode(self, captioner: Describer, content: bytes, part: Part | None = None) -> Decoded:
        return self._decoders.decode(content, Order(captioner.input_side, PREVIEW, part=part), self._limits)

    def _recall(self, key: tuple[str, str]) -> Described | None:
        with self._memory_lock:
            if key in self._memory:
                self._memory.move_to_end(key)
            return self._memory.get(key)

    def _remember(self, key: tuple[str, str], described: Described) -> None:
        with self._memory_lock:
            self._memory[key] = described
            while len(self._memory) > MAX_REMEMBERED:
                self._memory.popitem(last=False)


def _read(decoded: Sequence[Decoded]) -> list[Reading[Decoded]]:
    return [Reading(picture, picture.square) for picture in decoded]


def data_address(webp: bytes) -> str:
    """Return a WebP as a data: address."""
    return "data:image/webp;base64," + base64.b64encode(webp).decode("ascii")
